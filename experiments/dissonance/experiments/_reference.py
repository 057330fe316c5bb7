"""The reference in the matrix: this project's own six patterns, bare and guarded, with the roles of the ports.

Bare: no guard, one try of a damaged reply, no deadline, nothing kept. Guarded: a step budget and a time box, a second try, the
SDK's timeout set, a check in code before the judge, a human's deadline, and a store that outlives the process.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeAlias

from anthropic import AsyncAnthropic
from pydantic import BaseModel

from dissonance.patterns import (
    Agent,
    Guard,
    InTransaction,
    Lead,
    Piece,
    Proposal,
    Stage,
    StepBudget,
    TimeBox,
    Worker,
    chain,
    contains,
    debate,
    delegate,
    fan_out,
    human_gate,
    merger,
    solo,
    supervise,
)
from dissonance.patterns.ports import Role, Settings
from dissonance.patterns.ports.settings import ATTEMPTS, CALL_SECONDS, ROUNDS, TOKENS
from dissonance.patterns.store import Store

from ._ported import AGAINST, EDITOR, FINANCE, FOR, HEAD, MODERATOR, REVIEWER, SALES, WRITER

__all__ = ["reference"]

Play: TypeAlias = Callable[..., Awaitable[Any]]

_UNBOUNDED = 100_000
"""Rounds of a debate that nothing bounds."""
_DEADLINE = 900.0
_BOX = 4 * CALL_SECONDS


def reference(pattern: str, settings: Settings, store: str = "sqlite://") -> Play:
    """This pattern as a coroutine of the task, and of the human where it asks one. ``store`` is a SQLAlchemy URL."""
    made: Play = _Bench(settings, store).patterns[pattern]
    return made


class _Memo(BaseModel):
    task: str
    writer: str = ""
    editor: str = ""


@cache
def _client(guarded: bool) -> AsyncAnthropic:
    if guarded:
        return AsyncAnthropic(api_key="simulated", timeout=CALL_SECONDS)
    return AsyncAnthropic(api_key="simulated")


class _Bench:
    """What the six are made of, with these settings."""

    def __init__(self, settings: Settings, store: str) -> None:
        self._settings = settings
        self._client = _client(settings.guarded)
        self._store = store
        self.patterns: dict[str, Play] = {
            "chain": self._chain,
            "fan_out": self._fan_out,
            "supervise": self._supervise,
            "delegate": self._delegate,
            "debate": self._debate,
            "human_gate": self._human_gate,
        }

    async def _chain(self, task: str) -> Any:
        stages = [
            Stage("writer", solo(self._client, self._agent(WRITER)), sees=["task"]),
            Stage("editor", solo(self._client, self._agent(EDITOR)), sees=["task", "writer"]),
        ]
        with Store(self._store) as store:
            kept = store if self._settings.guarded else None
            return await chain(_Memo, stages, store=kept, guards=self._guards(8))(task)

    async def _fan_out(self, task: str) -> Any:
        def split(task: str) -> list[Piece]:
            return [Piece(name=role.name, task=f"{role.brief} {task}") for role in (FINANCE, SALES)]

        researcher = Agent(**self._how(Role("researcher", "Report on what you are given.")))
        boxes: tuple[Guard, ...] = (TimeBox(_BOX),) if self._settings.guarded else ()
        whole = fan_out(
            solo(self._client, researcher),
            split=split,
            reduce=merger(self._client, self._agent(HEAD)),
            branch_guards=boxes,
        )
        return await whole(task)

    async def _supervise(self, task: str) -> Any:
        figures = re.findall(r"\d[\d,]*\d", task)
        checks = [contains(figures[0])] if self._settings.guarded and figures else []
        return await supervise(
            self._client,
            workers=[Worker("writer", solo(self._client, self._agent(WRITER)))],
            checks=checks,
            judge=self._agent(REVIEWER),
            guards=self._guards(ROUNDS),
        )(task)

    async def _delegate(self, task: str) -> Any:
        lead = Lead(self._agent(HEAD), (self._agent(FINANCE), self._agent(SALES)))
        return await delegate(self._client, lead, guards=self._guards(8))(task)

    async def _debate(self, task: str) -> Any:
        rounds = ROUNDS if self._settings.guarded else _UNBOUNDED
        panel = [self._agent(FOR), self._agent(AGAINST)]
        arbitrator = self._agent(MODERATOR)
        return await debate(self._client, panel, arbitrator=arbitrator, rounds=rounds, guards=self._guards(rounds))(
            task
        )

    async def _human_gate(self, task: str, human: Any) -> Any:
        with Store(self._store) as store:
            gate = human_gate(
                solo(self._client, self._agent(WRITER), Proposal[str], guards=self._guards(8)),
                InTransaction(lambda connection, action: action),
                store=store,
                human=human,
                notify=lambda request: None,
                triggers=(lambda case: "it is to be approved",),
                deadline=_DEADLINE if self._settings.guarded else None,
            )
            return await gate(task)

    # --- parts --------------------------------------------------------------------------------

    def _agent(self, role: Role) -> Agent:
        return Agent(**self._how(role))

    def _how(self, role: Role) -> dict[str, Any]:
        return {
            "name": role.name,
            "instructions": role.brief,
            "model": self._settings.model,
            "max_tokens": TOKENS,
            "stream": self._settings.streamed,
            "tries": ATTEMPTS if self._settings.guarded else 1,
        }

    def _guards(self, steps: int) -> tuple[Guard, ...]:
        return (StepBudget(steps), TimeBox(steps * _BOX)) if self._settings.guarded else ()
