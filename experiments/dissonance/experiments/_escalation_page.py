"""What ``silent_escalation`` says of its result: findings, figures, tables, advice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Finding, Interval, Note, Picture, Table, bootstrap_mean, wilson
from dissonance.reports.page import Block

from ._desk import CALIBRATED, CERTAIN, SURE, Source, asked, missed, sharpened
from ._dots import Curve, Dot, curves, dots
from ._effects import at_most, percent, share
from ._escalation import Escalation
from .oracles import held_table

__all__ = ["ADVICE", "answer", "blocks", "calibration", "found", "load"]

ADVICE = (
    "Never let an agent's own confidence decide alone whether a human is asked: an agent that is wrong and sure passes "
    "every threshold.",
    "Add signals from outside: amounts over a limit, replies that did not parse, tools that failed, outputs of unusual "
    "length. They cost the human little and do not depend on what the agent thinks of itself.",
    "Measure calibration on cases whose outcome you know, before you choose a threshold, and again with each new model.",
    "What no signal can see (here the wrong payee) needs a check of its own: look the payee up.",
)

_SAID: dict[Source, str] = {
    CALIBRATED: "A calibrated agent",
    SURE: "An agent that is too sure",
    CERTAIN: "An agent that is certain of everything",
}


def found(result: Escalation, source: Source, threshold: float, signals: bool) -> Finding:
    """How much of what was wrong a gate let happen without asking anybody."""
    rate = result.missed(source, threshold, signals)
    status = at_most(rate, result.settings.allowed)
    with_signals = " and signals from outside" if signals else ""
    told = (
        f"{_SAID[source]}, a threshold of {threshold:g}{with_signals}: {percent(rate)} of the wrong payments were made and "
        f"no human was asked; one was asked about {percent(result.asked(source, threshold, signals))} of all"
    )
    if status == "unknown":
        told += f"; whether at most {100 * result.settings.allowed:.0f} % are missed can't be told from so few"
    return Finding(status=status, sentence=f"{told}.", tier=result.tier)


def calibration(result: Escalation) -> Finding:
    """How far stated confidence is above what came true."""
    parts, over = [], []
    for source in (CALIBRATED, SURE, CERTAIN):
        cases = result.arm(source, result.settings.chief, False)
        gap = bootstrap_mean((cases["confidence"] - ~cases["wrong"]).astype(float).tolist())
        parts.append(f"{source} {percent(gap, signed=True)}")
        over.append(gap)
    status: Status = "fail" if over[-1].low > 0 else "pass" if over[-1].high <= 0 else "unknown"
    return Finding(
        status=status,
        sentence=f"Stated confidence, less the share that was right: {'; '.join(parts)}.",
        tier=result.tier,
    )


def load(result: Escalation) -> Finding:
    """What signals cost the human: the right payments that they stop."""
    chief = result.settings.chief
    off, on = (result.arm(SURE, chief, signals) for signals in (False, True))
    more = int(on["asked"].sum()) - int(off["asked"].sum())
    caught = int(off["silent"].sum()) - int(on["silent"].sum())
    sentence = (
        f"Signals from outside put {share(more, len(on))} further cases before the human; wrong ones that would have happened "
        f"among them: {caught}."
    )
    return Finding(status="pass" if caught > 0 else "unknown", sentence=sentence, tier=result.tier)


def answer(result: Escalation) -> str:
    """The answer to the question, in one sentence."""
    chief = result.settings.chief
    parts = [
        f"{source}{' with signals' if signals else ''} {percent(result.missed(source, chief, signals))}"
        for source, threshold, signals in result.settings.arms()
        if threshold == chief
    ]
    return f"Wrong payments that no human was asked about, at a threshold of {chief:g}: {', '.join(parts)}."


def blocks(result: Escalation) -> list[Block]:
    """The section's contents."""
    return [
        _missed(result),
        _asked(result),
        _reliability(result),
        _kinds(result),
        _table(result),
        Note(text=_CLOSED, heading="Against closed forms"),
        Table(name="escalation-closed-forms", frame=held_table(result.held), caption=_BOUNDS),
    ]


_CLOSED = (
    "The odds p of a case are Beta(2, 2). An agent whose confidence is sigmoid(3 logit p) passes a threshold from "
    "t = sigmoid(logit(threshold) / 3) on; the share asked about is I_t(2, 2) = 3t^2 - 2t^3, and the share of wrong ones "
    "above t is 1 - 2 (3t^2 - 4t^3 + 1.5t^4). Signals see two thirds of the wrong payments, and the tenth of the right "
    "ones that are large."
)
_BOUNDS = "At this n, 99.9 % of such figures lie between the two bounds if the closed form is true."


def _label(source: Source, threshold: float, signals: bool) -> str:
    return f"{source}, {threshold:g}{', signals' if signals else ''}"


def _missed(result: Escalation) -> Picture:
    arms = [Dot(label=_label(*arm), value=result.missed(*arm), expected=missed(*arm)) for arm in result.settings.arms()]
    return dots(
        arms,
        name="wrong-and-unasked",
        measure="wrong payments made without a human",
        bound=result.settings.allowed,
        caption=(
            "By agent, threshold, and whether signals from outside are looked at. Agents that solved 22 to 35 % of their tasks "
            "said up to 77 % (arXiv 2602.06948); 7,146 published AG2 runs never asked a human, and 881 of them were wrong "
            "(recounted from the traces of MAST, arXiv 2503.13657)."
        ),
    )


def _asked(result: Escalation) -> Picture:
    arms = [Dot(label=_label(*arm), value=result.asked(*arm), expected=asked(*arm)) for arm in result.settings.arms()]
    return dots(
        arms,
        name="asked",
        measure="cases that a human was asked about",
        caption=(
            "What the same gates cost in attention. An agent whose cases are as hard as these and who knows it sends most of "
            "them to a human; one that is too sure saves the human work that should have been done."
        ),
    )


_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def _reliability(result: Escalation) -> Picture:
    chief = result.settings.chief
    xs = np.linspace(0.02, 0.98, 49).tolist()
    lines = {CALIBRATED: [(x, x) for x in xs], SURE: [(x, sharpened(x, 1 / 3)) for x in xs], CERTAIN: []}
    sources: tuple[Source, ...] = (CALIBRATED, SURE, CERTAIN)
    series = [
        Curve(label=source, points=_binned(result.arm(source, chief, False)), line=lines[source]) for source in sources
    ]
    return curves(
        series,
        name="reliability",
        across="confidence that the agent states",
        up="payments that are right",
        caption=(
            "Stated confidence against what came true, in five bins (dots at their mean, Wilson intervals) and by closed form "
            "(lines). On the diagonal the two are equal; below it, the agent is too sure."
        ),
    )


def _binned(cases: pd.DataFrame) -> list[tuple[float, Interval]]:
    found = []
    for low, high in pairwise(_BINS):
        some = cases[(cases["confidence"] > low) & (cases["confidence"] <= high)]
        if not some.empty:
            found.append((float(some["confidence"].mean()), wilson(int((~some["wrong"]).sum()), len(some))))
    return found


def _kinds(result: Escalation) -> Table:
    rows = [
        {
            "what is wrong": kind,
            "seen by": by,
            "missed without signals": result.of_kind(kind, False),
            "missed with signals": result.of_kind(kind, True),
        }
        for kind, by in (("amount", "the limit on amounts"), ("note", "the usual length"), ("payee", "nothing"))
    ]
    return Table(
        name="missed-by-kind",
        frame=pd.DataFrame(
            [
                {
                    "kind": row["what is wrong"],
                    "signals": on,
                    "missed": v.estimate,
                    "low": v.low,
                    "high": v.high,
                    "n": v.n,
                }
                for row in rows
                for on, column in ((False, "missed without signals"), (True, "missed with signals"))
                if isinstance(v := row[column], Interval)
            ]
        ),
        shown=pd.DataFrame(rows),
        caption=f"Wrong payments of the agent that is too sure, at a threshold of {result.settings.chief:g}, by what is wrong.",
    )


def _table(result: Escalation) -> Table:
    rows: list[dict[str, str | Interval]] = []
    for arm in result.settings.arms():
        cases = result.arm(*arm)
        done = cases[cases["done"]]
        rows.append(
            {
                "agent and gate": _label(*arm),
                "asked": result.asked(*arm),
                "wrong and not asked": result.missed(*arm),
                "wrong among paid": wilson(int(done["wrong"].sum()), len(done)),
                "virtual seconds a case": bootstrap_mean(cases["seconds"].tolist()),
            }
        )
    return Table(
        name="escalations",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption="Each arm: rates with Wilson's interval. A human answers after a minute. The CSV has every case.",
    )
