"""The six patterns with the SDK's own ``tool_runner``: no framework. Each function gives a coroutine of the task.

As it comes, a runner goes on for as long as the model asks for tools, a call may take 600 s, and half an answer is an
answer. Guarded:

* ``max_iterations``: how many calls a runner makes. It ends in silence there, so a last reply that still asks for a
  tool raises :class:`Unusable`.
* ``timeout`` of the client: one attempt at a call.
* a reply whose stop reason is not the end of a turn is asked for once more, then raises :class:`Unusable`.
* in ``debate`` a count of rounds.
* in ``human_gate`` a human's time ends, and one approval is one act: the tool answers a second call for the same action
  with the first result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, TypeAlias

from anthropic import AsyncAnthropic, beta_async_tool

from dissonance.patterns.human import Human

from .settings import (
    ATTEMPTS,
    CALL_SECONDS,
    DEFAULTS,
    ROUNDS,
    TOKENS,
    Role,
    Settings,
    Unusable,
    answered,
    approval,
    briefing,
    checked_roles,
)

__all__ = ["chain", "debate", "delegate", "fan_out", "human_gate", "supervise"]

Play: TypeAlias = Callable[[str], Awaitable[str]]

_ITERATIONS = 8
"""Guarded: how many calls one runner makes."""


def chain(stages: Sequence[Role], settings: Settings = DEFAULTS) -> Play:
    """Stages one after the other; each sees the task and the result of the one before it."""
    stages = checked_roles("stages", stages)

    async def chained(task: str) -> str:
        agents, said = _Agents(settings), ""
        for role in stages:
            said = await agents.ask(role, briefing(task, [said] if said else []))
        return said

    return chained


def fan_out(branches: Sequence[Role], join: Role, settings: Settings = DEFAULTS) -> Play:
    """A runner for each branch, all at once; ``join`` gets what they say."""
    branches = checked_roles("branches", branches)

    async def fanned(task: str) -> str:
        agents = _Agents(settings)
        notes = await asyncio.gather(*(agents.ask(role, task) for role in branches))
        return await agents.ask(join, briefing(task, notes))

    return fanned


def supervise(supervisor: Role, workers: Sequence[Role], settings: Settings = DEFAULTS) -> Play:
    """The workers are the supervisor's tools: it calls whom it wants as often as it wants."""
    workers = checked_roles("workers", workers)

    async def supervised(task: str) -> str:
        agents = _Agents(settings)
        return await agents.ask(supervisor, task, [agents.tool(role) for role in workers])

    return supervised


def delegate(head: Role, teams: Sequence[tuple[Role, Sequence[Role]]], settings: Settings = DEFAULTS) -> Play:
    """The leads are the head's tools, and each lead has its members as tools. A team is ``(lead, members)``."""
    checked_roles("teams", [lead for lead, _ in teams])

    async def delegated(task: str) -> str:
        agents = _Agents(settings)
        leads = [agents.tool(lead, [agents.tool(member) for member in members]) for lead, members in teams]
        return await agents.ask(head, task, leads)

    return delegated


def debate(debaters: Sequence[Role], moderator: Role, settings: Settings = DEFAULTS) -> Play:
    """The debaters speak in turn, round after round, until the moderator calls its tool ``settle``."""
    debaters = checked_roles("debaters", debaters)

    async def debated(task: str) -> str:
        agents = _Agents(settings)
        notes: list[str] = []
        for number in count(1):
            for role in debaters:
                notes.append(await agents.ask(role, briefing(task, notes[-len(debaters) :])))
            settled = await _settled(agents, moderator, briefing(task, notes[-len(debaters) :]))
            if settled or (settings.guarded and number >= ROUNDS):
                break
        return notes[-1]

    return debated


def human_gate(
    drafter: Role, act: Callable[[str], str], settings: Settings = DEFAULTS
) -> Callable[[str, Human], Awaitable[str]]:
    """The drafter's tool ``act`` asks the human, and does what was approved. Nothing of it outlives the process."""

    async def gated(task: str, human: Human) -> str:
        numbers, done = count(1), dict[str, str]()

        async def perform(action: str) -> str:
            """Do this, once a human has approved of it."""
            if settings.guarded and action in done:
                return done[action]
            answer = await answered(human, approval(next(numbers), action, settings))
            if answer.decision == "reject":
                return f"Refused: {answer.comment}"
            done[action] = act(str(answer.value) if answer.decision == "edit" else action)
            return done[action]

        return await _Agents(settings).ask(drafter, task, [beta_async_tool(perform, name="act")])

    return gated


async def _settled(agents: _Agents, moderator: Role, prompt: str) -> bool:
    called: list[str] = []

    async def settle(reason: str) -> str:
        """End the debate: the debaters agree, or all is said."""
        called.append(reason)
        return "The debate has ended."

    await agents.ask(moderator, prompt, [beta_async_tool(settle)])
    return bool(called)


class _Agents:
    """Asks roles, each by a runner of its own, over one client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = AsyncAnthropic(timeout=CALL_SECONDS) if settings.guarded else AsyncAnthropic()

    async def ask(self, role: Role, prompt: str, tools: Sequence[Any] = ()) -> str:
        """What the role says in the end. Guarded, raises Unusable for a reply that is not whole."""
        reply = await self._run(role, prompt, tools)
        if not self._settings.guarded:
            return _text(reply)
        for _ in range(ATTEMPTS - 1):
            if tools or reply.stop_reason == "end_turn":  # tools have taken effect: they are not run again
                break
            reply = await self._run(role, prompt, tools)
        if reply.stop_reason != "end_turn":
            raise Unusable(f"{role.name}: the last reply ended with stop_reason={reply.stop_reason!r}")
        return _text(reply)

    async def _run(self, role: Role, prompt: str, tools: Sequence[Any]) -> Any:
        bounds: dict[str, Any] = {"max_iterations": _ITERATIONS} if self._settings.guarded else {}
        runner: Any = self._client.beta.messages.tool_runner(
            model=self._settings.model,
            max_tokens=TOKENS,
            system=role.system,
            messages=[{"role": "user", "content": prompt}],
            tools=tools,
            stream=self._settings.streamed,
            **bounds,
        )
        return await runner.until_done()

    def tool(self, role: Role, tools: Sequence[Any] = ()) -> Any:
        """The role as a tool of another."""

        async def ask(request: str) -> str:
            return await self.ask(role, request, tools)

        return beta_async_tool(ask, name=f"ask_{role.name}", description=f"Ask the {role.name}: {role.brief}")


def _text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")
