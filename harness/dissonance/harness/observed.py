"""Whether a fault was *observed*: whether anybody behaved differently for it.

A run is compared with its fault-free baseline by what each agent did and met, in its own order: its
calls with their contents, the replies, guards, checkpoints, questions and answers; and by how the run
ended. Times, usage and the order between agents do not count: they are delay. Neither do the fault's
own bytes:

* the reply on which it fired (how it alters a *request*, on the other hand, shows in the model's reply);
* the answers to a request of which it altered the answers, and the restart of a process that it ended;
* its altered text, where it merely reappears: whole, as a text of a block or as a line of it, where the
  baseline has the unaltered one. Of a reply that was cut, any beginning of it is such a text.

So a workflow that takes a falsified reply for good and carries it on word for word has not observed
it; one that asks again, decides otherwise, raises, or makes anything else of the text has.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from .history import Acted, Answered, Asked, CallSent, Checkpoint, Event, FaultFired, GuardFired, History, RunEnded
from .veil import Veil

__all__ = ["observed"]


def observed(history: History, baseline: History, rule: str) -> int:
    """How many firings of ``rule``, the plan's only one, were observed: those before the last difference.

    Exact for whether any was; where several fired, a firing is held to be observed if anything differs
    after it, be it for that firing or for an earlier one.
    """
    firings = history.faults(rule)
    if not firings:
        return 0
    last = _last_difference(history, baseline, firings)
    return sum(firing.id < last for firing in firings)


# --- what an agent did and met ----------------------------------------------------------------


class _Facts(NamedTuple):
    """What counts of an event: what must be equal, and contents, by their hashes and as they are."""

    id: int
    exact: Hashable
    kept: tuple[str | None, ...] = ()
    plain: Any = None


class _Step(NamedTuple):
    """An event, and the reply to it if it is a call; ``own`` if that reply is the fault's own bytes."""

    event: _Facts
    reply: _Facts | None = None
    own: bool = False


def _steps(
    history: History, asked: Collection[str], firings: Sequence[FaultFired] = ()
) -> dict[str | None, list[_Step]]:
    """Each agent's steps, in its order; without the answers to these requests."""
    own = {firing.call for firing in firings if firing.side == "reply"}
    replies = {
        reply.call: _Facts(reply.id, (reply.status, reply.ending, reply.stop_reason, reply.error), (reply.body,))
        for reply in history.replies()
    }
    steps: dict[str | None, list[_Step]] = {}
    for event in history:
        facts = _facts(event)
        if isinstance(event, Answered) and event.data.get("id") in asked:
            continue
        if facts is not None:
            steps.setdefault(event.agent, []).append(_Step(facts, replies.get(event.id), event.id in own))
    return steps


def _facts(event: Event) -> _Facts | None:
    """What counts of an event; None for one that does not count by itself."""
    match event:
        case CallSent():
            slot = (event.endpoint, event.ordinal, event.attempt, event.model, event.max_tokens, event.stream)
            return _Facts(event.id, slot, (event.system, event.tools, event.params, *event.messages))
        case GuardFired():
            return _Facts(event.id, (event.kind, event.guard), plain=[event.reason, event.data])
        case Checkpoint() | Asked() | Answered():
            return _Facts(event.id, event.kind, plain=event.data)
        case Acted():
            return _Facts(event.id, (event.kind, event.key), plain=event.data)
        case RunEnded():
            return _Facts(event.id, (event.outcome, event.stopped_by), (event.result,), event.error)
        case _:
            return None


# --- the comparison ---------------------------------------------------------------------------


def _last_difference(history: History, baseline: History, firings: Sequence[FaultFired]) -> int:
    """The id of the run's last event that differs; -1 where none does. What is missing differs at the end."""
    asked = [event.data["id"] for event in (history[firing.call] for firing in firings) if _is_request(event)]
    mine, usual = _steps(history, asked, firings), _steps(baseline, asked)
    end = history[-1].id
    lengths = [_longer(mine.get(agent, []), usual.get(agent, []), end) for agent in {**mine, **usual}]
    last = max(lengths, default=-1)
    if last > firings[-1].id:
        return last  # nothing that is found in the contents could add to it
    compare = _Comparison(history, baseline, firings)
    return max([last, *(place for agent in mine for place in compare.differences(mine[agent], usual.get(agent, [])))])


def _is_request(event: Event) -> TypeGuard[Asked]:
    return isinstance(event, Asked) and "id" in event.data


def _longer(mine: Sequence[_Step], usual: Sequence[_Step], end: int) -> int:
    if len(mine) == len(usual):
        return -1
    return (mine[-1].reply or mine[-1].event).id if len(mine) > len(usual) else end


class _Comparison:
    """Compares steps of a run with those of its baseline, through the veil of the fault's own bytes."""

    def __init__(self, history: History, baseline: History, firings: Sequence[FaultFired]) -> None:
        self._mine = history.bodies
        self._usual = baseline.bodies
        self._veil = Veil(_alterations(history, firings))
        self._known: dict[tuple[str, str], bool] = {}

    def differences(self, mine: Sequence[_Step], usual: Sequence[_Step]) -> Iterator[int]:
        """The ids at which two agents' steps differ, as far as both go."""
        for one, other in zip(mine, usual, strict=False):
            if not self._same(one.event, other.event):
                yield one.event.id
            if not one.own and not self._same(one.reply, other.reply):
                yield (one.reply or one.event).id

    def _same(self, mine: _Facts | None, usual: _Facts | None) -> bool:
        if mine is None or usual is None:
            return mine is usual
        return (
            mine.exact == usual.exact
            and len(mine.kept) == len(usual.kept)
            and all(map(self._same_content, mine.kept, usual.kept))
            and self._veil.same(mine.plain, usual.plain)
        )

    def _same_content(self, mine: str | None, usual: str | None) -> bool:
        if mine == usual or mine is None or usual is None:
            return mine == usual
        known = self._known.get((mine, usual))
        if known is None:
            known = self._known[mine, usual] = self._veil.same(self._mine.get(mine), self._usual.get(usual))
        return known


def _alterations(history: History, firings: Sequence[FaultFired]) -> Iterator[tuple[Any, Any]]:
    """Contents of messages without and with the fault; with the same twice where a reply was cut."""
    for firing in firings:
        if firing.side == "reply" and firing.before is not None and firing.after is not None:
            before, after = history.bodies.get(firing.before), history.bodies.get(firing.after)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield before.get("content"), after.get("content")
