"""``--dissonance-prove``: the tests that made runs once more, in a second process in which strings hash otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dissonance.harness import load_run
from dissonance.harness.same import difference

__all__ = ["PROOF", "prove"]

PROOF = "DISSONANCE_PROOF"
"""Environment variable of the second process: the file in which it names its runs."""


def prove(runs: Mapping[str, Sequence[Path]], options: Sequence[str], root: Path) -> list[str]:
    """Where a second process recorded anything else, in words; empty where it recorded the same."""
    again = _repeated(runs, options, root)
    return [line for test, made in runs.items() for line in _compared(test, made, again.get(test, []))]


def _repeated(tests: Mapping[str, object], options: Sequence[str], root: Path) -> dict[str, list[Path]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs"
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, PROOF: str(file)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        lines = file.read_text().splitlines() if file.exists() else []
    runs: dict[str, list[Path]] = {}
    for test, run in map(json.loads, lines):
        runs.setdefault(test, []).append(Path(run))
    return runs


def _compared(test: str, runs: Sequence[Path], others: Sequence[Path]) -> list[str]:
    if len(runs) != len(others):
        return [f"not proved: {test} made {len(runs)} runs, and {len(others)} in a second process"]
    pairs = ((load_run(one), load_run(other)) for one, other in zip(runs, others, strict=True))
    found = (difference(one.history, other.history, one.tier) for one, other in pairs)
    return [f"not proved: {test}: a second process differs at {each}" for each in found if each]
