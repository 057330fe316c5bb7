"""Running experiments and writing their report: what ``dissonance run`` and each module's script share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dissonance.harness.checks.verdict import Status
from dissonance.harness.errors import BadInput
from dissonance.reports import DEFAULT_FOLDER, Finding, Report, environment, write_report

from .experiment import Experiment, Params, Progress, Result, Size, quiet

__all__ = ["main", "report_of", "run_experiments"]

_ORDER: dict[Status, int] = {"fail": 0, "unknown": 1, "pass": 2}


def run_experiments(
    chosen: Sequence[Experiment[Any, Any]],
    *,
    out: str | Path = DEFAULT_FOLDER,
    size: Size = "default",
    seeds: int | None = None,
    progress: Callable[[str], Progress] = lambda name: quiet,
) -> Path:
    """Run these experiments and write one report; the path of its page.

    ``progress(name)`` gives the callback for the runs of that experiment. Nothing is written before
    all have ended. :raises BadInput: nothing is chosen, a parameter is out of range, or ``out`` can't be written.
    """
    if not chosen:
        raise BadInput("no experiment is chosen: name one, or leave the names out for all")
    planned = [(experiment, experiment.params(size, seeds=seeds)) for experiment in chosen]
    results = [(one, params, one.run(params, progress(one.name))) for one, params in planned]
    return write_report(report_of(results), out)


def report_of(results: Sequence[tuple[Experiment[Any, Any], Params, Result]]) -> Report:
    """The report of these results: all findings first, then a section an experiment."""
    findings: list[Finding] = [finding for one, _, result in results for finding in one.findings(result)]
    runs = sum(len(result.table) + result.sampled for _, _, result in results)
    many = len(results) > 1
    return Report(
        title="How agent workflows break" if many else results[0][0].question,
        lead=(
            f"{runs:,} runs against a simulated model API, with faults injected on purpose. "
            "No real model was called and nothing was spent: the dollars are what these calls would have cost."
        ),
        findings=sorted(findings, key=lambda finding: _ORDER[finding.status]),
        sections=[one.section(result) for one, _, result in results],
        environment=environment() | {f"{one.name} {key}": str(value) for one, p, _ in results for key, value in p},
        downloads=[download for one, _, result in results for download in one.downloads(result)],
    )


def main(experiment: Experiment[Any, Any], arguments: Sequence[str] | None = None) -> int:
    """The command line of one experiment's module; the exit code: 0 done, 2 bad input."""
    parser = ArgumentParser(prog=f"python -m {__package__}.{experiment.name}", description=experiment.question)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", default="default")
    size.add_argument("--full", dest="size", action="store_const", const="full")
    parser.add_argument("--seeds", type=int, help="runs of each arm")
    parser.add_argument("--out", default=str(DEFAULT_FOLDER), help="folder of the report (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        page = run_experiments(
            [experiment], out=given.out, size=given.size, seeds=given.seeds, progress=lambda name: _show
        )
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(page)
    return 0


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} runs", end="\n" if done == total else "", file=sys.stderr, flush=True)
