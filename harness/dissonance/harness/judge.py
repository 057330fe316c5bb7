"""From a run and a check to a verdict that can be relied on.

A check looks at one run. What makes any verdict unreliable is looked at here, once for all of them:
a check that crashed, a plan of which nothing fired, a baseline that is broken or does not repeat, a
failure that does not repeat.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .checks.verdict import Check, Verdict
from .history import Asked, CallSent
from .lines import last_lines

if TYPE_CHECKING:
    from .run import Run

__all__ = ["asked", "explain", "judge"]

_LAST = 5
"""Events that the message of a failed check shows."""

_SCRIPT = "Mend the workflow, or answer for the model with dissonance.harness.Scripted."


def judge(run: Run, check: Check) -> Verdict:
    """The check's verdict, or *unknown* where there is a reason not to believe it."""
    verdict = asked(run, check)
    doubt = (_doubt(run, check, verdict) if run.plan else None) or _vacuous(run, verdict)
    if doubt is not None:
        reason, advice = doubt
        return replace(verdict, status="unknown", reason=reason, next=advice, evidence=())
    return _confirmed(run, verdict) if verdict.status == "fail" else verdict


def _confirmed(run: Run, verdict: Verdict) -> Verdict:
    """A failure that does not come back in a second run is none that anybody could replay."""
    difference = run.same_twice
    if difference is None:
        return verdict
    return replace(
        verdict,
        status="unknown",
        reason=f"{verdict.reason}; but a second run of the same plan differs at {difference}",
        next="Find what the workflow keeps from run to run, or draws from the clock, the system or a hash order.",
        tier="T3",
        demoted_by=(*verdict.demoted_by, f"a second run that differs at {difference}"),
    )


def asked(run: Run, check: Check) -> Verdict:
    """The check's own verdict, undoubted; *unknown* where it crashes."""
    try:
        verdict = check(run)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Verdict(
            status="unknown",
            check=getattr(check, "name", repr(check)),
            reason=f"the check crashed: {type(error).__name__}: {error} ({where.name}, line {where.lineno})",
            next="Mend the check.",
            tier=run.tier,
            demoted_by=run.demoted_by,
        )
    return replace(verdict, tier=run.tier, demoted_by=run.demoted_by)


def _vacuous(run: Run, verdict: Verdict) -> tuple[str, str] | None:
    """Why a pass would say nothing of the workflow."""
    if verdict.status != "pass":
        return None
    if not any(isinstance(event, CallSent | Asked) for event in run.history):
        return (
            "nothing happened: the workflow called no model and asked no human",
            "Give run() the workflow itself, or what makes it; it must use the anthropic package inside the run.",
        )
    if run.outcome == "crashed":
        advice = "Give run() a Restartable(start, resume)."
        return f"the process died and was not started again ({run.error_text})", advice
    return None


def _doubt(run: Run, check: Check, verdict: Verdict) -> tuple[str, str] | None:
    """Why this verdict must not stand, and what to do about it; None where it may."""
    if verdict.status == "unknown":
        return None
    baseline = run.baseline
    if baseline is not None:
        if baseline.outcome not in ("completed", "paused"):
            how = f"{baseline.outcome.replace('_', ' ')} ({baseline.error_text or baseline.stopped_by})"
            return f"baseline broken: without any fault the workflow {how}", _SCRIPT
        if run.baseline_problem:
            return run.baseline_problem, "Give run() a factory, a function that makes the workflow anew for each run."
        if verdict.status == "fail" and (own := asked(baseline, check)).status == "fail":
            return f"baseline broken: without any fault, too: {own.reason}", "Loosen the check, or mend the workflow."
    if verdict.status == "pass" and not any(count.fired for count in run.faults.values()):
        return (
            "nothing fired: no call of this run is one that the plan's rules are for",
            f"Compare the rules' `at` and `when` with the run's agents: {_agents(run)}.",
        )
    return None


def _agents(run: Run) -> str:
    calls: dict[str, int] = {}
    for call in run.history.calls():
        calls[call.agent] = calls.get(call.agent, 0) + 1
    return ", ".join(f"{name} ({count} call{'s' * (count != 1)})" for name, count in calls.items()) or "none called"


def explain(run: Run, verdicts: Sequence[Verdict]) -> str:
    """The message of a failed check: each verdict that is no pass, the last events, and the line that replays the run."""
    lines = [line for verdict in verdicts if verdict.status != "pass" for line in _told(run, verdict)]
    lines.append("Last events:")
    lines += [f"  {line}" for line in last_lines(run.history, _LAST)]
    if run.replay_line:
        lines.append(f"Replay: {run.replay_line}")
    return "\n".join(lines)


def _told(run: Run, verdict: Verdict) -> Iterable[str]:
    yield f"{verdict.check}: {verdict.status} ({verdict.tier}): {verdict.reason}"
    if verdict.tier == "T3" and verdict.demoted_by:
        yield f"  Demoted to T3 by {', '.join(verdict.demoted_by)}"
    if verdict.evidence:
        shown = ", ".join(map(str, verdict.evidence[:8])) + (", …" if len(verdict.evidence) > 8 else "")
        yield f"  Evidence: events {shown}" + (f" of {run.path / 'history.jsonl'}" if run.path else "")
    if verdict.next:
        yield f"  Next: {verdict.next}"
