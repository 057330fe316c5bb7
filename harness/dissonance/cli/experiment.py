"""``dissonance run``: experiments, their progress, and what they found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dissonance.experiments import Progress, Size, experiments, find, run_experiments

from .inputs import check_out
from .progress import metering
from .results import EXIT, shown_path
from .show import show_report

__all__ = ["run_named"]


def run_named(names: Sequence[str], out: Path, size: Size, seeds: int | None) -> int:
    """Run these experiments (default: all) and write one report; the exit code.

    :raises BadInput: there is no such experiment, a parameter is out of range, or ``out`` is no folder.
    """
    chosen = [find(name) for name in dict.fromkeys(names)] or list(experiments())
    check_out(out)
    with ExitStack() as stack:

        def progress(name: str) -> Progress:
            stack.close()
            return stack.enter_context(metering(name)).at

        page = run_experiments(chosen, out=out, size=size, seeds=seeds, progress=progress)
    found = _manifest(page)
    show_report(shown_path(page), [(each["status"], each["sentence"]) for each in found["findings"]])
    return EXIT[found["status"]]


def _manifest(page: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((page.parent / "report.json").read_bytes())
    return manifest
