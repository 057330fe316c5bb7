"""What the commands print: tables on standard output, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dissonance.harness import Run
from dissonance.harness.checks.verdict import Status
from dissonance.harness.sweep import Swept
from dissonance.reports.theme import SAID
from dissonance.reports.words import count, dollars, duration

from .console import console
from .results import Findings, Tried

__all__ = ["show_exit", "show_findings", "show_proof", "show_report", "show_swept"]

_STYLE = {"pass": "green", "fail": "bold red", "unknown": "yellow", "not applicable": "dim"}


def show_findings(findings: Findings) -> None:
    """The answer first, then the plans, then the lines that replay what did not hold, then where the report lies."""
    out = console()
    status = findings.status
    verdict = Text.assemble((f"{'INTERRUPTED' if findings.interrupted else status.upper()}", _STYLE[status]), ": ")
    out.print(verdict + Text(findings.reason + "."))
    if findings.baseline is not None and findings.baseline.run is not None:
        out.print(Text(f"Without faults: {_ended(findings.baseline.run)}."))
    if findings.tried and findings.found is None:
        out.print(_table(findings.tried))
    if findings.told:
        out.print(Text(findings.told), soft_wrap=True)
    else:
        for line in _next_lines(findings):
            out.print(line, soft_wrap=True)
    if findings.report is not None:
        out.print(Text(f"Report: {findings.report}"), soft_wrap=True)


def show_report(page: Path, findings: Iterable[tuple[Status, str]]) -> None:
    """Findings as ``(status, sentence)``, and where the page lies."""
    out = console()
    for status, sentence in findings:
        out.print(Text.assemble((f"{SAID[status]:10}", _STYLE[status]), sentence))
    out.print(Text(f"Report: {page}"), soft_wrap=True)


def show_exit(code: int, judged: Mapping[str, Status]) -> None:
    """What the exit code of experiments means: what their sections answered, and no error of the run."""
    said = [f"{SAID[status]}: {', '.join(_of(judged, status))}" for status in _STATUSES if _of(judged, status)]
    told = "the experiments ran to their end; what breaks is what they look for" if "fail" in judged.values() else ""
    console().print(Text(f"Exit code {code}: {'; '.join([*said, told] if told else said)}."), soft_wrap=True)


_STATUSES: tuple[Status, ...] = ("fail", "unknown", "pass")


def _of(judged: Mapping[str, Status], status: Status) -> list[str]:
    return [name for name, each in judged.items() if each == status]


def show_proof(told: str) -> None:
    """Whether a second process agreed."""
    console().print(Text(told), soft_wrap=True)


def _table(tried: Sequence[Tried]) -> Table:
    table = Table(show_lines=True)
    for header, ratio in (("plan", 2), ("verdict", None), ("what happened", 3)):
        table.add_column(header, overflow="fold", ratio=ratio)
    for each in tried:
        said = each.status if each.applicable else "not applicable"
        plan = Text.assemble((each.name, "bold"), "\n", each.question)
        table.add_row(plan, Text(said, _STYLE[said]), Text(_happened(each)))
    return table


def _happened(tried: Tried) -> str:
    if not tried.applicable:
        return "Nothing fired: the workflow makes no call that this plan is for."
    decisive = [verdict for verdict in tried.verdicts if verdict.status == tried.status]
    parts = [f"{verdict.check}: {verdict.reason}." for verdict in decisive]
    return "\n".join([*parts, tried.remark] if tried.remark else parts)


def _ended(run: Run) -> str:
    """``completed after 3 calls, 12 s of virtual time, $0.02``."""
    how = run.outcome.replace("_", " ") + (f" ({run.stopped_by})" if run.stopped_by else "")
    calls = f"{count(run.calls)} call{'s' * (run.calls != 1)}"
    return f"{how} after {calls}, {duration(run.seconds)} of virtual time, {dollars(run.usd)}"


def _next_lines(findings: Findings) -> Iterable[Text]:
    """What to do about each *unknown*, and how to replay what did not hold."""
    shown = [findings.baseline] if findings.baseline is not None else []
    shown = [each for each in [*shown, *findings.counted] if each.status != "pass"]
    for each in shown:
        advice = each.decisive.next if each.decisive is not None else ""
        if advice:
            yield Text.assemble((each.name, "bold"), f": {advice}")
    for each in shown:
        if each.replay:
            yield Text.assemble((each.name, "bold"), f": {each.replay}")


def show_swept(swept: Swept) -> None:
    """The verdicts of each arm, and where the table lies."""
    out = console()
    counts = swept.table().groupby(["arm", "verdict"], sort=False).size().unstack(fill_value=0)
    table = Table("plan", "pass", "fail", "unknown", box=None, padding=(0, 2, 0, 0))
    for arm, row in counts.iterrows():
        table.add_row(Text(str(arm)), *(Text(count(int(row.get(name, 0))), _STYLE[name]) for name in _COUNTED))
    out.print(table)
    out.print(Text(f"Table: {swept.path} ({count(swept.runs)} runs, {count(swept.played)} played now)"), soft_wrap=True)


_COUNTED = ("pass", "fail", "unknown")
