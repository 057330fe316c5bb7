"""``no_silent_damage``: what reached an agent damaged was noticed by somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dissonance.harness.history import CallSent, FaultFired, History, ReplyReceived, RunEnded

from .reading import good
from .verdict import Status, Verdict, verdict
from .wording import listed

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["no_silent_damage"]


class _Damage(NamedTuple):
    """A fault that damaged what an agent received, by itself in the events."""

    fault: FaultFired
    call: CallSent
    reply: ReplyReceived

    def __str__(self) -> str:
        return f"{self.call.agent}'s call {self.call.ordinal}: {self.fault.damages}"


@dataclass(frozen=True, slots=True)
class no_silent_damage:
    """What a fault damaged and an agent received, the workflow did not take for good.

    * *pass*: the workflow raised, was stopped by a guard of its own or paused for a human; or its result
      says so (``flagged(result)``); or it asked again for each damaged reply, and got an undamaged one.
    * *fail*: it delivered as though nothing had happened.
    * *unknown*: no damaged reply reached an agent, or the run ended before it could deliver.

    *Asked again* means, after the damaged reply and by the same agent: the same request once more, by the
    SDK or the workflow, and in all as many undamaged replies to it as without faults; or the same
    request with only user messages added; or with the damaged turn and a tool result that is an error.
    A workflow that notices in another way (that begins a new conversation, say) must let its result show
    it. ``flagged`` is given the result itself or, of a stored run, its JSON.
    """

    flagged: Callable[[Any], bool] | None = None

    @property
    def name(self) -> str:
        """``no_silent_damage``."""
        return "no_silent_damage"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        damages = list(_damages(run.history))
        if not damages:
            return self._verdict(
                run,
                "unknown",
                "no damaged reply reached an agent: there was nothing to look at",
                advice="Plan a fault that damages a reply (CutStream, EmptyContent, …) on a call that the workflow makes.",
            )
        evidence = [event.id for each in damages for event in (each.fault, each.reply)]
        noticed = self._noticed(run)
        if noticed is not None:
            return self._verdict(run, "pass", f"{_listed(damages)}; {noticed}", evidence)
        asked = _Asked(run, damages)
        silent = [each for each in damages if not asked.again(each)]
        if not silent:
            return self._verdict(run, "pass", f"{_listed(damages)}; the workflow asked again each time", evidence)
        return self._silent(run, silent)

    def _noticed(self, run: Run) -> str | None:
        """How the workflow said that not all is well; None where it did not."""
        if run.outcome == "stopped_by_harness" or not isinstance(run.history[-1], RunEnded):
            return None
        if run.stopped_by:
            return f"stopped by its own guard ({run.stopped_by})"
        if run.outcome in ("failed", "crashed"):
            return f"the workflow raised ({run.error_text})"
        if run.outcome == "paused":
            return "the workflow paused for a human"
        return "the result says so" if self.flagged is not None and self.flagged(run.result) else None

    def _silent(self, run: Run, silent: list[_Damage]) -> Verdict:
        evidence = [event.id for each in silent for event in (each.fault, each.reply)]
        if run.outcome != "completed":
            reason = f"{_listed(silent)}; the run was over before the workflow delivered ({run.error_text})"
            return self._verdict(run, "unknown", reason, evidence, advice="Look at terminates() first.")
        same = " (here the result is the one without faults)" if _same_result(run) else ""
        reason = f"{_listed(silent)}; the workflow delivered as though nothing had happened{same}"
        return self._verdict(run, "fail", reason, evidence)

    def _verdict(
        self, run: Run, status: Status, reason: str, evidence: list[int] | None = None, advice: str = ""
    ) -> Verdict:
        return verdict(run, self.name, status, reason, evidence or (), advice)


# --- damage -----------------------------------------------------------------------------------


def _damages(history: History) -> Iterator[_Damage]:
    calls = {call.id: call for call in history.calls(endpoint=None)}
    replies = {reply.call: reply for reply in history.replies()}
    for fault in history.faults():
        reply = replies.get(fault.call)
        if fault.damages is not None and fault.changed and reply is not None and fault.rule in reply.reached:
            yield _Damage(fault, calls[fault.call], reply)


def _listed(damages: list[_Damage]) -> str:
    return f"damaged: {listed(damages)}"


def _same_result(run: Run) -> bool:
    if run.baseline is None:
        return False
    own, usual = run.history[-1], run.baseline.history[-1]
    return isinstance(own, RunEnded) and isinstance(usual, RunEnded) and own.result == usual.result


# --- asking again -----------------------------------------------------------------------------


class _Asked:
    """Who asked again, in one run."""

    def __init__(self, run: Run, damages: list[_Damage]) -> None:
        self._history = run.history
        self._good = _well_answered(run.history, {each.call.id for each in damages})
        usual = [] if run.baseline is None else _well_answered(run.baseline.history, set())
        self._usual = Counter(map(_request, usual))
        self._had = Counter(map(_request, self._good))

    def again(self, damage: _Damage) -> bool:
        """Whether the agent asked again for this damaged reply, and got an undamaged one."""
        later = [call for call in self._good if call.id > damage.reply.id and call.agent == damage.call.agent]
        request = _request(damage.call)
        if any(_request(call) == request for call in later) and self._had[request] >= self._usual[request]:
            return True
        return any(self._asks_for_more(damage.call, call) for call in later)

    def _asks_for_more(self, first: CallSent, then: CallSent) -> bool:
        start = len(first.messages)
        alike = (first.endpoint, first.system, first.tools) == (then.endpoint, then.system, then.tools)
        if not alike or len(then.messages) <= start or then.messages[:start] != first.messages:
            return False
        added = [self._history.bodies.get(key) for key in then.messages[start:]]
        return all(message.get("role") == "user" for message in added) or any(map(_is_error, added[:2]))


def _well_answered(history: History, damaged: set[int]) -> list[CallSent]:
    whole = {reply.call for reply in history.replies() if good(reply)}
    return [call for call in history.calls(endpoint=None) if call.id in whole and call.id not in damaged]


def _request(call: CallSent) -> Hashable:
    return call.agent, call.endpoint, call.system, call.tools, call.messages


def _is_error(message: Any) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(block.get("is_error") is True for block in content)
