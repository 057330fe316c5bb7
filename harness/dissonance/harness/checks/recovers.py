"""``recovers``: once the faults are over, the workflow finishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissonance.harness.errors import BadInput
from dissonance.harness.history import FaultFired, RunEnded

from .reading import good
from .verdict import Verdict, verdict
from .wording import listed, number

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Recovery", "measure_recovery", "recovers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """When the faults were over, and what came then; times are virtual seconds since the run began.

    * ``over``: when the last fault could strike no more and its last reply had come; None where a rule
      can strike for ever (``endless`` names those).
    * ``first``: the event of the first whole answer after that, ``answered`` when it came.
    * ``ended``: when the run ended.
    """

    over: float | None
    endless: tuple[str, ...]
    first: int | None
    answered: float | None
    ended: float

    @property
    def seconds(self) -> float | None:
        """From the end of the faults to the end of the run, 0 where it came first; None where they have none."""
        return None if self.over is None else max(0.0, self.ended - self.over)


def measure_recovery(run: Run) -> Recovery | None:
    """When the faults of a run were over and what came then; None where none fired."""
    last: dict[tuple[str, str], FaultFired] = {(each.rule, each.agent): each for each in run.history.faults()}
    if not last:
        return None
    endless = tuple(dict.fromkeys(rule for (rule, _), each in last.items() if each.ends_at is None))
    hit = {each.call for each in run.history.faults()}
    came = [reply.at for reply in run.history.replies() if reply.call in hit]
    over = None if endless else max([*(each.ends_at or 0.0 for each in last.values()), *came])
    after = (
        reply
        for reply in run.history.replies()
        if reply.call not in hit and good(reply) and over is not None and reply.at >= over
    )
    first = next(after, None)
    return Recovery(
        over=over,
        endless=endless,
        first=None if first is None else first.id,
        answered=None if first is None else first.at,
        ended=run.seconds,
    )


@dataclass(frozen=True, slots=True)
class recovers:
    """The workflow finishes in spite of faults that end, at most ``within_seconds`` after the last of them.

    Only plans that can be survived are judged: those of which every rule that fired ends, after its last
    call or at a certain second.

    * *pass*: the run completed, or paused for a human.
    * *fail*: it raised, its own guard stopped it, or the harness had to; be it after the faults were over
      or because it gave up before. Or it took longer than ``within_seconds``.
    * *unknown*: no fault fired; one of them has no end; the harness stopped the run while they lasted; the
      process died; or seconds are asked about in tier T3.

    BadInput for a bound that is not above 0.
    """

    within_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.within_seconds is not None and not self.within_seconds > 0:
            raise BadInput(f"recovers(within_seconds={self.within_seconds!r}): give a number above 0, or leave it out")

    @property
    def name(self) -> str:
        """``recovers``."""
        return "recovers"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        found = measure_recovery(run)
        if found is None:
            advice = "Plan a fault that strikes a call of this workflow and ends, such as one on call 1."
            return self._unknown(run, "no fault fired: there was nothing to recover from", advice)
        if found.over is None:
            advice = "Bound it: When(call=1), When(until_call=3) or When(before=20), say."
            reason = f"{listed(found.endless)} can strike for ever, so there is no time after the faults"
            return self._unknown(run, reason, advice)
        if not isinstance(run.history[-1], RunEnded):
            reason = f"the process ended before the workflow did: {run.error_text}"
            return self._unknown(run, reason, f"Run the plan again: {run.replay_line or 'dissonance replay'}.")
        if run.outcome in ("completed", "paused"):
            return self._finished(run, found)
        return self._gave_up(run, found)

    def _finished(self, run: Run, found: Recovery) -> Verdict:
        how = "paused for a human" if run.outcome == "paused" else "completed"
        if run.stopped_by:
            return self._judged(run, "fail", f"its own guard stopped it ({run.stopped_by}), {_when(found)}", found)
        told = f"{how} {_when(found)}"
        if self.within_seconds is not None and run.tier == "T3":
            advice = f"Remove what demoted the run: {', '.join(run.demoted_by) or 'nothing is recorded'}."
            return self._unknown(run, f"{told}, but times of tier T3 do not repeat", advice)
        if self.within_seconds is not None and (found.seconds or 0.0) > self.within_seconds:
            return self._judged(run, "fail", f"{told}, more than {number(self.within_seconds)} s", found)
        return self._judged(run, "pass", told, found)

    def _gave_up(self, run: Run, found: Recovery) -> Verdict:
        if run.outcome == "stopped_by_harness":
            if found.over is not None and run.seconds < found.over:
                reason = f"the harness stopped it while the faults lasted ({run.stopped_by})"
                return self._unknown(run, reason, f"Raise Limits({run.stopped_by}=…), or end the faults sooner.")
            return self._judged(run, "fail", f"the harness had to stop it ({run.stopped_by}) {_when(found)}", found)
        how = f"its own guard stopped it ({run.stopped_by})" if run.stopped_by else f"it raised ({run.error_text})"
        return self._judged(run, "fail", f"{how} {_when(found)}", found)

    def _judged(self, run: Run, status: str, reason: str, found: Recovery) -> Verdict:
        fault = run.history.faults()[-1].id
        evidence = [fault, run.history[-1].id, *([] if found.first is None else [found.first])]
        return verdict(run, self.name, "fail" if status == "fail" else "pass", reason, evidence)

    def _unknown(self, run: Run, reason: str, advice: str) -> Verdict:
        return verdict(run, self.name, "unknown", reason, (), advice)


def _when(found: Recovery) -> str:
    over = found.over or 0.0
    if found.ended < over:
        return f"{number(over - found.ended)} s before the last fault was over"
    later = number(found.ended - over)
    return "as the last fault was over" if later == "0" else f"{later} s after the last fault"
