"""``terminates``: the workflow ends by itself, or would it have gone on for ever?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissonance.harness.errors import BadInput
from dissonance.harness.history import RunEnded, Stopped

from .verdict import Status, Verdict
from .waste import dollars, wasted
from .wording import number, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["terminates"]


@dataclass(frozen=True, slots=True)
class terminates:
    """The workflow ends by itself, within so many calls and so many virtual seconds.

    * *pass*: it completed, paused for a human, was stopped by a guard of its own, or raised. Whether
      that is a good end is for other checks to say.
    * *fail*: the harness had to stop it, for a limit or a deadlock; or it took more than
      ``within_calls`` requests to ``messages`` (retries count) or more than ``within_seconds``; or it
      left behind threads or tasks that would not end, more than without faults.
    * *unknown*: the run's own limits were hit before the bound asked about; the process died; or
      seconds are asked about in tier T3, where they do not repeat.

    The reason names what was spent after the loop began (see ``waste``), the evidence where it did.
    BadInput for a bound that is not above 0.
    """

    within_calls: int | None = None
    within_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("within_calls", "within_seconds"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise BadInput(f"terminates({name}={bound!r}): give a number above 0, or leave it out")

    @property
    def name(self) -> str:
        """``terminates``."""
        return "terminates"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        return (
            self._went_on(run) or self._beyond(run) or self._left_behind(run) or self._cut_off(run) or self._ended(run)
        )

    # --- did not end ------------------------------------------------------------------------

    def _went_on(self, run: Run) -> Verdict | None:
        if run.outcome != "stopped_by_harness":
            return None
        limit, why = run.stopped_by, run.error_text or "no reason is recorded"
        if limit == "seconds" and run.tier == "T3":
            return self._unknown(
                run,
                f"its time was up ({why}), and times of tier T3 do not repeat",
                "Raise Limits(seconds=…) and run again.",
            )
        if limit == "calls" and self.within_calls is not None and run.calls <= self.within_calls:
            advice = f"Run it with Limits(calls=…) above {self.within_calls}."
            return self._unknown(run, f"the harness stopped it before call {self.within_calls + 1}: {why}", advice)
        if limit == "seconds" and self.within_seconds is not None and run.seconds <= self.within_seconds:
            advice = f"Run it with Limits(seconds=…) above {number(self.within_seconds)}."
            return self._unknown(run, f"the harness stopped it before {number(self.within_seconds)} s: {why}", advice)
        return self._judged(
            run, "fail", f"would not have ended: the harness stopped it after {_spent(run)} ({limit}): {why}"
        )

    def _beyond(self, run: Run) -> Verdict | None:
        if self.within_calls is not None and run.calls > self.within_calls:
            first = run.history.calls()[self.within_calls :][:1]
            reason = f"took {run.calls:,} calls, more than {self.within_calls:,}; {_end(run)}"
            return self._judged(run, "fail", reason, *(call.id for call in first))
        if self.within_seconds is None:
            return None
        if run.tier == "T3":
            return self._unknown(
                run,
                f"took {number(run.seconds)} s, but times of tier T3 do not repeat",
                f"Remove what demoted the run: {_demoted(run)}.",
            )
        if run.seconds > self.within_seconds:
            reason = f"took {number(run.seconds)} s, more than {number(self.within_seconds)}; {_end(run)}"
            return self._judged(run, "fail", reason)
        return None

    def _left_behind(self, run: Run) -> Verdict | None:
        usual = len(run.baseline.abandoned) if run.baseline is not None else 0
        if len(run.abandoned) <= usual:
            return None
        return self._judged(run, "fail", f"{_end(run)}, but left behind what would not end: {', '.join(run.abandoned)}")

    def _cut_off(self, run: Run) -> Verdict | None:
        if run.outcome != "crashed" or isinstance(run.history[-1], RunEnded):
            return None
        reason = f"the process ended before the workflow did: {run.error_text}"
        return self._unknown(run, reason, f"Run the plan again: {run.replay_line or 'dissonance replay'}.")

    # --- ended ------------------------------------------------------------------------------

    def _ended(self, run: Run) -> Verdict:
        reason = f"{_end(run)} after {_spent(run)}"
        if run.outcome == "completed" and not run.stopped_by:
            return Verdict(status="pass", check=self.name, reason=reason, evidence=(run.history[-1].id,), tier=run.tier)
        guards = (guard.id for guard in run.history.guards() if guard.guard == run.stopped_by)
        return self._judged(run, "pass", reason, *guards)

    # --- verdicts ---------------------------------------------------------------------------

    def _judged(self, run: Run, status: Status, reason: str, *evidence: int) -> Verdict:
        """A verdict on a run that did not simply complete: it says what was spent for nothing."""
        waste = wasted(run.history)
        ids = {event.id for event in run.history[-2:] if isinstance(event, Stopped | RunEnded)}.union(evidence)
        if waste is not None:
            reason = f"{reason}; {waste}"
            ids.add(waste.event)
        return Verdict(status=status, check=self.name, reason=reason, evidence=tuple(sorted(ids)), tier=run.tier)

    def _unknown(self, run: Run, reason: str, advice: str) -> Verdict:
        evidence = (run.history[-1].id,)
        return Verdict(status="unknown", check=self.name, reason=reason, evidence=evidence, next=advice, tier=run.tier)


def _end(run: Run) -> str:
    """How the run ended, in words."""
    if run.outcome == "stopped_by_harness":
        return f"stopped by the harness ({run.stopped_by})"
    if run.stopped_by:
        return f"stopped by its own guard ({run.stopped_by})"
    if run.outcome == "paused":
        return "paused for a human"
    return "completed" if run.outcome == "completed" else f"ended by an exception ({run.error_text})"


def _spent(run: Run) -> str:
    return f"{plural(run.calls, 'call')}, {number(run.seconds)} s, {run.tokens:,} tokens and {dollars(run.usd)}"


def _demoted(run: Run) -> str:
    return ", ".join(run.demoted_by) or "nothing is recorded"
