"""Running experiments and writing their report: what ``dissonance run`` and each module's script share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dissonance.harness.checks.verdict import Status
from dissonance.harness.errors import BadInput
from dissonance.reports import DEFAULT_FOLDER, Block, Finding, Report, Section, environment, for_ci, write_report

from .experiment import Experiment, Params, Result, Size
from .journal import Journal
from .pieces import Progress, quiet
from .settings import Changes
from .settings import changes as changed
from .worst import blocks_of, keep

__all__ = ["main", "report_of", "run_experiments"]

_ORDER: dict[Status, int] = {"fail": 0, "unknown": 1, "pass": 2}


def run_experiments(
    chosen: Sequence[Experiment[Any, Any]],
    *,
    out: str | Path = DEFAULT_FOLDER,
    size: Size = "default",
    seeds: int | None = None,
    changes: Changes = MappingProxyType({}),
    workers: int = 1,
    progress: Callable[[str], Progress] = lambda name: quiet,
) -> Path:
    """Run these experiments and write one report; the path of its page.

    ``changes`` are parameters by experiment. ``workers`` is the number of processes; the figures do not
    depend on it. ``progress(name)`` gives the callback for the pieces of that experiment. An interrupted
    call that is made again goes on where it was: what has ended is kept in ``out`` until the report stands.

    :raises BadInput: nothing is chosen, a parameter is out of range, or ``out`` can't be written.
    """
    if not chosen:
        raise BadInput("no experiment is chosen: name one, or leave the names out for all")
    if workers < 1:
        raise BadInput(f"workers={workers!r}: give 1 or more")
    planned = [(one, one.params(size, **({"seeds": seeds} | dict(changes.get(one.name, {}))))) for one in chosen]
    results, journals = [], []
    for one, params in planned:
        with Journal(Path(out) / ".unfinished" / f"{one.name}.journal") as journal:
            results.append((one, params, one.run(params, progress(one.name), workers=workers, journal=journal)))
        journals.append(journal)
    kept = {one.name: _kept(one, params, result, Path(out) / "runs") for one, params, result in results}
    report = report_of(results, kept)
    page = write_report(report, out, beside=for_ci(report))
    for journal in journals:
        journal.remove()
    with suppress(OSError):  # of another call, which is not finished
        (Path(out) / ".unfinished").rmdir()
    return page


def _kept(one: Experiment[Any, Any], params: Params, result: Result, store: Path) -> list[Block]:
    kept = [(worst, keep(one, params, worst, store)) for worst in one.worst(params, result)]
    return [block for worst, run in kept if worst.shown for block in blocks_of(one, worst, run)]


def report_of(
    results: Sequence[tuple[Experiment[Any, Any], Params, Result]],
    kept: Mapping[str, Sequence[Block]] = MappingProxyType({}),
) -> Report:
    """The report of these results: all findings first, then a section an experiment.

    ``kept`` are the blocks, by experiment, of the runs that it keeps; they come last in its section.
    """
    sections = [_with(one.section(result), kept.get(one.name, ())) for one, _, result in results]
    findings: list[Finding] = [
        replace(finding, section=finding.section or section.name)
        for (one, _, result), section in zip(results, sections, strict=True)
        for finding in one.findings(result)
    ]
    runs = sum(len(result.table) + result.sampled for _, _, result in results)
    many = len(results) > 1
    return Report(
        title="How agent workflows break" if many else results[0][0].question,
        lead=(
            f"{runs:,} runs against a simulated model API, with faults injected on purpose. "
            "No real model was called and nothing was spent: the dollars are what these calls would have cost."
        ),
        findings=sorted(findings, key=lambda finding: _ORDER[finding.status]),
        sections=sections,
        environment=environment(),
        parameters={one.name: {key: str(value) for key, value in params} for one, params, _ in results},
        downloads=[download for one, _, result in results for download in one.downloads(result)],
    )


def _with(section: Section, blocks: Sequence[Block]) -> Section:
    return replace(section, blocks=[*section.blocks, *blocks])


def main(experiment: Experiment[Any, Any], arguments: Sequence[str] | None = None) -> int:
    """The command line of one experiment's module; the exit code: 0 done, 2 bad input."""
    parser = ArgumentParser(prog=f"python -m {__package__}.{experiment.name}", description=experiment.question)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", default="default")
    size.add_argument("--full", dest="size", action="store_const", const="full")
    parser.add_argument("--seeds", type=int, help="runs of each arm")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--params", type=Path, metavar="FILE", help="a TOML file of parameters")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--out", default=str(DEFAULT_FOLDER), help="folder of the report (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        page = run_experiments(
            [experiment],
            out=given.out,
            size=given.size,
            seeds=given.seeds,
            changes=changed([experiment.name], given.set, given.params),
            workers=given.jobs,
            progress=lambda name: _show,
        )
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(page)
    return 0


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} runs", end="\n" if done == total else "", file=sys.stderr, flush=True)
