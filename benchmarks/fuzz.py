"""So many inputs of all sorts, of which none may come to a traceback of ours: ``python -m benchmarks.fuzz 100000``.

Where atheris is installed, they are found by coverage of ``dissonance``; else, and for as many again,
at random. The seed is fixed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import fuzzed

__all__ = ["main"]

LONGEST = 96
_GUIDED = """
import sys, atheris
sys.path.insert(0, {support!r})
with atheris.instrument_imports(include=["dissonance.faults", "dissonance.harness"]):
    import fuzzed
atheris.Setup([sys.argv[0], "-runs={runs}", "-seed=7", "-max_len={longest}", "-timeout=60"], lambda data: fuzzed.check(data) and None)
atheris.Fuzz()
"""


def main(inputs: int) -> int:
    """Print a line for each way; 1 where an input came to a traceback, which is printed."""
    return max(_at_random(inputs), _guided(inputs))


def _at_random(inputs: int) -> int:
    draw, came_to, began = random.Random(7), Counter[str](), time.process_time()
    for _ in range(inputs):
        data = draw.randbytes(1 + draw.randrange(LONGEST))
        try:
            came_to[fuzzed.check(data)] += 1
        except Exception:
            print(f"at random: this input came to a traceback: {data!r}", file=sys.stderr)
            raise
    told = ", ".join(f"{count} {name}" for name, count in came_to.most_common())
    print(f"at random: {inputs} inputs in {time.process_time() - began:.0f} CPU s, no traceback: {told}", flush=True)
    return 0


def _guided(inputs: int) -> int:
    try:
        metadata.version("atheris")
    except metadata.PackageNotFoundError:
        print("guided by coverage: not tried, since atheris is not installed")
        return 0
    code = _GUIDED.format(support=str(Path(fuzzed.__file__).parent), runs=inputs, longest=LONGEST)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        print("guided by coverage: an input came to a traceback", *lines[-40:], sep="\n", file=sys.stderr)
        return 1
    last = next((line for line in reversed(lines) if " cov: " in line), "")
    print(f"guided by coverage: {inputs} inputs, no traceback: {' '.join(last.split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
