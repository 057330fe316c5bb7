"""A sweep's usual trial: a run of a workflow under a plan, judged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dissonance.harness.call import Plan
from dissonance.harness.checks.terminates import terminates
from dissonance.harness.checks.verdict import Check, Verdict, worst
from dissonance.harness.errors import BadInput, CassetteMiss, ScriptExhausted
from dissonance.harness.limits import Limits
from dissonance.harness.models import Gullible
from dissonance.harness.result import Run
from dissonance.harness.run import run
from dissonance.harness.workflow import name_of, takes_human

from .cases import Case, Scalar

__all__ = ["Arm", "Trial"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A plan (None: no fault) and the checks that judge it."""

    plan: Plan | None = None
    checks: Sequence[Check] = (terminates(),)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run for each case: the grid's ``arm`` names one of ``arms``, its other parameters go to the workflow.

    A ``workflow`` or ``model`` that has a method ``load`` is what that gives, in the worker. ``keep`` is a folder in
    which failed runs are stored, each below its case's number, with ``notes``. The rest is as for :func:`~..run.run`.
    """

    workflow: Any
    task: Any = None
    arms: Mapping[str, Arm] = field(default_factory=dict)
    model: Any = field(default_factory=Gullible)
    limits: Limits = field(default_factory=Limits)
    human: Any = None
    keep: Path | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, case: Case) -> dict[str, Scalar]:
        """How it went, and the verdict of each check in a column of its name."""
        arm = self._arm(case.parameters.get("arm"))
        try:
            made = self._run(case, arm)
        except (CassetteMiss, ScriptExhausted) as error:  # under this plan, of this case
            return {
                "outcome": "unanswered",
                "error": str(error),
                "verdict": "unknown",
                "reason": "the model had no reply",
            }
        verdicts = made.judge(*arm.checks)
        status = worst(verdicts)
        if status == "fail" and self.keep is not None:
            self._store(case, arm, self.keep / f"case-{case.number:06d}", [verdict.check for verdict in verdicts])
        return {**_measured(made), "verdict": status, "reason": _reason(verdicts, status)} | {
            verdict.check: verdict.status for verdict in verdicts
        }

    def describe(self) -> dict[str, Any]:
        """All that its rows depend on, but the workflow's own code."""
        return {
            "workflow": getattr(self.workflow, "text", None) or name_of(self.workflow),
            "task": self.task,
            "arms": {name: _described(arm) for name, arm in self.arms.items()},
            "model": self.model.describe(),
            "limits": asdict(self.limits),
        }

    def _arm(self, name: Scalar) -> Arm:
        if name is None:
            return Arm()
        if name not in self.arms:
            raise BadInput(f"grid['arm']: {name!r} is none of the trial's arms: {', '.join(self.arms) or 'none'}")
        return self.arms[str(name)]

    def _run(self, case: Case, arm: Arm, store: Path | None = None, checks: Sequence[str] = ()) -> Run:
        workflow = _loaded(self.workflow)
        given = {name: value for name, value in case.parameters.items() if name != "arm"}
        about = {"case": case.number, "plan": case.parameters.get("arm"), "parameters": given, "checks": checks}
        return run(
            partial(workflow, **given) if given else workflow,
            self.task,
            plan=arm.plan,
            model=_loaded(self.model),
            seed=case.seed,
            limits=self.limits,
            human=self.human if takes_human(workflow) else None,
            store=store,
            notes={**self.notes, **about},
        )

    def _store(self, case: Case, arm: Arm, folder: Path, checks: Sequence[str]) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # of a sweep that was killed before its result was acknowledged
        self._run(case, arm, folder, checks)


def _loaded(given: Any) -> Any:
    load = getattr(given, "load", None)
    return given if load is None else load()


def _measured(made: Run) -> dict[str, Scalar]:
    return {
        "outcome": made.outcome,
        "stopped_by": made.stopped_by,
        "error": made.error_text,
        "calls": made.calls,
        "seconds": float(made.seconds),
        "tokens": made.tokens,
        "usd": float(made.usd),
        "tier": made.tier,
        "fired": sum(count.fired for count in made.faults.values()),
    }


def _reason(verdicts: Sequence[Verdict], status: str) -> str | None:
    return None if status == "pass" else next((each.reason for each in verdicts if each.status == status), None)


def _described(arm: Arm) -> dict[str, Any]:
    rules = () if arm.plan is None else arm.plan.rules
    return {
        "rules": [rule.describe() for rule in rules],
        "schedule": getattr(arm.plan, "schedule", None),
        "checks": [_ADDRESS.sub("", repr(check)) for check in arm.checks],
    }
