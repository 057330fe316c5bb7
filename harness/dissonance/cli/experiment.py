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
from .proof import tables_that_differ
from .results import EXIT, shown_path
from .show import show_proof, show_report

__all__ = ["run_named"]


def run_named(names: Sequence[str], out: Path, size: Size, seeds: int | None, prove: bool = False) -> int:
    """Run these experiments (default: all) and write one report; the exit code.

    ``prove``: once more in a second process, in which strings hash otherwise; *unknown* where a table differs.

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
    if prove:
        return _proof(page, [*names, *_options(size, seeds)], EXIT[found["status"]])
    return EXIT[found["status"]]


def _options(size: Size, seeds: int | None) -> list[str]:
    sized = [] if size == "default" else [f"--{size}"]
    return sized if seeds is None else [*sized, "--seeds", str(seeds)]


def _proof(page: Path, arguments: Sequence[str], code: int) -> int:
    differing = tables_that_differ(page, ["run", *arguments])
    if differing:
        show_proof(f"not proved: a second process made other figures in {', '.join(differing)}")
        return EXIT["unknown"]
    show_proof("proved: a second process, in which strings hash otherwise, made the same tables")
    return code


def _manifest(page: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((page.parent / "report.json").read_bytes())
    return manifest
