"""What ``loop_termination`` says of its result: findings, figures, tables, advice."""

from __future__ import annotations

import pandas as pd

from dissonance.reports import (
    Cell,
    Finding,
    Interval,
    Picture,
    Table,
    bootstrap_mean,
    cost_curves,
    matrix,
    plan_sentence,
    wilson,
)
from dissonance.reports.words import count, dollars, duration, joined, number

from ._loops import ALL, CAUSES, CONTROLS, LOOPS, NONE, SELF_REPORTED
from ._termination import Termination
from .oracles import held_table

__all__ = [
    "ADVICE",
    "CLOSED_FORMS",
    "EVERY_ARM",
    "answer",
    "arm_table",
    "closed_forms",
    "control_finding",
    "curves",
    "honest",
    "loop_matrix",
    "loops_table",
    "trusted",
    "unguarded",
    "worst_loop",
]

ADVICE = (
    "Give every loop a step budget that the orchestrator counts. It needs no knowledge of the loop, and it is the "
    "bound that holds when the others are fooled.",
    "Add a cycle detector and a progress check to stop earlier: the budget must leave room for honest work, they need not.",
    "Measure progress by something that code can count (checks passed, new results), never by the text: text changes "
    "for free.",
    "Never let an agent keep its own budget. It does not see its earlier contexts, and a bare tool call has no room "
    "for a report.",
)

EVERY_ARM = (
    "A seed draws the size of the task and the pace of each call. Where the bounds of an interval are equal, all seeds "
    "gave the same figure: the stop depends on the steps alone."
)
CLOSED_FORMS = (
    "The same machinery on loops whose law is known: whether a judge rejects, an agent hands over or a lead has one "
    "child more is drawn by a hash of seed, agent and call. If these figures were wrong, so would be the others."
)

# --- what they say ----------------------------------------------------------------------------


def _stopped_loops(result: Termination, control: str) -> list[str]:
    return [loop.name for loop in LOOPS if result.faulty(control, loop.name)["stopped"].all()]


def unguarded(result: Termination) -> Finding:
    """What the loops do where nothing stops them."""
    runs = result.faulty(NONE)
    running = runs[~runs["stopped"]]
    time = duration(result.settings.minutes * 60)
    if running.empty:
        return Finding(status="pass", sentence=f"Without a control every loop ended by itself within {time}.")
    dearest = running.sort_values("usd").iloc[-1]
    return Finding(
        status="fail",
        sentence=(
            f"Without a control {running['loop'].nunique()} of {len(LOOPS)} loops were still running after {time} of "
            f"virtual time: {count(running['calls'].mean())} calls on average, up to {count(running['tokens'].max())} "
            f"tokens and {dollars(float(running['usd'].max()))} ({dearest['loop']})."
        ),
        tier=result.tier,
    )


_NAMED = {
    "step budget": "A step budget alone",
    "cycle detector": "A cycle detector alone",
    "monotonic progress": "A progress check alone",
    ALL: "All three controls together",
    SELF_REPORTED: "A budget that the agents keep themselves",
}


def control_finding(result: Termination, control: str) -> Finding:
    """What this control stops, how soon, and what it misses."""
    runs = result.faulty(control)
    stopped = _stopped_loops(result, control)
    missed = [loop.name for loop in LOOPS if loop.name not in stopped]
    rate = wilson(int(runs["stopped"].sum()), len(runs))
    interval = f"{rate.low * 100:.0f} to {rate.high * 100:.0f} %"
    ended = runs[runs["stopped"]]
    said = f"{_NAMED[control]} stopped {len(ended)} of {len(runs)} runs ({interval})"
    if not ended.empty:
        said += f", after {number(ended['calls'].mean())} calls and {dollars(float(ended['usd'].mean()))} on average"
    if missed:
        said += f"; not stopped: {joined(missed)}"
    return Finding(status="fail" if missed else "pass", sentence=f"{said}.", tier=result.tier)


def honest(result: Termination) -> Finding:
    """How often a control stopped work that was no loop."""
    runs = result.table[~result.table["faulty"]]
    cut = runs[(runs["outcome"] != "completed") | (runs["stopped_by"] != "")]
    rate = wilson(len(cut), len(runs))
    return Finding(
        status="fail" if len(cut) else "pass",
        sentence=(
            f"Without a fault, the controls cut {len(cut)} of {len(runs)} runs short "
            f"(at most {rate.high * 100:.1f} % at 95 %){': ' if len(cut) else ''}{joined(sorted(set(cut['loop'])))}."
        ),
        tier=result.tier,
    )


def trusted(result: Termination) -> Finding:
    """Whether the figures that have a closed form agree with it."""
    off = [held.figure for held in result.held if not held.agrees]
    agreeing = len(result.held) - len(off)
    said = f"{agreeing} of {len(result.held)} simulated figures agree with their closed forms within sampling error"
    return Finding(
        status="fail" if off else "pass", sentence=f"{said}{': not ' + joined(off) if off else ''}.", tier=result.tier
    )


def answer(result: Termination) -> str:
    """The answer to the question, in one sentence."""
    parts = []
    for control in CONTROLS[1:]:
        stopped = _stopped_loops(result, control)
        amount = "all" if len(stopped) == len(LOOPS) else "none" if not stopped else str(len(stopped))
        parts.append(f"{control}: {amount}")
    return f"Loops stopped, of {len(LOOPS)}, by control: {', '.join(parts)}; without a control: {len(_stopped_loops(result, NONE)) or 'none'}."


# --- figures and tables -----------------------------------------------------------------------


def loop_matrix(result: Termination) -> Picture:
    """Loop by control: stopped or not, after how many calls."""
    cells = {(loop.name, control): _cell(result.faulty(control, loop.name)) for loop in LOOPS for control in CONTROLS}
    return matrix(
        cells,
        [loop.name for loop in LOOPS],
        CONTROLS,
        name="loop-control-matrix",
        caption=(
            f"Which control stopped which loop (n {result.settings.seeds} seeds a cell). Under a check mark: mean calls "
            f"until the stop. Under a cross: calls and dollars when the harness ended it, without a control after "
            f"{duration(result.settings.minutes * 60)}, else after {10 * result.settings.steps} calls."
        ),
    )


def _cell(runs: pd.DataFrame) -> Cell:
    calls = f"{number(runs['calls'].mean())} calls"
    if not (runs["fired"] > 0).all():
        return Cell("unknown", "did not fire")
    if not runs["stopped"].all():
        return Cell("fail", f"{calls}\n{dollars(float(runs['usd'].mean()))}")
    return Cell("pass" if (runs["stopped_by"] != "").all() else "unknown", calls)


def curves(result: Termination) -> Picture:
    """Dollars and tokens of the unguarded loops."""
    return cost_curves(
        {loop.name: result.runaways[loop.name] for loop in CAUSES},
        name="runaway-costs",
        until=result.settings.minutes * 60,
        caption=(
            "What an unguarded loop costs while nobody looks: one run of each cause (seed 0), log scales. Loops that send "
            "their whole conversation again at each step grow quadratically. Pace: "
            f"{result.settings.seconds_per_call:g} s to the first byte at the median, an assumption."
        ),
    )


def worst_loop(result: Termination) -> str | None:
    """The dearest unguarded loop; None where all ended by themselves."""
    unguarded = result.faulty(NONE)
    running = unguarded[(unguarded["seed"] == 0) & ~unguarded["stopped"]]
    return None if running.empty else str(running.sort_values("usd")["loop"].iloc[-1])


def arm_table(result: Termination) -> Table:
    """Every arm with its intervals; the CSV has every run."""
    rows = []
    for loop in LOOPS:
        for control in CONTROLS:
            runs = result.faulty(control, loop.name)
            row: dict[str, str | Interval] = {"loop and control": f"{loop.name}, {control}"}
            row["stopped"] = wilson(int(runs["stopped"].sum()), len(runs))
            for column, label in _MEASURED.items():
                row[label] = bootstrap_mean(runs[column].astype(float).tolist())
            row["stopped by"] = _stopper(runs)
            rows.append(row)
    return Table(
        name="loop-arms",
        frame=result.table,
        shown=pd.DataFrame(rows),
        caption="Each loop under each control, with the fault: share stopped (Wilson), means (bootstrap), 95 %.",
    )


def _stopper(runs: pd.DataFrame) -> str:
    names = sorted({str(name).replace("_", " ") for name in runs["stopped_by"]})
    return joined(names) if runs["stopped"].all() else f"the harness: {joined(names)}"


_MEASURED = {"calls": "calls", "seconds": "virtual seconds", "tokens": "tokens", "usd": "US dollars"}


def loops_table() -> Table:
    """What each loop is, where it runs, and the plan that makes it."""
    rows = [
        {
            "loop": loop.name,
            "cause": loop.cause,
            "workflow": loop.workflow,
            "plan": plan_sentence([rule.describe() for rule in loop.plan.rules]),
        }
        for loop in LOOPS
    ]
    return Table(
        name="endless-loops",
        frame=pd.DataFrame(rows),
        caption=(
            "The loops: one for each of the six causes found behind 68 confirmed ones (IAL-Scan, arXiv 2607.01641), and one in "
            "each pattern that has no loop of its own or a bounded one."
        ),
    )


def closed_forms(result: Termination) -> Table:
    """The figures that have a closed form, beside it."""
    frame = held_table(result.held)
    return Table(
        name="loop-closed-forms",
        frame=frame,
        caption=(
            "Loops by chance against their closed forms. At this n, 99.9 % of such figures lie between the two bounds "
            "if the closed form is true."
        ),
    )
