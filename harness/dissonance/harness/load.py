"""A stored run read back, so that it can be judged again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import BadInput
from .exchange import FaultCount
from .history import History, RunEnded, Stopped
from .result import RecordedError, Run, totals
from .store import StoredRun, read_folder, shown

__all__ = ["load_run"]


def load_run(path: str | Path) -> Run:
    """A stored run, so that it can be checked again. A killed one has the outcome ``crashed``.

    :raises BadInput: the folder is none of a run, is damaged, or comes from another version.
    """
    stored = read_folder(path)
    if not stored.events:
        raise BadInput(f"{str(path)!r}: the history is empty: the run was killed before it began; run the plan again")
    return _loaded(stored, _loaded_baseline(stored))


def _loaded_baseline(stored: StoredRun) -> Run | None:
    brief = stored.about.get("baseline")
    if not brief:
        return None
    beside = stored.path.parent / str(brief.get("run"))
    if brief.get("run") and (beside / "run.json").is_file():
        return load_run(beside)
    alone = StoredRun(stored.path, {**stored.about, **brief, "baseline": None}, {}, stored.events[:1], stored.bodies)
    return _loaded(alone, None)


def _loaded(stored: StoredRun, base: Run | None) -> Run:
    about, history = stored.about, History(stored.events, stored.bodies)
    last = history[-1]
    sums = about.get("totals") or totals(history)
    ended = isinstance(last, RunEnded)
    kept = last.result if isinstance(last, RunEnded) else None
    result = stored.bodies.get(kept) if kept is not None and kept in stored.bodies else None
    error = about.get("error") or (None if ended else "the process was killed before the run ended")
    return Run(
        workflow=about["workflow"],
        task=about.get("task"),
        seed=about["seed"],
        model=about["model"],
        plan=tuple(stored.plan.get("rules", ())),
        schedule=stored.plan.get("schedule"),
        outcome=about.get("outcome") or "crashed",
        stopped_by=about.get("stopped_by"),
        result=result,
        error=None if error is None or _stopped(history) else RecordedError(error),
        error_text=error,
        history=history,
        tier=about.get("tier", "T1"),
        demoted_by=tuple(about.get("demoted_by", ())),
        faults=_loaded_counts(about, history),
        baseline=base,
        baseline_problem=about.get("baseline_problem"),
        abandoned=tuple(about.get("abandoned", ())),
        refused_hosts=tuple(about.get("refused_hosts", ())),
        notes=about.get("notes", {}),
        path=stored.path,
        replay_line=f"dissonance replay {shown(stored.path)}",
        **sums,
    )


def _stopped(history: History) -> bool:
    return any(isinstance(event, Stopped) for event in history)


def _loaded_counts(about: Mapping[str, Any], history: History) -> dict[str, FaultCount]:
    stored = about.get("faults")
    if stored is not None:
        return {rule: FaultCount(**count) for rule, count in stored.items()}
    counts: dict[str, FaultCount] = {}
    for fault in history.faults():
        count = counts.setdefault(fault.rule, FaultCount())
        count.fired += 1
        count.changed += fault.changed
        count.reached += fault.side == "task"
    for reply in history.replies():
        for rule in reply.reached:
            counts[rule].reached += 1
    return counts
