"""The report of runs of a user's workflow: :func:`probe_report`, one case for each plan that was tried."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

import pandas as pd

from dissonance.faults.describe import plan_sentence
from dissonance.faults.plan import SCHEMA
from dissonance.harness.call import JsonObject
from dissonance.harness.checks.verdict import Status, Verdict, worst
from dissonance.harness.errors import BadInput

from .cascade_graph import cascade_graph, taint_of, traces_of
from .environment import environment
from .page import Block, Checks, Download, Events, Finding, Note, Picture, Report, Section, Table
from .plots import latency
from .spacetime import space_time
from .theme import GLYPH, SAID
from .words import count, dollars, duration, joined, slug

if TYPE_CHECKING:
    from dissonance.harness.checks.taint import Cascade
    from dissonance.harness.run import Run

__all__ = [
    "Case",
    "diagrams",
    "plan_download",
    "plan_in_short",
    "plan_sentence",
    "probe_report",
    "replay_line",
    "run_blocks",
]

_ORDER: dict[Status, int] = {"fail": 0, "unknown": 1, "pass": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run with its verdicts. ``name`` and ``question`` are the reader's; ``advice`` says what to do if it broke."""

    name: str
    question: str
    run: Run
    verdicts: Sequence[Verdict]
    advice: Sequence[str] = ()

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        return worst(self.verdicts)

    @property
    def decisive(self) -> Verdict | None:
        """The first verdict that is as bad as the worst."""
        return next((verdict for verdict in self.verdicts if verdict.status == self.status), None)


def probe_report(title: str, cases: Sequence[Case]) -> Report:
    """One page for all cases: what broke first, then what could not be told, then what held.

    :raises BadInput: there is no case, or two have one name.
    """
    if not cases:
        raise BadInput("cases=[]: give at least one run to report on")
    ordered = sorted(cases, key=lambda case: _ORDER[case.status])
    return Report(
        title=title,
        lead=_lead(ordered),
        findings=[_finding(case) for case in ordered],
        sections=[_overview(ordered), *(_section(case) for case in ordered)],
        environment=environment(),
        downloads=list(_downloads(ordered)),
    )


def plan_download(name: str, rules: Sequence[JsonObject], schedule: int | None = None) -> Download:
    """A stored plan as a file in the page, for ``dissonance replay``."""
    plan: dict[str, object] = {"schema": SCHEMA, "rules": list(rules)}
    if schedule is not None:
        plan["schedule"] = schedule
    text = json.dumps(plan, indent=2, ensure_ascii=False) + "\n"
    return Download(filename=f"{name}.plan.json", media_type="application/json", content=text.encode())


def replay_line(run: Run) -> str:
    """The command that plays this run again, as its maker knows it; empty for a run that was not stored."""
    if run.replay_line and run.replay_line.startswith("pytest "):
        return run.replay_line
    return f"dissonance replay {quote(str(run.path))}" if run.path else ""


def run_blocks(name: str, run: Run, verdicts: Sequence[Verdict]) -> list[Block]:
    """A run in pictures and words: its plan, its checks with evidence, space-time diagram, latency, events."""
    events = f"events-{name}"
    evidence = frozenset(id for verdict in verdicts for id in verdict.evidence[:12])
    baseline = run.baseline.history if run.baseline is not None else None
    blocks: list[Block] = [
        Note(text=plan_in_short(run.plan), heading="The plan"),
        Note(text=_ended(run), heading="What happened"),
        Checks(verdicts=verdicts, events=events),
    ]
    if run.history.calls():
        blocks += [*diagrams(name, run), latency(run.history, baseline, name=f"latency-{name}", caption=_LATENCY)]
    return [*blocks, Events(name=events, history=run.history, keep=evidence)]


def plan_in_short(rules: Sequence[JsonObject], most: int = 6) -> str:
    """The plan in words; of one with many rules the first, and how many follow."""
    if len(rules) <= most:
        return plan_sentence(rules)
    return f"{plan_sentence(rules[:most])} And {count(len(rules) - most)} more rules, which stand in its plan.json."


def diagrams(name: str, run: Run) -> list[Picture]:
    """The run's space-time diagram and, for each claim that was planted in it, the graph of its cascade."""
    traces = traces_of(run) if run.history.faults() else []
    caption = _DIAGRAM + (_TAINT if traces else "")
    pictures = [space_time(run.history, name=f"diagram-{name}", caption=caption, taint=taint_of(traces))]
    for place, trace in enumerate(traces[:_GRAPHS], 1):
        suffix = f"-{place}" if len(traces) > 1 else ""
        pictures.append(cascade_graph(trace, name=f"cascade-{name}{suffix}", caption=f"{_spread(trace)} {_CASCADE}"))
    return pictures


_GRAPHS = 3
"""Of a run with more planted claims than this, the first ones have a graph."""


def _spread(trace: Cascade) -> str:
    ended = "the result holds it" if trace.output else "the result is free of it"
    return (
        f"Where the {trace.twin} claim {trace.claim} went: {count(trace.infected)} replies of {count(trace.breadth)} "
        f"agents, {trace.depth} deep; {ended}."
    )


_DIAGRAM = (
    "The run in virtual time, a lane for each agent; a bar is a call, from sent to received. "
    "In a browser, a bar names its call when the pointer rests on it."
)
_TAINT = " A bar with a number holds the planted claim, that many hand-overs from where it was planted."
_CASCADE = "An arrow leads from the reply that said it to the call that read it; a dashed box is where it stopped."
_LATENCY = (
    "Seconds that each call took, by when it was sent. Shaded stretches: calls that a fault struck; "
    "pale line: the same workflow without the fault."
)


def _lead(cases: Sequence[Case]) -> str:
    parts = []
    for status, words in (("fail", "broke it"), ("unknown", "could not be told"), ("pass", "held")):
        amount = sum(case.status == status for case in cases)
        if amount:
            parts.append(f"{amount} {words}")
    broken = [case for case in cases if case.status == "fail"]
    text = f"{len(cases)} plan{'s' if len(cases) > 1 else ''} tried: {joined(parts)}."
    if broken:
        smallest = min(broken, key=lambda case: (len(case.run.plan), case.run.calls))
        costliest = max(broken, key=lambda case: (case.run.usd, case.run.calls))
        sentence = plan_in_short(smallest.run.plan)
        text += f" The smallest that breaks it: {sentence[0].lower()}{sentence[1:]}"
        text += f" The costliest ({costliest.name}): {_spent(costliest.run)}."
    return text


def _spent(run: Run) -> str:
    return (
        f"{count(run.calls)} call{'s' if run.calls != 1 else ''}, {count(run.tokens)} tokens, "
        f"{dollars(run.usd)}, {duration(run.seconds)} of virtual time"
    )


def _ended(run: Run) -> str:
    text = f"The run {run.outcome.replace('_', ' ')}"
    if run.stopped_by:
        text += f" ({run.stopped_by})"
    text += f" after {_spent(run)}."
    if run.error:
        text += f" Error: {run.error}."
    if run.demoted_by:
        text += f" Tier {run.tier} because of {joined(run.demoted_by)}."
    for rule, counted in run.faults.items():
        observed = "not told" if counted.observed is None else str(counted.observed)
        text += (
            f" Rule {rule}: fired {counted.fired}, reached {counted.reached}, changed {counted.changed}, "
            f"observed {observed}."
        )
    return text


def _finding(case: Case) -> Finding:
    verdict = case.decisive
    reason = verdict.reason if verdict else "no check was made"
    return Finding(
        status=case.status,
        sentence=reason,
        tier=case.run.tier,
        replay=replay_line(case.run) if case.status != "pass" else "",
        section=_anchor(case),
    )


def _anchor(case: Case) -> str:
    name = slug(case.name)
    return name if name[0].isalpha() else f"case-{name}"


def _section(case: Case) -> Section:
    name = _anchor(case)
    return Section(
        name=name,
        title=case.name,
        question=case.question,
        verdict=Finding(
            status=case.status,
            sentence=case.decisive.reason if case.decisive else "No check was made.",
            tier=case.run.tier,
            replay=replay_line(case.run),
        ),
        blocks=run_blocks(name, case.run, case.verdicts),
        advice=case.advice if case.status != "pass" else (),
    )


def _overview(cases: Sequence[Case]) -> Section:
    frame = pd.DataFrame([_row(case) for case in cases])
    shown = frame.assign(
        verdict=[f"{GLYPH[case.status]} {SAID[case.status]}" for case in cases],
        outcome=[case.run.outcome.replace("_", " ") for case in cases],
        seconds=[duration(case.run.seconds) for case in cases],
        usd=[dollars(case.run.usd) for case in cases],
    ).rename(columns={"stopped_by": "stopped by", "seconds": "virtual time", "usd": "US dollars"})
    caption = "Each plan that was tried, with the totals of its run."
    table = Table(name="plans", frame=frame, shown=shown, caption=caption)
    return Section(
        name="overview",
        title="Overview",
        question="Which faults does this workflow survive?",
        blocks=[table],
    )


def _row(case: Case) -> dict[str, str | int | float]:
    return {
        "plan": case.name,
        "verdict": case.status,
        "outcome": case.run.outcome,
        "stopped_by": case.run.stopped_by or "",
        "calls": case.run.calls,
        "seconds": case.run.seconds,
        "tokens": case.run.tokens,
        "usd": case.run.usd,
    }


def _downloads(cases: Sequence[Case]) -> Iterator[Download]:
    for case in cases:
        if case.run.plan:
            yield plan_download(slug(case.name), case.run.plan, case.run.schedule)
