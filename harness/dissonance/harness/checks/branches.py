"""The branches of a run: conversations that a workflow carries on, one after the other or at once.

Calls belong to one branch where the same agent goes on with the same conversation (the same system
prompt and first message, retries included) and does not wait for itself: a call that begins while the
last one is still open is another branch. Branches that run at once are a fan-out.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissonance.harness.history import CallSent, ReplyReceived

from .reading import Reading, good

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Branch", "branches_of", "fan_outs", "width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch: its calls and their replies (None: none came), and when it began and ended, in virtual seconds."""

    agent: str
    calls: tuple[CallSent, ...]
    replies: tuple[ReplyReceived | None, ...]
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def answered(self) -> bool:
        """Whether its last call got a whole answer."""
        return good(self.replies[-1])

    def __str__(self) -> str:
        first, last = self.calls[0].ordinal, self.calls[-1].ordinal
        return f"{self.agent}'s call {first}" if first == last else f"{self.agent}'s calls {first} to {last}"


def branches_of(run: Run) -> tuple[Branch, ...]:
    """The branches of a run, in the order of their beginning."""
    replies = {reply.call: reply for reply in run.history.replies()}
    end = run.history[-1].at
    lanes: list[list[CallSent]] = []
    open_lanes: dict[Hashable, list[list[CallSent]]] = {}
    for call in run.history.calls():
        known = open_lanes.setdefault((call.agent, call.system, call.messages[:1]), [])
        lane = next((lane for lane in known if _end(lane[-1], replies, end) <= call.at), None)
        if lane is None:
            lane = []
            lanes.append(lane)
            known.append(lane)
        lane.append(call)
    return tuple(_branch(lane, replies, end) for lane in lanes)


def _end(call: CallSent, replies: dict[int, ReplyReceived], end: float) -> float:
    return replies[call.id].at if call.id in replies else end


def _branch(lane: Sequence[CallSent], replies: dict[int, ReplyReceived], end: float) -> Branch:
    return Branch(
        agent=lane[0].agent,
        calls=tuple(lane),
        replies=tuple(replies.get(call.id) for call in lane),
        began=lane[0].at,
        ended=_end(lane[-1], replies, end),
    )


def fan_outs(run: Run) -> list[list[Branch]]:
    """Groups of branches that run at once, in order, with at least two at the same time.

    Branches belong together where they overlap in time, directly or through others; and where one takes
    another's place in the same instant, as in a pool, unless it has to do with what that one said.
    """
    reading = Reading(run.history)
    groups: list[list[Branch]] = []
    until = float("-inf")
    for branch in branches_of(run):
        if groups and (branch.began < until or (branch.began == until and _takes_a_place(branch, groups[-1], reading))):
            groups[-1].append(branch)
        else:
            groups.append([branch])
        until = max(until, branch.ended)
    return [group for group in groups if width(group) > 1]


def width(group: Sequence[Branch]) -> int:
    """The greatest number of branches that are open at once; one that ends as another begins is not."""
    steps = sorted([(each.ended, -1) for each in group] + [(each.began, 1) for each in group])
    now = most = 0
    for _, change in steps:
        now += change
        most = max(most, now)
    return most


def _takes_a_place(branch: Branch, group: Sequence[Branch], reading: Reading) -> bool:
    """Whether a branch that begins as others end is made of nothing that those said."""
    request = "\n".join(part.text for part in reading.sent(branch.calls[0]))
    ended = [reading.said(each.replies[-1]).strip() for each in group if each.ended == branch.began]
    return not any(said and said in request for said in ended)
