"""``dissonance replay`` and ``dissonance check``: what a stored run says of itself, and playing it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dissonance.faults import BatteryPlan, FaultPlan
from dissonance.faults.plan import SCHEMA as PLAN_SCHEMA
from dissonance.harness import Limits, Run, load_run
from dissonance.harness.errors import BadInput, PlanError
from dissonance.harness.same import difference
from dissonance.harness.store import read_folder
from dissonance.reports import plan_sentence

from .catalogue import checks
from .inputs import default_checks, single
from .results import Tried

__all__ = ["Stored", "compared", "is_of_experiment", "judged", "played_again", "read_stored"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is to be played again. From a run's folder all is known; from a plan's file the plan alone."""

    plan: BatteryPlan
    run: Run | None = None
    target: str | None = None
    task: Any = None
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_stored(path: Path, names: Sequence[str] | None) -> Stored:
    """A run's folder, its ``plan.json``, or any plan's file. Raises BadInput where it is none of them."""
    if path.is_dir():
        return _of_run(path, names)
    if path.name == "plan.json" and (path.parent / "run.json").is_file():
        return _of_run(path.parent, names)
    if not path.exists():
        raise BadInput(
            f"PLAN_OR_RUN {str(path)!r} does not exist; give a plan's JSON file, or the folder of a stored run"
        )
    return Stored(plan=single(FaultPlan.load(path), path.stem, names))


def compared(tried: Tried, stored: Run | None) -> Tried:
    """With the remark whether it went as the stored run did."""
    if stored is None or tried.run is None:
        return tried
    found = difference(stored.history, tried.run.history, tried.run.tier)
    told = "Just as in the stored run." if found is None else f"Not as in the stored run: they differ at {found}."
    return replace(tried, remark=told)


def judged(run: Run, names: Sequence[str] | None) -> Tried:
    """A stored run judged again, by these checks or those that it was made with."""
    chosen = _checks(run, names)
    return Tried(
        name=str(run.notes.get("plan") or run.workflow),
        question=str(run.notes.get("question") or "Does it hold?"),
        sentence=plan_sentence(run.plan),
        verdicts=run.judge(*(checks()[name]() for name in chosen)),
        run=run,
    )


def is_of_experiment(path: Path) -> bool:
    """Whether an experiment kept the run of this folder: such a run names no target, its experiment plays it again."""
    return (path / "run.json").is_file() and "experiment" in read_folder(path).about.get("notes", {})


def played_again(folder: Path, names: Sequence[str] | None) -> Tried:
    """An experiment's kept run played again, judged, and compared with the stored one."""
    from dissonance.experiments import again

    kept, now = again(folder)
    return compared(judged(now, names), kept)


def _of_run(folder: Path, names: Sequence[str] | None) -> Stored:
    run, about = load_run(folder), read_folder(folder).about
    plan = FaultPlan.load(folder / "plan.json")
    question = str(run.notes.get("question") or "Does it hold under this plan?")
    name = str(run.notes.get("plan") or run.workflow)
    target, model, parameters = (run.notes.get(name) for name in ("target", "model", "parameters"))
    return Stored(
        plan=BatteryPlan(name=name, question=question, plan=plan, checks=tuple(_checks(run, names))),
        run=run,
        target=target if isinstance(target, str) else None,
        task=run.task,
        seed=run.seed,
        limits=Limits(**about["limits"]),
        model=model if isinstance(model, str) else None,
        parameters=parameters if isinstance(parameters, dict) else {},
    )


def _checks(run: Run, names: Sequence[str] | None) -> Sequence[str]:
    if names is not None:
        return names
    noted = run.notes.get("checks")
    known = [name for name in noted if name in checks()] if isinstance(noted, list) else []
    return known or _by_plan(run)


def _by_plan(run: Run) -> Sequence[str]:
    try:
        return default_checks(FaultPlan.from_data({"schema": PLAN_SCHEMA, "rules": run.plan}))
    except PlanError:  # rules of another maker
        return ("terminates",)
