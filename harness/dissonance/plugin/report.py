"""``--dissonance-report=DIR``: the page of the session's runs, and ``report.md``; pytest itself writes ``junit.xml`` there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dissonance.harness import Verdict, load_run
from dissonance.harness.store import shown
from dissonance.reports import Case, Note, Report, probe_report, write_report

from .record import Told
from .summary import markdown

__all__ = ["write"]

_MOST = 25
"""Runs that the page shows; the worst come first, and ``report.md`` names all tests."""


def write(records: Sequence[Told], seed: int, folder: Path) -> Path | None:
    """Write both; the page's path, or None where no run was stored, of which a page could be made."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / "report.md.new"
    beside.write_text(markdown(records, seed), encoding="utf-8")
    os.replace(beside, folder / "report.md")
    cases = list(_cases(records))
    return write_report(_report(cases), folder) if cases else None


def _report(cases: Sequence[Case]) -> Report:
    ordered = sorted(cases, key=lambda case: ("fail", "unknown", "pass").index(case.status))
    report = probe_report("What breaks this project's workflows?", ordered[:_MOST])
    if len(ordered) <= _MOST:
        return report
    overview, *others = report.sections
    note = Note(heading="Left out", text=f"{len(ordered) - _MOST} more runs are not shown; report.md names all tests.")
    return replace(report, sections=[replace(overview, blocks=[*overview.blocks, note]), *others])


def _cases(records: Sequence[Told]) -> Iterator[Case]:
    for told in records:
        stored = [case for case in told["cases"] if case["path"] and Path(case["path"]).is_dir()]
        for number, case in enumerate(stored, 1):
            marks = [f"run {number}"] * (len(stored) > 1) + ["expected"] * (told["status"] == "expected")
            yield _case(told["test"] + (f" ({', '.join(marks)})" if marks else ""), case)


def _case(name: str, case: dict[str, Any]) -> Case:
    run = load_run(case["path"])
    verdicts = [Verdict(**{**each, "evidence": tuple(each["evidence"])}) for each in case["verdicts"]]
    here = replace(run, path=None if run.path is None else Path(shown(run.path)), replay_line=case["replay"])
    advice = [verdict.next for verdict in verdicts if verdict.next]
    return Case(name=name, question="Does it hold?", run=here, verdicts=verdicts, advice=advice)
