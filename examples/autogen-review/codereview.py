"""A code review: an author's patch, a reviewer who looks at it, a tester who runs the tests, until the reviewer approves.

An AutoGen team. Run it with ``ANTHROPIC_API_KEY`` set: ``python codereview.py "cap the retries at five"``.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Team
from autogen_agentchat.conditions import TextMentionTermination, TimeoutTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import CreateResult, ModelFamily, ModelInfo
from autogen_ext.models.anthropic import AnthropicChatCompletionClient

MODEL = "claude-sonnet-4-6"
INFO = ModelInfo(
    vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
)
ROUNDS = 4
SECONDS = 1200


class Incomplete(Exception):
    """A reply that is not whole."""


class WholeReplies(AnthropicChatCompletionClient):
    """A client that raises where a reply is not whole; AutoGen says so in ``finish_reason`` and goes on."""

    async def create(self, *args: Any, **kwargs: Any) -> CreateResult:
        return whole(await super().create(*args, **kwargs))

    async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async for part in super().create_stream(*args, **kwargs):
            yield part if isinstance(part, str) else whole(part)


def whole(result: CreateResult) -> CreateResult:
    """The result; Incomplete where it was cut or is empty."""
    if result.finish_reason not in ("stop", "function_calls") or not result.content:
        raise Incomplete(f"finish_reason={result.finish_reason!r}")
    return result


async def run_tests(patch: str) -> str:
    """Run the project's tests on a patch."""
    return f"148 tests ran on {len(patch)} characters of patch: 148 passed"


def review_team(*, careful: bool = True) -> Team:
    """The team; its task is what the patch is to do.

    ``careful``: it ends after four rounds or 20 minutes whatever is said, a call has a time limit, and replies must be whole.
    Without it, the team ends when the reviewer approves, and not before.
    """
    kind, limits = (
        (WholeReplies, {"timeout": 120, "max_retries": 4}) if careful else (AnthropicChatCompletionClient, {})
    )
    client = kind(model=MODEL, max_tokens=800, model_info=INFO, **limits)
    author = AssistantAgent(
        "author",
        model_client=client,
        system_message="You are the author. Write the patch, and mend what is criticised.",
    )
    tester = AssistantAgent(
        "tester",
        model_client=client,
        tools=[run_tests],
        reflect_on_tool_use=True,
        system_message="You are the tester. Run the tests on the author's patch and say what they show.",
    )
    reviewer = AssistantAgent(
        "reviewer",
        model_client=client,
        system_message="You are the reviewer. Reply with 'APPROVE', or with 'REVISE' and what is to be mended.",
    )
    approved = TextMentionTermination("APPROVE", sources=["reviewer"])
    team = [author, tester, reviewer]
    if not careful:
        return RoundRobinGroupChat(team, termination_condition=approved)
    return RoundRobinGroupChat(
        team, termination_condition=approved | TimeoutTermination(SECONDS), max_turns=ROUNDS * len(team)
    )


if __name__ == "__main__":
    print((asyncio.run(review_team().run(task=sys.argv[1]))).messages[-1].to_text())
