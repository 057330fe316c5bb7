"""What ``groupthink`` says of its result: findings, figures, tables, advice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Finding, Interval, Note, Picture, Table, bootstrap_mean, wilson
from dissonance.reports.page import Block
from dissonance.reports.words import number

from ._dots import Curve, Dot, curves, dots
from ._effects import effect, percent, share
from ._panel import ARBITRATED, DEBATE, ONE, PROTOCOLS, REFLECT, VOTE, effective, voted
from ._thinking import Thinking
from .oracles import held_table

__all__ = ["ADVICE", "answer", "blocks", "costs", "flips", "judged", "protocol_finding"]

ADVICE = (
    "Before you pay for a panel, measure how its members' errors correlate, on questions whose answers you know: "
    "agreement says nothing by itself.",
    "Buy diversity first (other models, framings, sources), then voters: at a correlation of .6 a hundred voters are "
    "worth no more than 1.7.",
    "Keep the first, independent answers, and run the self-reflection control: what it changes as well is no merit of "
    "the exchange.",
    "An arbitrator helps where members differ. Where all of them agree on the same error, only something outside the "
    "panel can tell.",
)


def _span(worth: Interval) -> str:
    return f"{worth.estimate:.1f} (95 % {worth.low:.1f} to {worth.high:.1f}, n {worth.n} questions)"


def _worth(result: Thinking, voters: int, correlation: float) -> Interval | None:
    found = result.worth(voters, correlation)
    return None if found is None else Interval(found.effective, found.low, found.high, found.questions)


def judged(result: Thinking, voters: int, correlation: float) -> Finding:
    """What a panel of this correlation is worth, in independent voters, against what is needed."""
    worth = _worth(result, voters, correlation)
    if worth is None:
        sentence = f"{voters} voters, correlation {correlation:g}: too few questions to tell what they are worth."
        return Finding(status="unknown", sentence=sentence, tier=result.tier)
    needed = result.settings.needed
    status: Status = "pass" if worth.low >= needed else "fail" if worth.high < needed else "unknown"
    gained = effect(_hits(result.one()), _hits(result.arm(VOTE, voters, correlation)))
    sentence = (
        f"{voters} voters whose errors correlate by {correlation:g} are worth {_span(worth)} independent ones; their vote "
        f"gains {percent(gained, signed=True)} on one agent."
    )
    return Finding(status=status, sentence=sentence, tier=result.tier)


def _hits(runs: pd.DataFrame) -> list[float]:
    return [float(right) for right in runs["right"]]


def protocol_finding(result: Thinking) -> Finding:
    """What an arbitrator adds to a vote."""
    gained = effect(_hits(result.protocol(VOTE)), _hits(result.protocol(ARBITRATED)))
    status: Status = "pass" if gained.low > 0 else "fail" if gained.high < 0 else "unknown"
    told = "" if status != "unknown" else ": too few questions to tell it from none"
    alike = result.protocol(VOTE)
    wrong = alike[alike["alike"] & ~alike["right"]]
    sentence = (
        f"An arbitrator in place of the vote changes accuracy by {percent(gained, signed=True)}{told}; in "
        f"{share(len(wrong), len(alike))} questions all agreed on the same error, and it was not asked."
    )
    return Finding(status=status, sentence=sentence, tier=result.tier)


def flips(result: Thinking) -> Finding:
    """What hearing the others changes, less what thinking twice changes by itself."""
    lost = {each: _lost(result, each) for each in (DEBATE, REFLECT)}
    gained = effect(_hits(result.protocol(REFLECT)), _hits(result.protocol(DEBATE)))
    status: Status = "pass" if gained.low > 0 else "fail" if gained.high < 0 else "unknown"
    sentence = (
        f"After a round of debate {percent(lost[DEBATE])} of the voters who had been right were wrong, after "
        f"reflection alone {percent(lost[REFLECT])}; debate changes accuracy by {percent(gained, signed=True)} against that "
        f"control{'' if status != 'unknown' else ': too few questions to tell it from none'}."
    )
    return Finding(status=status, sentence=sentence, tier=result.tier)


def _lost(result: Thinking, protocol: str) -> Interval:
    heard = result.protocol(protocol)
    heard = heard[heard["heard"]]
    return wilson(int(heard["to_wrong"].sum()), int(heard["right_at_first"].sum()))


def costs(result: Thinking) -> Finding:
    """What the protocols cost, in calls and tokens of one agent."""
    one = result.one()
    parts = [
        f"{name} {number(_times(result, name, 'calls'))} times the calls and {number(_times(result, name, 'tokens'))} "
        "times the tokens"
        for name in PROTOCOLS[1:]
    ]
    dearest = max(_times(result, name, "calls") for name in PROTOCOLS[1:])
    status: Status = "fail" if dearest >= 3 else "pass"
    sentence = f"A panel of {result.settings.trio} costs, against one agent (n {len(one)}): {'; '.join(parts)}."
    return Finding(status=status, sentence=sentence, tier=result.tier)


def _times(result: Thinking, protocol: str, column: str) -> float:
    return float(result.protocol(protocol)[column].mean() / result.one()[column].mean())


def answer(result: Thinking) -> str:
    """The answer to the question, in one sentence."""
    voters = max(result.settings.panels)
    parts = []
    for correlation in result.settings.correlations:
        worth = _worth(result, voters, correlation)
        parts.append(f"correlation {correlation:g}: {'not known' if worth is None else _span(worth)}")
    return f"What {voters} voters are worth, in independent ones: {'; '.join(parts)}."


def blocks(result: Thinking) -> list[Block]:
    """The section's contents."""
    return [
        _condorcet(result),
        _effective(result),
        Note(text=_WAYS, heading="Five ways to an answer"),
        _protocols(result),
        _table(result),
        Note(text=_CLOSED, heading="Against closed forms"),
        Table(name="groupthink-closed-forms", frame=held_table(result.held), caption=_BOUNDS),
    ]


_WAYS = (
    "Voters who differ hear each other once (debate), or reconsider hearing nobody (reflection), or an arbitrator decides "
    "between their reasons. Only what debate does beyond reflection is the merit, or the fault, of the exchange."
)
_CLOSED = (
    "M(p, n) is Condorcet's probability that most of n independent voters are right. Where in a share rho of the questions "
    "all copy one draw, the pairwise correlation is rho and the vote is right with rho p + (1 - rho) M."
)
_BOUNDS = (
    "At this n, 99.9 % of such figures lie between the two bounds if the closed form is true; those of a correlation are "
    "drawn 20,000 times."
)


def _condorcet(result: Thinking) -> Picture:
    p, n = result.settings.right, result.settings.seeds
    xs = np.linspace(0, 1, 21).tolist()
    series = [Curve(label="one agent", line=[(x, p) for x in xs])]
    for voters in result.settings.panels:
        points = [(rho, result.right(result.arm(VOTE, voters, rho))) for rho in result.settings.correlations]
        line = [(x, voted(p, voters, x)) for x in xs]
        series.append(Curve(label=f"vote of {voters}", points=points, line=line))
    return curves(
        series,
        name="condorcet",
        across="correlation of the voters' being right",
        up="questions answered rightly",
        caption=(
            f"Voters who are right with p = {p:g} (n {n} questions a dot). Lines: closed form. Repeated runs of one model "
            "on GSM-Plus problems correlate by .41 to .61, two models by .34 to .47 (recomputed from the AG2 traces of MAST, "
            "arXiv 2503.13657); 71 models give the same wrong answer in 60 % of the cases in which two of them err "
            "(arXiv 2506.07962)."
        ),
    )


def _effective(result: Thinking) -> Picture:
    arms = [
        Dot(label=f"{voters} voters, correlation {rho:g}", value=worth, expected=effective(voters, rho))
        for voters, rho in result.ballots
        if (worth := _worth(result, voters, rho)) is not None
    ]
    return dots(
        arms,
        name="effective-voters",
        measure="effective number of independent voters",
        caption=(
            "n / (1 + (n - 1) rho), with the correlation measured on the votes and its interval (Wilson's way). A panel that "
            f"should be worth {result.settings.needed:g} voters holds where its whole interval lies above."
        ),
    )


def _protocols(result: Thinking) -> Picture:
    arms = [
        Dot(
            label=f"{name}, {number(_times(result, name, 'calls'))} x calls",
            value=result.right(result.protocol(name)),
            expected=result.expected(name),
        )
        for name in PROTOCOLS
    ]
    settings = result.settings
    return dots(
        arms,
        name="protocols",
        measure="questions answered rightly",
        caption=(
            f"{settings.trio} voters at a correlation of {settings.shared:g} (n {settings.seeds}). Assumed: a voter gives in to "
            f"most of the others with {settings.conformity:g}, changes its mind for no reason with {settings.doubt:g}; the "
            f"arbitrator finds the right of two answers with {settings.insight:g}. Measured of ten alike agents of 7 to 8 "
            "billion parameters: up to 70 % of the right gave in, at 2.1 to 3.4 times the tokens and no better accuracy "
            "(arXiv 2605.00914)."
        ),
    )


def _table(result: Thinking) -> Table:
    rows: list[dict[str, str | Interval]] = []
    for name in PROTOCOLS:
        runs = result.protocol(name)
        rows.append(
            {
                "protocol": name,
                "right": result.right(runs),
                "right to wrong": wilson(0, 0) if name in (ONE, VOTE, ARBITRATED) else _lost(result, name),
                **{
                    label: bootstrap_mean(runs[column].astype(float).tolist())
                    for column, label in (("calls", "calls"), ("tokens", "tokens"), ("seconds", "virtual seconds"))
                },
            }
        )
    return Table(
        name="protocol-costs",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption=(
            "The protocols: rates with Wilson's interval, means with the bootstrap's, 95 %. Right to wrong: of the votes that "
            "were right before a round, those that were wrong after it."
        ),
    )
