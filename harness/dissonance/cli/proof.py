"""Proof that a run repeats: the same plan in a second process, in which strings hash otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dissonance.harness.checks.verdict import Verdict
from dissonance.harness.same import difference

from .results import Tried

__all__ = ["HASH_SEEDS", "hashing", "proved", "tables_that_differ"]

HASH_SEEDS = ("1", "2")
"""``PYTHONHASHSEED`` of the two processes."""

_ADVICE = "Look for an iteration over a set, a clock, uuid4 or a file that the workflow writes and reads."


def hashing(seed: str | None) -> dict[str, str]:
    """The environment of a process with this hash seed (None: as here)."""
    return {**os.environ} if seed is None else {**os.environ, "PYTHONHASHSEED": seed}


def proved(tried: Tried, again: Tried) -> Tried:
    """What was tried, if the second process recorded the same; else its verdicts are *unknown*."""
    if tried.run is None or tried.run.stopped_by == "real_seconds":
        return tried
    if again.run is None:
        return _doubted(tried, "is not there: the second process died")
    found = difference(tried.run.history, again.run.history, tried.run.tier)
    if found is not None:
        return _doubted(tried, f"differs at {found}")
    return replace(tried, remark=" ".join(filter(None, [tried.remark, "Proved: the same history in two processes."])))


def _doubted(tried: Tried, how: str) -> Tried:
    doubt = f"the history of a second process, in which strings hash otherwise, {how}"
    verdicts = tried.verdicts or (Verdict(status="unknown", check="prove", reason=""),)
    return replace(
        tried,
        verdicts=tuple(
            replace(
                each,
                status="unknown",
                reason=_joined(each.reason, doubt),
                next=_ADVICE,
                tier="T3",
                demoted_by=(*each.demoted_by, doubt),
            )
            for each in verdicts
        ),
    )


def _joined(reason: str, doubt: str) -> str:
    return f"{reason}; but {doubt}" if reason else doubt


def tables_that_differ(page: Path, arguments: Sequence[str]) -> list[str]:
    """Make a report once more, by ``dissonance`` with these arguments in a second process; which of its tables differ."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "import sys; from dissonance.cli.main import main; sys.exit(main())"]
        subprocess.run(
            [*command, *arguments, "--out", folder],
            env=hashing(HASH_SEEDS[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        tables = sorted((page.parent / "tables").glob("*.csv"))
        return [each.name for each in tables if not _same(each, Path(folder) / "tables" / each.name)]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
