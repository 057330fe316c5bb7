"""Having an action proposed, and weighing who may decide about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from .guards import Guard, Rounds
from .outcome import Outcome, Pattern
from .proposal import Proposal, Thresholds
from .triggers import Case, Seen, Trigger

__all__ = ["plain", "weigh"]


async def weigh(
    task: str,
    propose: Pattern[Proposal[Any]],
    *,
    guards: Sequence[Guard],
    triggers: Sequence[Trigger],
    thresholds: Thresholds,
) -> Outcome[Any]:
    """The proposal as JSON, with its ``route`` and the triggers' ``reasons``; unfinished where there is none.

    The triggers are asked at once, since what they saw will not be seen again after a restart.
    """
    made: Outcome[Proposal[Any]] | None = None
    with Seen() as seen:
        async with Rounds(guards) as rounds:
            made = await propose(task)
    if made is None:
        stop = rounds.stop
        assert stop is not None  # nothing else ends the block early without an exception
        spent = rounds.metered
        return Outcome(output=None, finished=False, steps=1, usage=spent, stopped_by=stop.guard, reason=stop.reason)
    if not made.finished or made.output is None:
        return plain(made, output=None, finished=False)
    proposal = made.output
    data = TypeAdapter(type(proposal)).dump_python(proposal, mode="json")
    case = Case(task=task, action=data["action"], confidence=proposal.confidence, seen=seen)
    reasons = [reason for trigger in triggers if (reason := trigger(case)) is not None]
    route = thresholds.route(proposal.confidence, reasons)
    return plain(made, output={**data, "route": route, "reasons": reasons})


def plain(outcome: Outcome[Any], **changes: Any) -> Outcome[Any]:
    """An outcome of any pattern, without what is that pattern's own."""
    return Outcome(**{field.name: getattr(outcome, field.name) for field in fields(Outcome)} | changes)
