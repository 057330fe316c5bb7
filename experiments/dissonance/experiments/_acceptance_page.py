"""What ``false_acceptance`` says of its result: findings, figures, tables, advice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Finding, Interval, Note, Picture, Table, bootstrap_mean, wilson
from dissonance.reports.page import Block
from dissonance.reports.words import number

from ._acceptance import Acceptance
from ._dots import Curve, Dot, curves, dots
from ._effects import at_most, effect, percent, share
from ._judges import BOTH, GATES, JUDGE_ALONE, NO_GATE, SIGNALS
from .oracles import held_table

__all__ = ["ADVICE", "answer", "blocks", "found", "retries"]

ADVICE = (
    "Let code decide what code can: look critical facts up, run the tests, validate the schema, and ask a model only "
    "about the rest.",
    "Measure your judge on work that you know to be wrong. What it does with right work says nothing: a judge that "
    "accepts everything gets that right as well.",
    "Do not retry until a judge is content: each retry is another draw at the same gate, and the share of wrong work "
    "among what passes stays what it was.",
    "Tell a worker what was wrong. A blind retry only draws again.",
)

_SAID = {
    JUDGE_ALONE: "A judging model alone",
    SIGNALS: "Signals that code reads",
    BOTH: "Signals, and a judge for what they leave open,",
}


def found(result: Acceptance, gate: str) -> Finding:
    """What a gate lets through, beside none, on the same first attempts."""
    rate = result.wrong(gate)
    allowed = result.settings.allowed
    status = at_most(rate, allowed)
    told = f"{_SAID[gate]} left {percent(rate)} of the delivered work wrong"
    if gate == JUDGE_ALONE:
        passed = result.arm(gate)
        n, hits = int(passed["judged_wrong"].sum()), int(passed["accepted_wrong"].sum())
        told += f": it accepted {share(hits, n)} wrong attempts"
    told += f"; without a gate {percent(result.wrong(NO_GATE))} were"
    if status == "unknown":
        told += f"; whether that is within the {100 * allowed:.0f} % allowed can't be told from so few runs"
    return Finding(status=status, sentence=f"{told}.", tier=result.tier)


def retries(result: Acceptance) -> Finding:
    """What telling a worker what was wrong is worth."""
    blind, told = (result.retried(informed)["attempts"].astype(float).tolist() for informed in (False, True))
    saved = effect(blind, told)
    status: Status = "pass" if saved.high < 0 else "fail" if saved.low > 0 else "unknown"
    sentence = (
        f"Retries that say what was wrong need {number(sum(told) / len(told))} attempts on average, blind ones "
        f"{number(sum(blind) / len(blind))} (difference {saved.estimate:+.2f}, {saved.low:+.2f} to {saved.high:+.2f}, "
        f"n {saved.n} pairs)."
    )
    return Finding(status=status, sentence=sentence, tier=result.tier)


def answer(result: Acceptance) -> str:
    """The answer to the question, in one sentence."""
    parts = ", ".join(f"{gate} {percent(result.wrong(gate))}" for gate in GATES)
    return f"Wrong work among what was delivered, by gate: {parts}."


def blocks(result: Acceptance) -> list[Block]:
    """The section's contents."""
    return [
        _gates(result),
        _bayes(result),
        Note(text=_RETRIES, heading="Informed against blind retries"),
        _retry_curves(result),
        _table(result),
        Note(text=_CLOSED, heading="Against closed forms"),
        Table(name="acceptance-closed-forms", frame=held_table(result.held), caption=_BOUNDS),
    ]


_RETRIES = (
    "A letter must have some items; its writer overlooks each mention of one with a fixed probability. A blind retry "
    "reads the task again. An informed one reads the task, its own last attempt and what was missing from it, so that "
    "every item stands there twice."
)
_CLOSED = (
    "With p the share of right attempts, a gate that accepts right work with probability a and wrong work with b "
    "leaves (1 - p) b / (p a + (1 - p) b) of what it accepts wrong. The measured judge of a = .96, b = .75 removes a "
    "sixth of the error at p = .7."
)
_BOUNDS = "At this n, 99.9 % of such figures lie between the two bounds if the closed form is true."


def _gates(result: Acceptance) -> Picture:
    right = result.settings.right
    arms = [Dot(label=gate, value=result.wrong(gate), expected=result.posterior(gate, right)) for gate in GATES]
    return dots(
        arms,
        name="wrong-by-gate",
        measure="wrong work among what was delivered",
        bound=result.settings.allowed,
        caption=(
            f"What each gate lets through where {100 * right:.0f} % of the attempts are right (n {result.settings.seeds} tasks a "
            f"gate, at most {result.settings.attempts} attempts). The judge's rates, TPR {result.settings.tpr:g} and TNR "
            f"{result.settings.tnr:g}, are those measured of 14 model judges on 366 programs (arXiv 2510.11822: above .96, "
            f"below .25). The register knows {100 * result.settings.coverage:.0f} % of the claims."
        ),
    )


def _bayes(result: Acceptance) -> Picture:
    params = result.settings
    xs = np.linspace(0.2, 0.99, 60).tolist()
    series = [Curve(label="no gate: 1 - p", line=[(x, 1 - x) for x in xs])]
    for gate in (JUDGE_ALONE, SIGNALS):
        points = [(right, result.wrong(gate, right)) for right in sorted({params.right, *params.others})]
        series.append(Curve(label=gate, points=points, line=[(x, result.posterior(gate, x)) for x in xs]))
    return curves(
        series,
        name="wrong-by-prior",
        across="share of attempts that are right, p",
        up="wrong among the delivered",
        caption=(
            "Lines: Bayes. Dots: runs, with Wilson intervals. A judge that rejects a quarter of the wrong work hardly "
            "leaves the line of no gate at all, whatever the workers are worth."
        ),
    )


def _retry_curves(result: Acceptance) -> Picture:
    f, g = result.failing()
    series = []
    for informed, label in ((False, "blind"), (True, "informed")):
        runs = result.retried(informed)
        done = [(k, int(((runs["attempts"] <= k) & runs["delivered"]).sum())) for k in range(1, 7)]
        again = g if informed else f
        series.append(
            Curve(
                label=f"{label} retries",
                points=[(k, wilson(hits, len(runs))) for k, hits in done],
                line=[(k, 1 - f * again ** (k - 1)) for k in range(1, 7)],
            )
        )
    return curves(
        series,
        name="informed-retries",
        across="attempts made",
        up="letters complete by then",
        caption=(
            f"Letters of {result.settings.items} items, each mention overlooked with probability "
            f"{result.settings.overlooks:g} (an assumption; n {result.settings.seeds}). Lines: closed forms, 1 - f g^(k-1)."
        ),
    )


def _table(result: Acceptance) -> Table:
    rows: list[dict[str, str | Interval]] = []
    for gate in GATES:
        runs = result.arm(gate)
        rows.append(
            {
                "gate": gate,
                "wrong among delivered": result.wrong(gate),
                "delivered": wilson(int(runs["delivered"].sum()), len(runs)),
                **{
                    label: bootstrap_mean(runs[column].astype(float).tolist())
                    for column, label in (("attempts", "attempts"), ("calls", "calls"), ("usd", "US dollars"))
                },
            }
        )
    return Table(
        name="gates",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption="Each gate: rates with Wilson's interval, means with the bootstrap's, 95 %. The CSV has every run.",
    )
