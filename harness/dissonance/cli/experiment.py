"""``dissonance run``: experiments, their progress, and what they found."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissonance.experiments import Progress, Size, changes, experiments, find, run_experiments

from .inputs import check_out
from .progress import metering
from .proof import tables_that_differ
from .results import EXIT, INTERRUPTED, shown_path
from .show import show_exit, show_proof, show_report

__all__ = ["Chosen", "run_named"]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What the command line says of a run of experiments. ``assignments`` are ``NAME=VALUE``, ``params`` a TOML file."""

    size: Size = "default"
    seeds: int | None = None
    assignments: Sequence[str] = ()
    params: Path | None = None
    jobs: int | None = None

    def arguments(self) -> list[str]:
        """The same as command line options, but for the number of processes, on which no figure depends."""
        sized = [] if self.size == "default" else [f"--{self.size}"]
        seeded = [] if self.seeds is None else ["--seeds", str(self.seeds)]
        changed = [part for each in self.assignments for part in ("--set", each)]
        filed = [] if self.params is None else ["--params", str(self.params.absolute())]
        return [*sized, *seeded, *changed, *filed]


def run_named(names: Sequence[str], out: Path, how: Chosen, prove: bool = False) -> int:
    """Run these experiments (default: all but those that must be asked for) and write one report; the exit code.

    ``prove``: once more in a second process, in which strings hash otherwise; *unknown* where a table differs.

    :raises BadInput: there is no such experiment, a parameter is out of range, or ``out`` is no folder.
    """
    chosen = [find(name) for name in dict.fromkeys(names)] or list(experiments(asked=how.size == "full"))
    check_out(out)
    changed = changes([one.name for one in chosen], how.assignments, how.params)
    jobs = how.jobs or os.cpu_count() or 1
    with ExitStack() as stack:

        def progress(name: str) -> Progress:
            stack.close()
            return stack.enter_context(metering(name)).at

        try:
            page = run_experiments(
                chosen, out=out, size=how.size, seeds=how.seeds, changes=changed, workers=jobs, progress=progress
            )
        except KeyboardInterrupt:
            stack.close()
            print("Interrupted; what has ended is kept: the same command goes on from there.", file=sys.stderr)
            return INTERRUPTED
    found = _manifest(page)
    show_report(shown_path(page), [(each["status"], each["sentence"]) for each in found["findings"]])
    if prove and not _proved(page, [*names, *how.arguments()]):
        return EXIT["unknown"]
    show_exit(EXIT[found["status"]], {each["name"]: each["status"] for each in found["sections"] if each["status"]})
    return EXIT[found["status"]]


def _proved(page: Path, arguments: Sequence[str]) -> bool:
    differing = tables_that_differ(page, ["run", *arguments])
    if differing:
        show_proof(f"not proved: a second process made other figures in {', '.join(differing)}")
        return False
    show_proof("proved: a second process, in which strings hash otherwise, made the same tables")
    return True


def _manifest(page: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((page.parent / "report.json").read_bytes())
    return manifest
