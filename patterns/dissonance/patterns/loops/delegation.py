"""A lead that hands sub-tasks down to the next level, and puts their results together.

**When to use it.** As the bare mechanism of delegation, to build on or to measure. ``delegate`` is the
pattern. **When not.** One level of workers is enough, which it nearly always is: ``supervise``.

**What it costs.** A step is a turn that delegates: one call. Each sub-task is a conversation of its own, so
a level sees its own task and its results only. With mean branching b and d levels below the top,
1 + b + … + b^d conversations.

**How it fails.** A lead delegates what it was given, again and again, or downwards without end. The
guards are shared by all levels: a budget holds for the whole tree. A damaged reply at any level raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anthropic import AsyncAnthropic
from anthropic.types import ToolParam, ToolResultBlockParam

from dissonance.patterns.agent import Agent
from dissonance.patterns.guards import Guard, Rounds
from dissonance.patterns.guards.guard import briefed
from dissonance.patterns.outcome import Outcome
from dissonance.patterns.reply import Answer, ToolCall
from dissonance.patterns.tools import result_block

from .conversation import Conversation

__all__ = ["Delegated", "delegation"]


@dataclass(frozen=True, kw_only=True)
class Delegated(Outcome[str]):
    """What delegation made of a task; ``depth`` is the deepest level that worked on it (0: the top alone)."""

    depth: int


def delegation(
    client: AsyncAnthropic, leads: Sequence[Agent], *, recursive: bool = False, guards: Sequence[Guard] = ()
) -> _Delegation:
    """A pattern in which each of ``leads``, one a level from the top, may delegate to the next.

    The last has nobody below it and answers itself; with ``recursive`` it may delegate to another of its
    own kind, so the depth is bounded by guards alone. Sub-tasks are done one after the other. A finding,
    for the progress guard, is a sub-task's result that differs from all before. Stopped, its output is
    the last result of a sub-task, if any.
    """
    if len(leads) < (1 if recursive else 2):
        raise ValueError(f"leads={[lead.name for lead in leads]!r}: give at least two, or one that is recursive")
    return _Delegation(client, tuple(briefed(lead, guards) for lead in leads), recursive, tuple(guards))


@dataclass(frozen=True)
class _Delegation:
    client: AsyncAnthropic
    leads: tuple[Agent, ...]
    recursive: bool
    guards: tuple[Guard, ...]

    async def __call__(self, task: str) -> Delegated:
        """Do the task. The levels are a stack of desks, not of Python calls, so their depth has no limit."""
        desks = [_Desk(self, Conversation(task, Rounds(self.guards)), 0)]
        top, deepest, latest = desks[0].talk, 0, None
        async with top.rounds as rounds:
            while True:
                desk = desks[-1]
                subtask = desk.next_subtask()
                if subtask is not None:
                    desks.append(_Desk(self, Conversation(subtask, rounds), desk.depth + 1))
                    deepest = max(deepest, desk.depth + 1)
                    continue
                answer = await desk.turn()
                if not answer.calls:
                    desks.pop()
                    if not desks:
                        return Delegated(**vars(desk.talk.finished(answer)), depth=deepest)
                    latest = answer.text
                    desks[-1].deliver(latest)
                elif stop := desk.talk.check("delegate", answer, desk.depth):
                    return Delegated(**vars(desk.talk.stopped(stop, latest)), depth=deepest)
        return Delegated(**vars(top.halted(latest)), depth=deepest)

    def level(self, depth: int) -> tuple[Agent, Agent | None]:
        """Who works at a depth, and whom it may delegate to."""
        last = len(self.leads) - 1
        if depth < last:
            return self.leads[depth], self.leads[depth + 1]
        return self.leads[last], self.leads[last] if self.recursive else None


class _Desk:
    """A lead at work on its task: what it has delegated and what has come back."""

    def __init__(self, plan: _Delegation, talk: Conversation, depth: int) -> None:
        self.talk = talk
        self.depth = depth
        self._client = plan.client
        self._agent, below = plan.level(depth)
        self._offer = [] if below is None else [_delegate(below)]
        self._asked: Answer[None] | None = None
        self._waiting: list[ToolCall] = []
        self._results: list[ToolResultBlockParam] = []

    async def turn(self) -> Answer[None]:
        """Go on with what came back."""
        if self._asked is not None:
            self.talk.tell(self._asked, self._results)
        self._asked = await self.talk.ask(self._client, self._agent, self._offer)
        self._waiting, self._results = list(self._asked.calls), []
        return self._asked

    def next_subtask(self) -> str | None:
        """The sub-task to be done next; None where all that was delegated is done. Unusable calls are refused."""
        while self._waiting:
            call = self._waiting[0]
            subtask = call.arguments.get("task")
            if call.name == self._offer[0]["name"] and isinstance(subtask, str) and subtask.strip():
                return subtask
            refusal = f"Refused: call {self._offer[0]['name']} with a task in words."
            self._results.append(result_block(self._waiting.pop(0), refusal, error=True))
        return None

    def deliver(self, result: str) -> None:
        """The sub-task that was next is done."""
        self._results.append(result_block(self._waiting.pop(0), result))


def _delegate(below: Agent) -> ToolParam:
    return {
        "name": f"delegate_to_{below.name}",
        "description": f"Have a sub-task done by the {below.name}, who knows nothing but what you write.",
        "input_schema": {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]},
    }
