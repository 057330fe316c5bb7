"""The folder of a run whose process was killed: what there is of it, completed so that it can be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dissonance.harness import Run, load_run
from dissonance.harness.errors import BadInput

__all__ = ["complete_killed", "newest_folders"]


def newest_folders(store: Path) -> frozenset[Path]:
    """The folders of runs in a store; empty where there is no store yet."""
    if not store.is_dir():
        return frozenset()
    return frozenset(Path(entry.path) for entry in os.scandir(store) if entry.is_dir(follow_symlinks=False))


def complete_killed(store: Path, before: frozenset[Path], why: str, *, stopped: bool) -> Run | None:
    """The run that came after those ``before``, its outcome written into its ``run.json``.

    ``stopped``: the harness killed it for its real time; otherwise the process ended by itself. None
    where the process died before it had recorded anything.
    """
    made = sorted(newest_folders(store) - before)
    if not made:
        return None
    ending = {"outcome": "stopped_by_harness", "stopped_by": "real_seconds"} if stopped else {"outcome": "crashed"}
    try:
        _amend(made[-1] / "run.json", {**ending, "error": why, "tier": "T3", "demoted_by": [why]})
        return load_run(made[-1])
    except (BadInput, OSError, ValueError):  # killed within its first writes
        return None


def _amend(path: Path, ending: dict[str, Any]) -> None:
    about = json.loads(path.read_bytes())
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps({**about, **ending}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(beside, path)
