"""AutoGen: teams and single agents of ``autogen_agentchat``.

An agent is a participant of a team; a team's manager (the selector, for one) speaks under its own name. A team
keeps what it has said, so each run begins by resetting all participants, in a message runtime of its own. A team
that outlives the cancelling of its task is ended by the harness, as all else that does.

``GraphFlow`` begins with the nodes of a set, whose order a process chooses anew by its hash seed: inside a run it is the
order in which the graph was built.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.teams import BaseGroupChat
from autogen_agentchat.teams._group_chat._graph import _digraph_group_chat as graphs
from autogen_core import CancellationToken, MessageHandlerContext, SingleThreadedAgentRuntime
from autogen_core.tools import BaseTool

from dissonance.harness.world import OrderedSet

from .runtime import Inside, named, speaker, spoken_for

__all__ = ["AutoGen"]

_UUID = 36


class AutoGen:
    """The runtime of AutoGen 0.7."""

    name = "autogen"

    def install(self, inside: Inside) -> None:
        inside.tools.guard(inside.patches, BaseTool, "run_json", lambda tool: str(tool.name))
        inside.patches.set(graphs, "set", OrderedSet)
        inside.patches.set(AssistantAgent, "_call_llm", classmethod(_speaking(vars(AssistantAgent)["_call_llm"])))

    def speaker(self) -> str | None:
        name = speaker.get()
        if name is not None:
            return name
        try:
            kind = MessageHandlerContext.agent_id().type
        except RuntimeError:
            return None
        return spoken_for(_without_team(kind))

    def workflow(self, target: Any) -> Callable[..., Any] | None:
        if not isinstance(target, Team | ChatAgent):
            return None

        async def play(task: Any) -> Any:
            fresh = await _fresh(target)
            return await fresh.run(task=task)

        return named(play, f"AutoGen.{target.name}")


def _without_team(kind: str) -> str:
    """``writer_<uuid of the team>`` without the team."""
    name, _, team = kind.rpartition("_")
    return name if len(team) == _UUID and team.count("-") == 4 else kind


def _speaking(original: Any) -> Callable[..., AsyncIterator[Any]]:
    """``_call_llm`` under the name of the agent that calls.

    A variable that is set in a generator would leak into whoever drives it: it is set for each step alone.
    """
    call = original.__func__

    @functools.wraps(call)
    async def named_call(cls: Any, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        name = spoken_for(kwargs.get("agent_name"))
        steps = call(cls, *args, **kwargs)
        try:
            while True:
                token = speaker.set(name)
                try:
                    step = await anext(steps)
                except StopAsyncIteration:
                    return
                finally:
                    speaker.reset(token)
                yield step
        finally:
            await steps.aclose()

    return named_call


async def _fresh(target: Any) -> Any:
    if isinstance(target, ChatAgent):
        await target.on_reset(CancellationToken())
        return target
    team = _anew(target)
    await team.reset()
    return team


def _anew(team: Any) -> Any:
    """The team on a message runtime of its own, since one belongs to the event loop that it first ran on."""
    if not isinstance(team, BaseGroupChat) or not team._embedded_runtime:
        return team
    fresh = copy.copy(team)
    fresh._participants = [_anew(each) if isinstance(each, Team) else each for each in team._participants]
    fresh._runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    fresh._output_message_queue = type(team._output_message_queue)()
    fresh._initialized = False
    fresh._is_running = False
    return fresh
