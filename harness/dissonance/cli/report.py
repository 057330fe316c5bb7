"""The page of a probe: the report of its runs, with what did not apply and what was killed beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dissonance.harness import Run
from dissonance.reports import Block, Case, Note, Report, for_ci, probe_report, write_report

from .results import Findings, Tried, shown_path

__all__ = ["write_findings"]


def write_findings(findings: Findings, out: Path) -> Findings:
    """Write the page into this folder. The findings with its path; unchanged where no run was recorded."""
    cases = [_case(each, run) for each in _shown(findings) if (run := each.run) is not None]
    if not cases:
        return findings
    report = probe_report(f"What breaks {findings.target}?", cases)
    whole = _with_notes(report, findings)
    page = write_report(whole, out, beside=for_ci(whole))
    return replace(findings, report=shown_path(page))


def _shown(findings: Findings) -> list[Tried]:
    """A broken baseline alone, else what counts; everything where nothing applied."""
    if findings.baseline is not None and findings.baseline.status != "pass":
        return [findings.baseline]
    return findings.counted or list(findings.tried)


def _case(tried: Tried, run: Run) -> Case:
    """The run is shown with its path as it is written here, so that a report names no machine's folders."""
    here = replace(run, path=None if run.path is None else shown_path(run.path))
    advice = [verdict.next for verdict in tried.verdicts if verdict.next]
    return Case(name=tried.name, question=tried.question, run=here, verdicts=tried.verdicts, advice=advice)


def _with_notes(report: Report, findings: Findings) -> Report:
    overview, *others = report.sections
    blocks: list[Block] = [*overview.blocks, *_notes(findings)]
    return replace(report, sections=[replace(overview, blocks=blocks), *others])


def _notes(findings: Findings) -> Iterator[Note]:
    left_out = [each for each in findings.tried if not each.applicable]
    if left_out and findings.counted:
        names = ", ".join(each.name for each in left_out)
        yield Note(
            heading="Not applicable", text=f"Nothing fired: the workflow makes no call that they are for: {names}."
        )
    lost = [f"{each.name}: {each.verdicts[0].reason}" for each in findings.counted if each.run is None]
    if lost:
        yield Note(heading="Nothing recorded", text="; ".join(lost) + ".")
    if findings.interrupted:
        yield Note(heading="Interrupted", text="The probe was interrupted: the plans that followed were not tried.")
