"""One run of a workflow on the real SDK, for whatever model answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import anthropic
import pytest

from dissonance.harness.call import Model
from dissonance.harness.limits import Limits
from dissonance.harness.models import Gullible
from dissonance.harness.run import Run, run

Workflow: TypeAlias = Callable[["Sdk"], Awaitable[Any]]
Play: TypeAlias = Callable[..., "Played"]


class Sdk:
    """The SDK with the few lines around it that every workflow writes."""

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client

    async def ask(self, system: str, content: Any, **more: Any) -> Any:
        """A message; ``content`` is what the user says, or the whole conversation."""
        messages: Any = content if isinstance(content, list) else [{"role": "user", "content": content}]
        fields = {"model": "claude-opus-5-5", "max_tokens": 1024, "system": system, **more}
        return await self._client.messages.create(messages=messages, **fields)

    async def say(self, system: str, content: Any, **more: Any) -> str:
        """The text of a message."""
        return "".join(b.text for b in (await self.ask(system, content, **more)).content if b.type == "text")

    async def loop(
        self, system: str, task: str, tools: Any, use: Callable[[str, Any], Awaitable[str]], **more: Any
    ) -> str:
        """The tool loop of the documentation: ``use(name, arguments)`` gives results, until no tool is asked for."""
        messages: list[Any] = [{"role": "user", "content": task}]
        while True:
            reply = await self.ask(system, messages, tools=tools, **more)
            asked = [block for block in reply.content if block.type == "tool_use"]
            if not asked:
                return "".join(block.text for block in reply.content)
            messages.append({"role": "assistant", "content": [block.model_dump() for block in reply.content]})
            results = [
                {"type": "tool_result", "tool_use_id": b.id, "content": await use(b.name, b.input)} for b in asked
            ]
            messages.append({"role": "user", "content": results})


@dataclass
class Played:
    """What became of a workflow."""

    run: Run

    @property
    def result(self) -> Any:
        return self.run.result

    @property
    def agents(self) -> list[str]:
        """Who called, in this order."""
        return [call.agent for call in self.run.history.calls()]

    @property
    def texts(self) -> list[str]:
        """What came back, in the order of its coming."""
        return [self.run.history.reply_text(reply) for reply in self.run.history.replies()]


@pytest.fixture
def play() -> Play:
    """``play(workflow, model=Gullible(), task=None)``: one fault-free run of a workflow on the :class:`Sdk`."""

    def one(workflow: Workflow, model: Model | None = None, task: str | None = None, plan: Any = None) -> Played:
        async def main(task: object) -> Any:
            async with anthropic.AsyncAnthropic(api_key="k") as client:
                return await workflow(Sdk(client))

        model = model or Gullible()
        made = run(main, task, plan=plan, model=model, limits=Limits(calls=60), baseline=False, store=None)
        assert made.outcome == "completed", (made.outcome, made.stopped_by, made.error_text)
        return Played(made)

    return one
