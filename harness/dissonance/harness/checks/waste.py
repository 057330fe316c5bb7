"""What a run spent after its loop began.

The loop began with the first of those last calls that each repeat an earlier one: the same agent is
told the same as its last message once more, white space and digits aside (a loop often counts its
rounds). An SDK's retry is no repetition of the workflow's. Where the last calls repeat nothing, as
when each round paraphrases, the run is counted from the first fault on.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass

from dissonance.harness.call import text_of
from dissonance.harness.history import CallSent, History

from .wording import plural

__all__ = ["Waste", "dollars", "loop_began", "wasted"]

_LEAST_REPETITIONS = 2
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """The spending from one call on, that call included. ``since`` says in words what it began with, ``event`` where."""

    since: str
    event: int
    calls: int
    tokens: int
    usd: float

    def __str__(self) -> str:
        return f"{plural(self.calls, 'call')}, {self.tokens:,} tokens and {dollars(self.usd)} of it since {self.since}"


def dollars(usd: float) -> str:
    """An amount: cents, and of less than a dollar as much as there is to see."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.4f}"


def wasted(history: History) -> Waste | None:
    """What was spent since the loop began, or else since the first fault; None where there is neither."""
    began = loop_began(history)
    if began is not None:
        return _from(history, began.id, f"the loop began ({began.agent}'s call {began.ordinal})", began.id)
    faults = history.faults()
    return _from(history, faults[0].call, f"the first fault ({faults[0].fault})", faults[0].id) if faults else None


def loop_began(history: History) -> CallSent | None:
    """The first call of the repetition that the run ended in; None where it ended in none."""
    seen: set[Hashable] = set()
    repeating: list[CallSent] = []
    for call in history.calls():
        if call.attempt > 1:
            continue
        told = _told(history, call)
        if told in seen:
            repeating.append(call)
        else:
            repeating.clear()
            seen.add(told)
    return repeating[0] if len(repeating) >= _LEAST_REPETITIONS else None


def _told(history: History, call: CallSent) -> Hashable:
    if not call.messages:
        return call.agent, ""
    text = text_of(history.bodies.get(call.messages[-1]).get("content"))
    return call.agent, _NUMBER.sub("#", " ".join(text.split()))


def _from(history: History, call: int, since: str, event: int) -> Waste:
    replies = [reply for reply in history.replies() if reply.call >= call]
    return Waste(
        since=since,
        event=event,
        calls=sum(each.id >= call for each in history.calls()),
        tokens=sum(reply.usage.total for reply in replies if reply.usage is not None),
        usd=sum(reply.usd for reply in replies),
    )
