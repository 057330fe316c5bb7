"""How long the search takes for each planted bug: ``python -m benchmarks.planted``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from planted import PLANTED, TASK

from dissonance.faults import FaultPlan, Space, find_minimal, repertoire, slots_of

__all__ = ["main"]

TARGET = 10.0
"""CPU seconds, in the median."""


def main() -> int:
    """Print a line a bug and the median; 1 where a plan is not the smallest, or the median is above the target."""
    spent, missed = [], False
    for bug in PLANTED:
        began = time.process_time()
        known = repertoire(bug.families)
        space = Space(slots=slots_of(bug.flow(False), TASK, faults=known, human=bug.human), faults=known)
        found = find_minimal(bug.flow(False), bug.checks, space, task=TASK, human=bug.human)
        spent.append(time.process_time() - began)
        exact = found.plan == FaultPlan(rules=bug.rules)
        missed |= not exact
        print(f"{bug.name:32} {spent[-1]:6.2f} s  {found.runs:5} runs  {'exact' if exact else 'NOT EXACT'}", flush=True)
    print(f"median {median(spent):.2f} s of {len(spent)} bugs, target {TARGET:g} s")
    return int(missed or median(spent) > TARGET)


if __name__ == "__main__":
    sys.exit(main())
