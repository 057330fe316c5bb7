"""What ``matrix`` says of its result: findings, the overview, a grid for each pattern, what to set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Cell, Finding, Grid, Mark, Note, Picture, Table, matrix
from dissonance.reports.page import Block
from dissonance.reports.words import count, dollars, duration, joined, number, slug

from ._bounds import Bound
from ._cells import DEFAULTS, GUARDED, SETTINGS
from ._cells import Cell as Run
from ._effects import share
from ._families import FAMILIES
from ._matrix import Matrix
from ._matrix_advice import what_to_set
from .worst import folder_of

__all__ = ["ADVICE", "NAMES", "answer", "blocks", "findings", "verdict_of"]

NAMES: Mapping[str, str] = {
    "plain": "plain anthropic",
    "langgraph": "LangGraph",
    "crewai": "CrewAI",
    "autogen": "AutoGen",
    "claude_tools": "tool_runner",
}
_SET: Mapping[str, str] = {DEFAULTS: "as it comes", GUARDED: "guarded"}

ADVICE = (
    "In every framework set a bound on rounds, a timeout on calls and a check of stop_reason. As they come, the first is wide or "
    "not there, the second ten minutes, and the third is made by none.",
    "Do what cannot be undone in a step of its own with an idempotency key. A checkpoint alone does it twice, if the process "
    "dies between the two.",
    "Give a human a deadline, and say what counts when it is over.",
    "No framework's own setting keeps a falsehood out: check what passes between agents against a source.",
)


def _broken(cells: pd.DataFrame) -> str:
    return share(int((cells["status"] == "fail").sum()), len(cells))


def _silent(cells: pd.DataFrame) -> int:
    return int((cells["silent"] == True).sum())  # noqa: E712, None is neither


def answer(result: Matrix) -> str:
    """The answer to the question, in one sentence."""
    bare, guarded = (result.reached(settings) for settings in SETTINGS)
    unknown = int((result.cells["reached"] == 0).sum())
    sentence = (
        f"Of the cells that a fault reached, {_broken(bare)} broke as they come and {_broken(guarded)} guarded; damage went "
        f"through in silence in {_silent(bare)} and {_silent(guarded)}. In {unknown} cells nothing answers to the fault."
    )
    if result.missing:
        sentence += f" Not installed, and not played: {_not_installed(result)}."
    return sentence


def _not_installed(result: Matrix) -> str:
    return joined([f"{NAMES[runtime]} ({line})" for runtime, line in result.missing.items()])


def verdict_of(result: Matrix) -> Status:
    """*fail* where a guarded cell broke; *unknown* where nothing was reached, or a runtime is not installed."""
    guarded = result.reached(GUARDED)
    if (guarded["status"] == "fail").any():
        return "fail"
    return "unknown" if result.missing or guarded.empty else "pass"


def findings(result: Matrix) -> list[Finding]:
    """By runtime, then by family, then the bounds that lie beyond, then what is not installed."""
    told = [_runtime(result, runtime) for runtime in result.runtimes]
    told += [_family(result, family) for family in result.settings.families]
    told += [_bound(result, bound) for bound in result.bounds if bound.tripped is not None]
    if result.missing:
        told.append(Finding(status="unknown", sentence=f"Not installed, and not played: {_not_installed(result)}."))
    return told


def _status(guarded: pd.DataFrame) -> Status:
    if guarded.empty:
        return "unknown"
    return "fail" if (guarded["status"] == "fail").any() else "pass"


def _runtime(result: Matrix, runtime: str) -> Finding:
    bare, guarded = (result.reached(settings, runtime=runtime) for settings in SETTINGS)
    left = guarded[guarded["status"] == "fail"]
    still = joined([f"{family} ({len(rows)})" for family, rows in left.groupby("family", sort=False)])
    sentence = (
        f"{NAMES[runtime]}: {_broken(bare)} cells broke as they come, {_silent(bare)} of them in silence; guarded, "
        f"{_broken(guarded)}{': ' + still if still else ''}."
    )
    return Finding(status=_status(guarded), sentence=sentence, tier=result.tier)


def _family(result: Matrix, family: str) -> Finding:
    bare, guarded = (result.reached(settings, family=family) for settings in SETTINGS)
    case = FAMILIES[family]  # type: ignore[index]
    if bare.empty and guarded.empty:
        return Finding(status="unknown", sentence=f"{case.question} Nothing here answers to it.")
    sentence = f"{case.question} As they come {_broken(bare)} cells broke, guarded {_broken(guarded)}."
    return Finding(status=_status(guarded), sentence=sentence, tier=result.tier)


def _bound(result: Matrix, bound: Bound) -> Finding:
    beyond = bound.value is not None and bound.value > result.settings.calls
    said = "far beyond what a loop should cost" if beyond else "within what a loop may cost"
    sentence = (
        f"{NAMES[bound.runtime]}'s own {bound.setting} is {_value(bound)}, and it did end a graph without an end after "
        f"{count(bound.tripped or 0)} steps: {said}."
    )
    return Finding(status="fail" if beyond else "pass", sentence=sentence)


def _value(bound: Bound) -> str:
    return "none" if bound.value is None else count(bound.value)


# --- the section ------------------------------------------------------------------------------


def blocks(result: Matrix) -> list[Block]:
    """The section's contents."""
    grids: list[Block] = [_grid(result, pattern) for pattern in result.settings.patterns]
    return [
        *([] if result.cells.empty else [_overview(result)]),
        Note(heading="Every cell", text=_LEGEND.format(calls=result.settings.calls)),
        *grids,
        _families(result),
        _bounds(result),
        *([] if result.table.empty else [_runs(result)]),
    ]


_LEGEND = (
    "A grid for each pattern: a row a runtime, a column a family of faults. In each cell the left mark is the framework as it "
    "comes, the right one with its own safeguards set. ✓ held, ✗ broke, ? the fault reached nobody: nothing there answers to it. "
    "A cell leads to its row of the details: how the run ended and who ended it, what it cost, whether damage went through in "
    "silence, and what to set. The run of a cell that broke is kept in a folder beside this page: “dissonance replay FOLDER” "
    "plays it again. The harness stops a run after {calls} calls or a virtual day."
)


def _overview(result: Matrix) -> Picture:
    rows = {
        (runtime, settings): f"{NAMES[runtime]}, {_SET[settings]}"
        for runtime in result.runtimes
        for settings in SETTINGS
    }
    cells: dict[tuple[str, str], Cell] = {
        (label, family): _sum(result.cells, runtime, settings, family)
        for (runtime, settings), label in rows.items()
        for family in result.settings.families
    }
    return matrix(
        cells,
        list(rows.values()),
        result.settings.families,
        name="matrix-overview",
        caption=(
            "Patterns that held, of those that the fault reached, by runtime and family. A check: all held. A cross: at least "
            "one broke. A question mark: the fault reached none of the patterns."
        ),
    )


def _sum(cells: pd.DataFrame, runtime: str, settings: str, family: str) -> Cell:
    mine = cells[(cells["runtime"] == runtime) & (cells["settings"] == settings) & (cells["family"] == family)]
    mine = mine[mine["reached"] > 0]
    held = int((mine["status"] == "pass").sum())
    status: Status = "unknown" if mine.empty else "pass" if held == len(mine) else "fail"
    return Cell(status, f"{held} of {len(mine)}" if len(mine) else "not reached")


def _grid(result: Matrix, pattern: str) -> Grid:
    mine = result.cells[result.cells["pattern"] == pattern] if not result.cells.empty else result.cells
    marks: dict[tuple[str, str], list[Mark]] = {}
    for row in mine.to_dict("records"):
        marks.setdefault((NAMES[row["runtime"]], row["family"]), []).append(_mark(row))
    return Grid(
        name=f"matrix-{slug(pattern)}",
        heading=pattern,
        caption=f"{pattern}: as it comes and guarded, by runtime and family of faults.",
        corner="runtime",
        columns=result.settings.families,
        rows=[NAMES[runtime] for runtime in result.settings.runtimes],
        cells=marks,
        absent={NAMES[runtime]: line for runtime, line in result.missing.items()},
    )


def _mark(row: Mapping[Any, Any]) -> Mark:
    facts = {
        "outcome": str(row["outcome"]).replace("_", " "),
        "ended by": str(row["stopped_by"]),
        "calls": number(row["calls"]),
        "tokens": count(row["tokens"]),
        "cost": dollars(row["usd"]),
        "time": duration(row["seconds"]),
        "silent damage": {True: "yes", False: "no"}.get(row["silent"], "-"),
    }
    note = _short(str(row["reason"]))
    if row["status"] == "fail" or row["silent"] is True:
        note += f". Set: {what_to_set(row['runtime'], row['family'])}."
    return Mark(
        status=row["status"],
        label=_SET[row["settings"]],
        facts=facts,
        note=note,
        run=_folder(row) if row["status"] == "fail" else "",
    )


def _short(reason: str, most: int = 130) -> str:
    return reason if len(reason) <= most else reason[: most - 1].rpartition(" ")[0].rstrip(",;:") + " …"


def _folder(row: Mapping[Any, Any]) -> str:
    cell = Run(
        pattern=row["pattern"],
        runtime=row["runtime"],
        family=row["family"],
        settings=row["settings"],
        seed=row["seed"],
        calls=0,
    )
    return f"runs/{folder_of('matrix', cell.name)}"


def _families(result: Matrix) -> Table:
    frame = pd.DataFrame(
        {
            "family": family,
            "what is injected": FAMILIES[family].injected,
            "when a cell holds": FAMILIES[family].question,
        }
        for family in result.settings.families
    )
    return Table(
        name="matrix-families", frame=frame, caption="What each family injects, and the question that it asks."
    )


def _bounds(result: Matrix) -> Table:
    frame = pd.DataFrame(
        [
            {
                "runtime": NAMES[bound.runtime],
                "setting": bound.setting,
                "as it comes": _value(bound),
                "tripped after": "" if bound.tripped is None else f"{count(bound.tripped)} steps of constant state",
            }
            for bound in result.bounds
        ],
        columns=["runtime", "setting", "as it comes", "tripped after"],
    )
    return Table(
        name="matrix-bounds",
        frame=frame,
        caption="The frameworks' own bounds, read from what is installed; LangGraph's was tripped once.",
    )


def _runs(result: Matrix) -> Table:
    shown = pd.DataFrame(
        {
            "runtime": NAMES[runtime],
            "set": _SET[settings],
            "cells reached": len(cells),
            "broke": int((cells["status"] == "fail").sum()),
            "silent": _silent(cells),
            "calls": int(cells["calls"].sum()),
            "US dollars": float(cells["usd"].sum()),
        }
        for runtime in result.runtimes
        for settings in SETTINGS
        for cells in [result.reached(settings, runtime=runtime)]
    )
    return Table(
        name="matrix-runs",
        frame=result.table,
        shown=shown,
        caption="Sums over the cells that a fault reached. The CSV has every run.",
    )
