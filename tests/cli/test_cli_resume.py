"""``dissonance run``, interrupted and killed in the middle, goes on to the same report."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "import sys; from dissonance.cli.main import main; sys.exit(main())")
FULL = ("run", "false_acceptance", "--full", "--seeds", "40", "--set", "others=[]")


@contextmanager
def running(out: Path, jobs: int = 2) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process group of its own that does not outlive the test, as a shell starts it."""
    process = subprocess.Popen(
        [*COMMAND, *FULL, "--out", str(out), "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def stopped(out: Path, by: signal.Signals) -> tuple[int, str]:
    """The exit code and what is said after a signal to the whole group, sent as soon as an estimate is shown."""
    with running(out) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert re.fullmatch(r"false_acceptance: \d+ of \d+, about \d+ s left\n", line)
        os.killpg(process.pid, by)
        said = process.stderr.read()
        return process.wait(), said


def finished(out: Path, jobs: int) -> tuple[int, dict[str, bytes]]:
    """The exit code and the report's tables."""
    with running(out, jobs) as process:
        process.communicate()
    return process.returncode, {path.name: path.read_bytes() for path in sorted((out / "tables").iterdir())}


@pytest.mark.slow
def test_an_interrupted_and_then_killed_run_ends_in_the_same_tables(tmp_path: Path) -> None:
    journal = tmp_path / "stopped" / ".unfinished" / "false_acceptance.journal"
    code, said = stopped(tmp_path / "stopped", signal.SIGINT)
    assert (code, said) == (130, "Interrupted; what has ended is kept: the same command goes on from there.\n")
    kept = journal.stat().st_size
    assert kept > 0
    assert stopped(tmp_path / "stopped", signal.SIGKILL) == (-signal.SIGKILL, "")
    assert journal.stat().st_size > kept
    code, whole = finished(tmp_path / "whole", jobs=1)
    assert {"gates.csv", "gates.parquet"} <= whole.keys()
    assert finished(tmp_path / "stopped", jobs=2) == (code, whole)
    assert not journal.parent.exists()
