"""How many of so many runs of each port have the same history: ``python -m benchmarks.ports [RUNS] [FRAMEWORK…]``.

Every pattern in every framework, as it comes and guarded, under a latency fault and an error fault; a framework that
is not installed is passed over. At the end stands a digest of the first histories, which another process, with another
``PYTHONHASHSEED``, must print, too.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import redirect_stdout
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from ported import PATTERNS, played, slow_and_broken

from dissonance.harness import Run
from dissonance.harness.history import write_event
from dissonance.patterns.ports import DEFAULTS, GUARDED, Settings

__all__ = ["main"]

FRAMEWORKS = {
    "claude_tools": "anthropic",
    "langgraph": "langgraph.prebuilt",
    "crewai": "crewai",
    "autogen": "autogen_agentchat.teams",
}
SETTINGS = {"default": DEFAULTS, "guarded": GUARDED}


def main(runs: int, frameworks: Collection[str]) -> int:
    """Print a line a port; 1 where a run differed from the first, or a fault struck nobody."""
    missed, digest = False, sha256()
    for framework, pattern, name in _ports(frameworks):
        began = time.process_time()
        first = _played(framework, pattern, SETTINGS[name])
        equal = 1 + sum(_played(framework, pattern, SETTINGS[name]).history == first.history for _ in range(runs - 1))
        spent = (time.process_time() - began) / runs * 1000
        struck = all(count.fired for count in first.faults.values())
        digest.update(b"".join(map(write_event, first.history)))
        told = [
            f"{equal} of {runs} equal",
            first.outcome,
            f"{first.calls:2} calls",
            first.tier,
            f"{spent:.0f} ms a run",
        ]
        if first.tier == "T3":
            told += first.demoted_by
        if not struck:
            told += ["A FAULT STRUCK NOBODY"]
        print(f"{framework:12} {pattern:10} {name:7} {', '.join(told)}", flush=True)
        missed |= not struck or equal != runs
    print(digest.hexdigest())
    return int(missed)


def _ports(frameworks: Collection[str]) -> Iterator[tuple[str, str, str]]:
    for framework in filter(_loaded, frameworks):
        for pattern in PATTERNS:
            for name in SETTINGS:
                yield framework, pattern, name


def _loaded(framework: str) -> bool:
    """Whether it is installed; imported as a user's process has it, before any run of it."""
    module = FRAMEWORKS[framework]
    if not find_spec(module.partition(".")[0]):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module(module)
    return True


def _played(framework: str, pattern: str, settings: Settings) -> Run:
    with redirect_stdout(StringIO()):  # CrewAI draws its flows
        return played(framework, pattern, settings, *slow_and_broken())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, sys.argv[2:] or list(FRAMEWORKS)))
