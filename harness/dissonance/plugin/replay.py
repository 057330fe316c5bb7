"""``--dissonance-replay``: the plan that is played in place of a test's own, and whether it went as it was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from dissonance.faults import FaultPlan
from dissonance.harness import PlanError, Run, load_run
from dissonance.harness.same import difference

__all__ = ["Replay", "read_replay"]


@dataclass(frozen=True)
class Replay:
    """``seed`` and ``stored`` are those of the stored run; both None for a bare plan."""

    plan: FaultPlan
    seed: int | None
    stored: Path | None

    def remark(self, made: Run) -> str | None:
        """How the run compares with the stored one: the first event that differs; None for a bare plan."""
        if self.stored is None:
            return None
        found = difference(load_run(self.stored).history, made.history, made.tier)
        return "Replayed just as stored." if found is None else f"Replayed, but not as stored: they differ at {found}."


def read_replay(path: Path) -> Replay:
    """What is to be replayed. Raises pytest.UsageError where it cannot be read."""
    about = path.with_name("run.json")
    try:
        plan = FaultPlan.load(path)
    except PlanError as error:
        raise pytest.UsageError(f"--dissonance-replay: {error}") from None
    if not about.is_file():
        return Replay(plan, None, None)
    try:
        seed = int(json.loads(about.read_bytes())["seed"])
    except (OSError, ValueError, LookupError, TypeError):
        raise pytest.UsageError(f"--dissonance-replay: {about} has no seed: the run's folder is damaged") from None
    return Replay(plan, seed, path.parent if (path.parent / "history.jsonl").is_file() else None)
