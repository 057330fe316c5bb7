"""What ``decision_framework`` says of its result: the framework itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from dissonance.harness.checks.verdict import Status, worst
from dissonance.reports import Cell, Finding, Interval, Note, Picture, Table, matrix
from dissonance.reports.page import Block
from dissonance.reports.words import duration, joined, number

from ._composite import ANY, FAULTS, LAYERS
from ._dots import Dot, dots
from ._effects import percent, share
from ._framework import Framework
from ._trials import TRIALS, WITH, WITHOUT

__all__ = ["ADVICE", "answer", "blocks", "composed", "found", "verdict_of"]

ADVICE = (
    "Begin with one agent, and add the pattern whose gain you can measure on your own work. Each costs calls, tokens and "
    "time from the first day.",
    "Where patterns are combined, take each layer out in turn under the fault that it is there for: a layer without which "
    "nothing breaks is not paid for by safety.",
    "Put checks in code before opinions, and the human last and only before what cannot be taken back.",
)


def found(result: Framework, pattern: str) -> Finding:
    """What a pattern gains over doing without, and what it costs against one agent."""
    trial, gain = TRIALS[pattern], result.gain(pattern)
    better = gain.low > 0 if trial.more else gain.high < 0
    worse = gain.high < 0 if trial.more else gain.low > 0
    status: Status = "pass" if better else "fail" if worse else "unknown"
    told = percent(gain, signed=True) if trial.rate else f"{number(gain.estimate)} (n {gain.n} pairs)"
    arms = [_amount(result.figure(pattern, arm)) for arm in (WITHOUT, WITH)]
    doubt = "" if status != "unknown" else ", too few runs to tell it from none"
    sentence = (
        f"{pattern}: {trial.measure}, {arms[0]} ({trial.without}) against {arms[1]}: a change of {told}{doubt}, for "
        f"{number(result.times(pattern, 'calls').estimate)} times the calls and "
        f"{number(result.times(pattern, 'seconds').estimate)} times the time of one agent."
    )
    return Finding(status=status, sentence=sentence, tier=result.tier)


def _amount(value: Interval) -> str:
    return f"{100 * value.estimate:.0f} %" if value.percent else number(value.estimate)


def composed(result: Framework) -> Finding:
    """What the composite holds, and only with which layer."""
    table = result.composites[result.composites["struck"]]
    whole, bare = (table[table["without"] == layer] for layer in ("", ANY))
    broken = table[table["without"].isin(LAYERS) & ~table["held"]]
    without = [f"without its {row['without']} under {row['fault']!r}" for row in broken.to_dict("records")]
    sentence = (
        f"The composite as a whole held under {share(int(whole['held'].sum()), len(whole))} plans, without any of its layers "
        f"under {share(int(bare['held'].sum()), len(bare))}"
    )
    sentence += f"; it broke {joined(without)}." if without else "; it held without any one of them, too."
    return Finding(status="pass" if whole["held"].all() else "fail", sentence=sentence, tier=result.tier)


def verdict_of(result: Framework) -> Status:
    """*pass* where each pattern's gain can be told from none and the composite held."""
    return worst([*(found(result, pattern) for pattern in TRIALS), composed(result)])


def answer(result: Framework) -> str:
    """The answer to the question, in one sentence."""
    parts = [
        f"{pattern} {_amount(result.figure(pattern, WITHOUT))} to {_amount(result.figure(pattern, WITH))} {trial.measure}"
        for pattern, trial in TRIALS.items()
    ]
    return f"What each pattern changes: {'; '.join(parts)}."


def blocks(result: Framework) -> list[Block]:
    """The section's contents."""
    return [
        _framework(result),
        _costs(result),
        Note(text=_COMPOSITE, heading="All of them together"),
        _layers(result),
        _composites(result),
    ]


_COMPOSITE = (
    "Two researchers at once, each in a box of three minutes; a supervisor whose first signal is the ledger and whose second "
    "a judge; a panel of three and an arbitrator where more than 10,000 dollars are at stake; a human before such a sum is "
    "paid. Each row is a fault, each column the workflow without one of its layers; the last has none of them."
)


def _framework(result: Framework) -> Table:
    rows: list[dict[str, str | Interval]] = [
        {
            "pattern": pattern,
            "bought for": trial.measure,
            "without": result.figure(pattern, WITHOUT),
            "with": result.figure(pattern, WITH),
            "calls, times one agent": result.times(pattern, "calls"),
            "tokens": result.times(pattern, "tokens"),
            "time": result.times(pattern, "seconds"),
            "when to use it": trial.when,
        }
        for pattern, trial in TRIALS.items()
    ]
    return Table(
        name="framework",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption=(
            f"The decision framework, measured (n {result.seeds} paired seeds; rates with Wilson's interval, means with the bootstrap's). Without: "
            f"{'; '.join(f'{pattern}: {trial.without}' for pattern, trial in TRIALS.items())}. Costs are ratios to one agent asked "
            "once for the same; of the human gate, to the same desk without a human, who takes five minutes an answer. The chain's include its crash."
        ),
    )


def _costs(result: Framework) -> Picture:
    arms = [
        Dot(label=f"{pattern.replace('_', ' ')}, {label}", value=result.times(pattern, column))
        for pattern in TRIALS
        for label, column in (("calls", "calls"), ("tokens", "tokens"), ("time", "seconds"))
    ]
    return dots(
        arms,
        name="pattern-costs",
        measure="times what one agent needs",
        caption=(
            "What each pattern costs, seed by seed, against one agent asked once. Measured elsewhere, over 180 configurations: "
            "58 % more turns for independent agents, 263 % for decentralised and 285 % for centralised ones (arXiv 2512.08296)."
        ),
    )


def _layers(result: Framework) -> Picture:
    columns = ["all layers", *(f"without {layer}" for layer in (*LAYERS, ANY))]
    cells = {
        (str(row["fault"]), f"without {row['without']}" if row["without"] else "all layers"): Cell(
            _cell_status(row), f"{row['outcome']}\n{duration(float(row['seconds']))}"
        )
        for row in result.composites.to_dict("records")
    }
    return matrix(
        cells,
        list(FAULTS),
        columns,
        name="composite-layers",
        caption=(
            "The composite under each fault, whole and without each layer: what was paid, and when it was over. It broke where a "
            "wrong sum was paid or twenty minutes were not enough; a question mark: the fault found nothing to strike. The model believes all it reads, so the panel agrees with what it is "
            "shown; what a panel is worth stands under Groupthink."
        ),
    )


def _cell_status(row: Mapping[Hashable, Any]) -> Status:
    """A plan of which nothing fired, as where no human is asked, proves nothing."""
    if not row["struck"]:
        return "unknown"
    return "pass" if row["held"] else "fail"


def _composites(result: Framework) -> Table:
    shown = result.composites[["fault", "without", "outcome", "held", "calls", "tokens", "seconds", "usd"]]
    return Table(
        name="composites",
        frame=result.composites,
        shown=shown.assign(
            without=shown["without"].replace("", "nothing"), held=shown["held"].map({True: "yes", False: "no"})
        ),
        caption="The composite's runs: one each, since all of it is deterministic.",
    )
