"""pytest on one empty test, with the plugin loaded and unused, and with ``-p no:dissonance``: the difference in CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .rows import Row

__all__ = ["rows"]

TARGET = 20.0  # milliseconds


def _spent(folder: Path, *options: str) -> float:
    """CPU milliseconds of a whole pytest process. The machine's speed is the same for its twin, which runs next."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return 1000 * (usage.ru_utime + usage.ru_stime)


def rows(rounds: int) -> Iterator[Row]:
    """Milliseconds that the unused plugin adds to pytest's start: the median of the differences of pairs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_it.py").write_text("def test_it(): pass\n")
        pairs = [(_spent(folder), _spent(folder, "-p", "no:dissonance")) for _ in range(rounds + 1)][1:]
    added = median(one - other for one, other in pairs)
    alone = median(other for _, other in pairs)
    yield Row("the unused pytest plugin", TARGET, added, "ms", f"{rounds} pairs; pytest without it: {alone:.0f} ms")
