"""Whether two runs are the same, and where they first differ."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from typing import Any

from .checks.verdict import Tier
from .history import CallSent, Event, History, RunStarted

__all__ = ["difference"]


def difference(one: History, other: History, tier: Tier = "T1") -> str | None:
    """The first event in which two histories differ, in words; None where they are the same.

    In tier T1 all must be equal. With captured threads (T2) the order between agents may vary with
    the scheduler's steps, so each agent's events are compared by themselves. T3 is never the same.
    """
    if tier == "T3":
        return "runs of tier T3 do not repeat"
    if tier == "T1":
        return _first(list(one), list(other))
    for agent in dict.fromkeys([e.agent for e in one] + [e.agent for e in other]):
        found = _first(_of(one, agent), _of(other, agent))
        if found:
            return found
    return None


def _of(history: History, agent: str | None) -> list[Event]:
    return [event for event in history if event.agent == agent]


def _first(one: list[Event], other: list[Event]) -> str | None:
    for a, b in zip(one, other, strict=False):
        if _meaning(a) != _meaning(b):
            return f"event {a.id}: {_told(a)}, but the second time {_other(a, b)}"
    if len(one) != len(other):
        longer, event = ("first", one[len(other)]) if len(one) > len(other) else ("second", other[len(one)])
        return f"event {event.id}: {_told(event)}, only the {longer} time"
    return None


def _meaning(event: Event) -> Hashable:
    return tuple(_values(event).items())


def _values(event: Event) -> dict[str, str]:
    return {
        each.name: repr(getattr(event, each.name))
        for each in fields(event)
        if each.name not in ("id", "call") and not (isinstance(event, RunStarted) and each.name == "rules")
    }


def _other(one: Event, other: Event) -> str:
    """How the other one is told; where that says the same, what differs in it."""
    if _told(one) != _told(other):
        return _told(other)
    values = _values(other)
    return "with other " + " and ".join(name for name, value in _values(one).items() if values[name] != value)


def _told(event: Event) -> str:
    what: dict[str, Any] = {"agent": event.agent} if event.agent else {}
    if isinstance(event, CallSent):
        what["call"] = event.ordinal
    return event.kind + "".join(f" {name}={value}" for name, value in what.items()) + f" at {event.at:g} s"
