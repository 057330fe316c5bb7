"""What the store keeps, as it gives it back, and how that is read from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from dissonance.patterns.human import HumanAnswer, HumanRequest

from . import tables
from .database import StoreError

__all__ = [
    "Ask",
    "Checkpoint",
    "Effect",
    "OpenRun",
    "Submitted",
    "ask_of",
    "decided",
    "effect_of",
    "locked",
    "request_row",
]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that was opened and not closed: it waits for a human, or its process died."""

    id: str
    pattern: str
    task: Any


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a finished stage of a run gave. ``new`` is False where it stood there before it was to be saved."""

    stage: str
    value: Any
    new: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a human as the store keeps it. ``deadline_at`` is in the clock's seconds; None: none."""

    run: str
    request: HumanRequest
    asked_at: float
    deadline_at: float | None
    notified: bool


@dataclass(frozen=True, slots=True)
class Submitted:
    """An answer was recorded: whether it ``counts``, and the one that does (itself, or an earlier one)."""

    counts: bool
    decided: HumanAnswer


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of an action: ``done`` at last or only planned, and its ``result``; ``new``: this call noted it."""

    key: str
    action: Any
    done: bool
    result: Any
    new: bool = False


# --- reading ----------------------------------------------------------------------------------


_REQUEST = ("id", "summary", "action", "reason", "deadline", "kind")


def request_row(request: HumanRequest) -> dict[str, Any]:
    """A request as JSON; its door is not kept."""
    return {name: getattr(request, name) for name in _REQUEST}


def locked(connection: Connection, ask: str) -> Row[Any]:
    """The ask, locked against others until this transaction ends."""
    row = connection.execute(select(tables.asks).where(tables.asks.c.id == ask).with_for_update()).one_or_none()
    if row is None:
        raise StoreError(f"ask={ask!r}: there is no such ask; pending() lists those that are open")
    return row


def ask_of(row: Row[Any]) -> Ask:
    """A row of asks."""
    return Ask(row.run, HumanRequest(**row.request), row.asked_at, row.deadline_at, row.notified_at is not None)


def decided(connection: Connection, ask: str) -> tuple[int, HumanAnswer]:
    """The answer that counts, and its number."""
    asks, answers = tables.asks, tables.answers
    query = select(answers.c.n, answers.c.answer).join(asks, asks.c.answer == answers.c.n).where(asks.c.id == ask)
    number, answer = connection.execute(query).one()
    return int(number), HumanAnswer.model_validate(answer)


def effect_of(connection: Connection, key: str) -> Effect | None:
    """The effect with this key, locked against others until this transaction ends."""
    row = connection.execute(select(tables.effects).where(tables.effects.c.key == key).with_for_update()).one_or_none()
    return None if row is None else Effect(row.key, row.action, row.done_at is not None, row.result)
