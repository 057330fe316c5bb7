"""What one test did with its runs, as data that crosses processes: :class:`Record`, told as JSON."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Literal, TypeAlias

from dissonance.faults.describe import plan_sentence
from dissonance.harness import Run, Verdict, worst

__all__ = ["Ending", "Record", "Told", "properties"]

Told = dict[str, Any]
"""A record as JSON: ``test``, ``runs``, ``judged``, ``status``, ``tier``, ``plan``, ``replay``, ``remarks`` and ``cases``."""

Ending: TypeAlias = Literal["passed", "failed", "skipped", "xfailed"]
"""How pytest says that a test ended; ``xfailed``: it failed, as its mark ``xfail`` says it must."""

_CASES = 8


class Record:
    """The runs of one test: how many, what was said of them, and those that a report is to show."""

    def __init__(self, test: str) -> None:
        self.test = test
        self.remarks: list[str] = []
        self._runs = 0
        self._judged = 0
        self._searched = False
        self._worst_calls = 0
        self._open: Run | None = None
        self._bad: Run | None = None
        self._shown: deque[Run] = deque(maxlen=_CASES)

    def add(self, run: Run) -> None:
        """The test has made a run. What was said of the one before is settled now."""
        self._settle()
        self._open = run
        self._runs += 1
        self._searched |= _in_hypothesis()

    def _settle(self) -> None:
        run, self._open = self._open, None
        if run is None:
            return
        if run.verdicts:
            self._judged += 1
        if _status(run) not in (None, "pass"):
            self._bad = run
            self._worst_calls = max(self._worst_calls, run.calls)
        if self._searched:
            self._shown.clear()  # hundreds of examples: the last one is that which Hypothesis shows, too
        self._shown.append(run)

    def told(self, ending: Ending) -> Told | None:
        """The record of the test, which has ended; None where it made no run.

        ``status`` is ``expected`` where a run did not hold and the test passed all the same, or is an ``xfail``;
        ``skipped`` where the test was skipped after a run.
        """
        failed = ending in ("failed", "xfailed")
        self._settle()
        if not self._runs:
            return None
        runs = [self._bad] if failed and self._searched and self._bad is not None else list(self._shown)
        decisive = (self._bad or runs[-1]) if failed else runs[-1]
        return {
            "test": self.test,
            "runs": self._runs,
            "judged": self._judged,
            "searched": self._searched,
            "status": _overall(runs, self._bad, ending),
            "tier": max(run.tier for run in runs),
            "reason": _reason(self._bad if ending == "passed" and self._bad is not None else decisive),
            "plan": plan_sentence(decisive.plan) if decisive.plan else "",
            "worst_calls": self._worst_calls if self._searched and self._worst_calls > decisive.calls else None,
            "replay": decisive.replay_line,
            "remarks": list(self.remarks),
            "cases": [_case(run) for run in runs],
        }


def properties(told: Told) -> Iterator[tuple[str, str]]:
    """The record as properties of the test case in JUnit's XML."""
    yield "dissonance.status", str(told["status"])
    yield "dissonance.tier", str(told["tier"])
    yield "dissonance.runs", str(told["runs"])
    if told["plan"]:
        yield "dissonance.plan", str(told["plan"])
    if told["status"] != "pass" and told["replay"]:
        yield "dissonance.replay", str(told["replay"])
    yield from (("dissonance.run", case["path"]) for case in told["cases"] if case["path"])


def _overall(runs: Sequence[Run], bad: Run | None, ending: Ending) -> str:
    if ending == "skipped":
        return "skipped"
    if ending == "xfailed":
        return "expected"
    if ending == "failed":
        return (None if bad is None else _status(bad)) or "fail"
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    status = worst(verdicts) if verdicts else "not judged"
    return "expected" if status in ("fail", "unknown") else status


def _status(run: Run) -> str | None:
    return worst(run.verdicts) if run.verdicts else None


def _reason(run: Run) -> str:
    status = _status(run)
    said: Verdict | None = next((each for each in run.verdicts if each.status == status), None)
    return "" if said is None else f"{said.check}: {said.reason}"


def _case(run: Run) -> dict[str, Any]:
    return {
        "path": None if run.path is None else str(run.path),
        "verdicts": [asdict(verdict) for verdict in run.verdicts],
        "replay": run.replay_line,
    }


def _in_hypothesis() -> bool:
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and bool(hypothesis.currently_in_test_context())
