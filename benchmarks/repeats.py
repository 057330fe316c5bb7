"""How many of so many runs have the same history, for each kind of workflow: ``python -m benchmarks.repeats 10000``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from doubles import Says
from repeated import WORKFLOWS

from dissonance.harness import run

__all__ = ["main"]


def main(runs: int) -> int:
    """Print a line a kind; 1 where a run differed or took another time."""
    missed = False
    for name, (workflow, seconds, tier) in WORKFLOWS.items():
        began = time.process_time()
        made = [run(workflow, "x", model=Says(pace=None), store=None)]
        same = exact = 0
        for _ in range(runs):
            made[1:] = [run(workflow, "x", model=Says(pace=None), store=None)]
            same += made[1].history == made[0].history
            exact += made[1].seconds == seconds and made[1].tier == tier
        spent = (time.process_time() - began) / runs * 1000
        print(f"{name:33} {same} of {runs} equal, {exact} of {seconds:g} s in {tier}, {spent:.1f} ms a run", flush=True)
        missed |= (same, exact) != (runs, runs)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
