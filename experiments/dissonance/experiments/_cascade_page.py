"""What ``cascade_depth`` says of its result: findings, figures, tables, advice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Cell, Finding, Interval, Note, Picture, Table, bootstrap_mean, matrix, wilson
from dissonance.reports.page import Block
from dissonance.reports.words import number

from ._cascade import Cascades
from ._cascades import CONTROLS, NONE, PATTERNS
from ._dots import Curve, Dot, curves, dots
from ._effects import effect, percent, share
from ._spread import taint
from .oracles import held_table

__all__ = ["ADVICE", "answer", "blocks", "control_finding", "reach", "verdict_of"]

ADVICE = (
    "Check at each boundary, and against something outside: a register, a document, a computation. A checker that only "
    "sees the claim lets through what it believes itself.",
    "Plant true claims as well as false ones when you test a control. One that stops both has not caught anything.",
    "A vote protects those who are asked several times, and nobody else: put the reducer and the lead under the same "
    "control as those below them.",
    "Keep lines short. Without corrections a claim goes to the end of any line; with a correction of .2 a hop, half of "
    "them are left after three.",
)

_SAID = {
    "citations": "A citation gate at each boundary",
    "cross-check": "A cross-check against a register",
    "fresh context": "A checker in a fresh context, without evidence,",
    "quarantine": "A quarantine that withholds what nobody verified",
    "consensus": "A consensus of two in three independent voices",
}


def _status(result: Cascades, control: str, pattern: str | None = None) -> Status:
    """*fail*: a false claim was delivered; *unknown*: none was, and true ones fared no better; *pass*: they did."""
    false, true = (result.arm(control, twin, pattern)["delivered"] for twin in ("false", "true"))
    if false.any():
        return "fail"
    return "pass" if true.sum() > false.sum() else "unknown"


def reach(result: Cascades) -> Finding:
    """How far claims go where nothing stops them."""
    runs = result.arm(NONE, "false")
    deepest = runs.sort_values("depth", kind="stable").iloc[-1].to_dict()
    secondary = bootstrap_mean(runs["secondary"].dropna().astype(float).tolist())
    sentence = (
        f"Without a control, false claims stood in what was delivered in {share(int(runs['delivered'].sum()), len(runs))} "
        f"runs; they went up to {int(deepest['depth'])} agents deep ({deepest['pattern']}), and each infected reply "
        f"infected {number(secondary.estimate)} more where anybody read it (R0, n {secondary.n})."
    )
    return Finding(status=_status(result, NONE), sentence=sentence, tier=result.tier)


def control_finding(result: Cascades, control: str) -> Finding:
    """What a control does to false claims, and to true ones."""
    runs = result.arm(control, "false")
    bare = _paired(result, control)
    counts = {twin: result.arm(control, twin)["delivered"] for twin in ("false", "true")}
    told = ", ".join(f"{twin} claims in {share(int(found.sum()), len(found))} runs" for twin, found in counts.items())
    status = _status(result, control)
    through = [pattern for pattern in PATTERNS if _status(result, control, pattern) == "fail"]
    said = f"{_SAID[control]} let through {told} (false: {percent(bare, signed=True)} against none)"
    if status == "unknown":
        said += ": they were lost, not caught"
    if through:
        said += f"; false ones came through in {', '.join(through)}"
    calls = runs["calls"].mean() / result.arm(NONE, "false")["calls"].mean()
    return Finding(status=status, sentence=f"{said}; {number(calls)} times the calls.", tier=result.tier)


def _paired(result: Cascades, control: str) -> Interval:
    key = ["pattern", "hop", "seed"]
    with_it = result.arm(control, "false").set_index(key)["delivered"].astype(float)
    without = result.arm(NONE, "false").set_index(key)["delivered"].astype(float).loc[with_it.index]
    return effect(without.tolist(), with_it.tolist())


def verdict_of(result: Cascades) -> Status:
    """*pass* where at least one control caught what was false and let through what was true."""
    found = [_status(result, control) for control in CONTROLS[1:]]
    return "pass" if "pass" in found else "fail" if "fail" in found else "unknown"


def answer(result: Cascades) -> str:
    """The answer to the question, in one sentence."""
    parts = [
        f"{control} {share(int(f.sum()), len(f))} ({share(int(t.sum()), len(t))})"
        for control in CONTROLS
        for f, t in [(result.arm(control, "false")["delivered"], result.arm(control, "true")["delivered"])]
    ]
    return f"Runs that delivered the false claim (in brackets: its true twin), by control: {', '.join(parts)}."


def blocks(result: Cascades) -> list[Block]:
    """The section's contents."""
    return [
        _matrix(result),
        _twins(result),
        Note(text=_LINES, heading="A line of agents that correct"),
        _taint(result),
        _elaboration(result),
        _table(result),
        Note(text=_CLOSED, heading="Against closed forms"),
        Table(name="cascade-closed-forms", frame=held_table(result.held), caption=_BOUNDS),
    ]


_LINES = (
    "Real models correct some of what they read and invent some of what they say. With correction c and invention e a hop, "
    "the share of tainted outputs tends to e / (e + c) whatever it was at first; a claim that was planted is left after n "
    "hops with (1 - c)^n."
)
_CLOSED = (
    "Lines, trees and elaborated claims under models with known odds. In a tree each agent tells b others, who pass the "
    "claim on with p: b p is R0, and above 1 the claim grows with each level."
)
_BOUNDS = "At this n, 99.9 % of such figures lie between the two bounds if the closed form is true."


def _matrix(result: Cascades) -> Picture:
    cells = {
        (pattern, control): _cell(result, control, pattern)
        for pattern in PATTERNS
        for control in CONTROLS
        if not result.arm(control, "false", pattern).empty
    }
    return matrix(
        cells,
        list(PATTERNS),
        CONTROLS,
        name="cascade-matrix",
        caption=(
            f"Runs in which the planted claim was delivered, false and true twin (n {result.settings.seeds} claims at each of "
            "the pattern's places). A check: no false one was, and true ones were. A cross: a false one was. A question "
            "mark: neither was, so nothing was caught. The model believes all it reads, so this is as far as the "
            "architecture lets a claim go. Debate has no boundary but its own: a claim in one voice's "
            "reasons is no conclusion. Consensus stands at each agent's work, not at the reducer or the lead."
        ),
    )


def _cell(result: Cascades, control: str, pattern: str) -> Cell:
    found = [result.arm(control, twin, pattern)["delivered"] for twin in ("false", "true")]
    text = "\n".join(
        f"{twin} {int(each.sum())}/{len(each)}" for twin, each in zip(("false", "true"), found, strict=True)
    )
    return Cell(_status(result, control, pattern), text)


def _twins(result: Cascades) -> Picture:
    arms = [
        Dot(label=f"{control}, {twin}", value=result.delivered(control, twin))
        for control in CONTROLS
        for twin in ("false", "true")
    ]
    return dots(
        arms,
        name="delivered-by-control",
        measure="runs whose output holds the planted claim",
        caption=(
            "Over all patterns and places. The checkers recognise a false claim in a fresh context with "
            f"{result.settings.alone:g}, as GPT-4 did its own (.87; GPT-3.5 .67, Llama 2 70B .94: arXiv 2305.13534); given the "
            f"register, with {result.settings.shown:g} (an assumption)."
        ),
    )


def _taint(result: Cascades) -> Picture:
    hops = result.settings.hops
    xs = np.linspace(0, hops, 40).tolist()
    series = []
    for (correction, invention, planted), samples in result.taints.items():
        label = f"planted, c {correction:g}" if planted else f"invented, c {correction:g}, e {invention:g}"
        points = [(hop, wilson(sum(holds[hop] for holds in samples), len(samples))) for hop in range(hops + 1)]
        line = [(x, _between(x, correction, invention, planted)) for x in xs]
        series.append(Curve(label=label, points=points, line=line))
    return curves(
        series,
        name="taint-by-hop",
        across="hops from the start",
        up="outputs that hold the claim",
        caption=(
            f"Lines of {hops} agents, n {result.settings.samples} runs (Wilson intervals), against the closed forms. In 500 "
            "measured cascades of three agents the share of hallucinated content fell to .644 of the first agent's (arXiv 2606.07937): lines "
            "of agents can also heal."
        ),
    )


def _between(x: float, correction: float, invention: float, planted: bool) -> float:
    whole = int(x)
    first = 1.0 if planted else 0.0
    here, there = (taint(n, correction, invention, first) for n in (whole, whole + 1))
    return here + (x - whole) * (there - here)


def _elaboration(result: Cascades) -> Picture:
    series = [
        Curve(
            label=f"each hop adds {more}",
            points=[(hop, Interval(copies, copies, copies, 1)) for hop, copies in enumerate(found)],
            line=[(hop, float((1 + more) ** hop)) for hop in range(len(found))],
        )
        for more, found in result.copies.items()
    ]
    return curves(
        series,
        name="elaboration",
        across="hops from the start",
        up="claims that rest on the planted one",
        shares=False,
        caption=(
            "A falsehood that each agent elaborates: derived claims, counted in its replies (dots, one run each; the model is "
            "deterministic), and (1 + k)^d (lines)."
        ),
    )


def _table(result: Cascades) -> Table:
    rows: list[dict[str, str | Interval]] = []
    for pattern, slots in PATTERNS.items():
        for slot in slots:
            runs = result.arm(NONE, "false", pattern)
            runs = runs[runs["hop"] == slot.hop]
            rows.append(
                {
                    "pattern and place": f"{pattern}, {slot.agent}",
                    **{
                        label: bootstrap_mean(runs[column].dropna().astype(float).tolist())
                        for column, label in (
                            ("depth", "depth"),
                            ("breadth", "agents"),
                            ("exposed", "calls exposed"),
                            ("infected", "replies infected"),
                            ("secondary", "R0"),
                            ("amplification", "amplification"),
                            ("seconds", "virtual seconds"),
                        )
                    },
                }
            )
    return Table(
        name="cascades",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption="Where a false claim goes without a control, by where it is planted. The CSV has every run.",
    )
