"""What a probe, a replay or a check found, and the JSON and the exit code of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from dissonance.harness import Run
from dissonance.harness.call import JsonObject
from dissonance.harness.checks.verdict import Status, Verdict, worst

__all__ = ["EXIT", "INTERRUPTED", "SCHEMA", "Findings", "Tried", "replay_line", "shown_path"]

SCHEMA = 1
"""The version of what ``--json`` prints."""

EXIT: dict[Status, int] = {"pass": 0, "fail": 1, "unknown": 3}
"""Exit codes; bad input is 2."""

INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One plan that was tried. ``run`` is None where the process died before anything could be recorded.

    ``applicable`` is False for a plan of a battery of which nothing fired: the workflow makes no call
    that it is for, so it says nothing. ``remark`` is what else there is to say.
    """

    name: str
    question: str
    sentence: str
    verdicts: tuple[Verdict, ...]
    run: Run | None
    applicable: bool = True
    remark: str = ""

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        return worst(self.verdicts)

    @property
    def decisive(self) -> Verdict | None:
        """The first verdict that is as bad as the worst."""
        return next((verdict for verdict in self.verdicts if verdict.status == self.status), None)

    @property
    def reason(self) -> str:
        """Why it is as bad as it is."""
        return "" if self.decisive is None else self.decisive.reason

    @property
    def replay(self) -> str:
        """The command line that plays it again; empty where nothing is stored."""
        return replay_line(self.run.path) if self.run is not None and self.run.path is not None else ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was tried. ``baseline`` is the run without faults, where one was made first.

    ``told`` and ``found`` are what a search has to say, for people and, by check, as JSON.
    """

    tried: Sequence[Tried]
    baseline: Tried | None = None
    target: str | None = None
    report: Path | None = None
    interrupted: bool = False
    told: str = ""
    found: Mapping[str, JsonObject] | None = None

    @property
    def counted(self) -> list[Tried]:
        """What the answer rests on: every plan that applies."""
        return [each for each in self.tried if each.applicable]

    @property
    def status(self) -> Status:
        """The worst of what counts; *unknown* where the baseline is broken or nothing applied."""
        if self.baseline is not None and self.baseline.status != "pass":
            return "unknown"
        return worst(verdict for each in self.counted for verdict in each.verdicts)

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 unknown; 130 where the user interrupted it."""
        return INTERRUPTED if self.interrupted else EXIT[self.status]

    @property
    def reason(self) -> str:
        """The answer in one sentence."""
        if self.baseline is not None and self.baseline.status != "pass":
            return self.baseline.verdicts[0].reason
        counted = self.counted
        if not counted:
            return "nothing fired: no plan applies to a call of this workflow" if self.tried else "nothing was tried"
        if self.found is not None:
            failed = [name for name, each in zip(self.found, counted, strict=False) if each.status == "fail"]
            return f"a plan breaks it ({', '.join(failed)})" if failed else "; ".join(each.reason for each in counted)
        held = sum(each.status == "pass" for each in counted)
        other = len(self.tried) - len(counted)
        text = f"{held} of {len(counted)} plan{'s' * (len(counted) != 1)} held"
        return text + (f"; {other} not applicable" if other else "")

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "schema": SCHEMA,
            "status": self.status,
            "exit": self.exit_code,
            "reason": self.reason,
            "interrupted": self.interrupted,
            "target": self.target,
            "report": None if self.report is None else str(self.report),
            "baseline": None if self.baseline is None else _tried_json(self.baseline),
            "plans": [_tried_json(each) for each in self.tried],
            **({} if self.found is None else {"search": self.found}),
        }


def replay_line(path: Path) -> str:
    """The command line that plays a stored run again, to be given in this folder."""
    return f"dissonance replay {quote(str(shown_path(path)))}"


def shown_path(path: Path) -> Path:
    """A path as people read it here: relative, if it lies below the working directory."""
    absolute, here = Path(os.path.abspath(path)), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def _tried_json(tried: Tried) -> dict[str, Any]:
    return {
        "name": tried.name,
        "question": tried.question,
        "sentence": tried.sentence,
        "status": tried.status,
        "applicable": tried.applicable,
        **_run_json(tried.run),
        "verdicts": [asdict(verdict) for verdict in tried.verdicts],
        "remark": tried.remark,
        "replay": tried.replay,
    }


def _run_json(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {"run": None}
    return {
        "outcome": run.outcome,
        "stopped_by": run.stopped_by,
        "error": run.error_text,
        "calls": run.calls,
        "seconds": run.seconds,
        "tokens": run.tokens,
        "usd": run.usd,
        "tier": run.tier,
        "fired": sum(count.fired for count in run.faults.values()),
        "faults": {rule: asdict(count) for rule, count in run.faults.items()},
        "run": None if run.path is None else str(shown_path(run.path)),
    }
