"""What ``truncation`` says of its result: findings, figures, advice."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dissonance.harness.checks.verdict import Status
from dissonance.reports import Cell, Finding, Interval, Picture, Table, bootstrap_mean, matrix, wilson
from dissonance.reports.theme import LIGHT, drawing
from dissonance.reports.words import count, joined

from ._overflowing import GUARDED, KINDS, LEDGER, NONE, PAGES, POLICIES, SHAPES, Truncation, sizes
from ._telling import between, percent, tier_of

__all__ = ["ADVICE", "by_depth", "by_size", "kept_table", "ledger", "noticed", "silent", "who_notices"]

ADVICE = (
    "Count tokens before you send, and compare with the input tokens that the reply reports: a request that was cut in "
    "silence reports fewer than it had.",
    "Put a canary at the head of the prompt and one at its end, and ask for both: what is dropped first is where "
    "instructions stand.",
    "Score a truncated run as invalid, never as wrong: the model answered another question.",
    "Use a token ledger that compacts before the window is full, and pin what must not be lost. What is not pinned is as "
    "good as the summary.",
)

_SHARE = 1.5
"""The fill at which depths and detectors are shown."""

# --- findings ---------------------------------------------------------------------------------


def _over(result: Truncation, control: str = NONE) -> pd.DataFrame:
    """The runs whose state is larger than their window."""
    runs = result.of(control=control)
    return runs[runs["tokens"] > runs["window"]]


def _silently(runs: pd.DataFrame) -> pd.DataFrame:
    """Those that answered as though all had arrived."""
    return runs[runs["answered"] & (runs["kept"] < 1)]


def silent(result: Truncation) -> Finding:
    """How often a loss is silent, and how much is lost."""
    runs = _over(result)
    lost = _silently(runs)
    rate = wilson(len(lost), len(runs))
    policies = [policy.replace("_", " ") for policy in POLICIES if (lost["policy"] == policy).any()]
    if lost.empty:
        return Finding(status="pass", sentence="No run lost anything in silence.", tier=tier_of(result.table))
    gone = bootstrap_mean((1 - lost["kept"]).tolist())
    return Finding(
        status="fail",
        sentence=(
            f"Of {len(runs)} runs whose state was over the window {between(rate)} answered as though nothing had happened, "
            f"without {percent(gone.estimate)} of what they had to know; silent were {joined(policies)}."
        ),
        tier=tier_of(result.table),
    )


_DETECTORS = {"gap": "token accounting", "head": "a canary at the head", "check": "the harness's check"}


def _found(runs: pd.DataFrame, detector: str) -> Interval:
    hits = runs["check"] == "fail" if detector == "check" else runs[detector]
    return wilson(int(hits.sum()), len(runs))


def noticed(result: Truncation) -> Finding:
    """Who notices what is silent."""
    lost = _silently(_over(result))
    if lost.empty:
        return Finding(status="unknown", sentence="Nothing was lost in silence, so there was nothing to notice.")
    told = [f"{name} in {between(_found(lost, detector))}" for detector, name in _DETECTORS.items()]
    return Finding(
        status="pass" if _found(lost, "check").estimate == 1 else "fail",
        sentence=f"Of {len(lost)} silent losses the workflow noticed none; they show by {joined(told)}.",
        tier=tier_of(result.table),
    )


def ledger(result: Truncation) -> Finding:
    """What the ledger keeps."""
    runs = _over(result, LEDGER)
    if runs.empty:
        return Finding(status="unknown", sentence="No window was small enough for a ledger to be tried.")
    arrived = runs["system"] & (runs["instruction"].str[0] == "+") & (runs["fact"].str[0] == "+")
    whole = runs[runs["answered"] & arrived]
    missed = runs[runs["answered"] & ~arrived]
    rest = bootstrap_mean(whole["kept"].tolist())
    return Finding(
        status="pass" if missed.empty else "fail",
        sentence=(
            f"With a token ledger {len(whole)} of {len(runs)} runs over the window answered with the system prompt and all that was pinned "
            f"before the model, {len(runs) - len(whole) - len(missed)} were stopped by it and {len(missed)} lost what was pinned; "
            f"of all needles {percent(rest.estimate)} were left, since a summary loses what is not pinned."
        ),
        tier=tier_of(result.table),
    )


# --- figures ----------------------------------------------------------------------------------


def _shown_window(result: Truncation) -> int:
    return min(result.settings.windows)


def by_size(result: Truncation) -> Picture:
    """Policy by size: all there, loud, or silently less."""
    window = _shown_window(result)
    runs = result.of(shape=SHAPES[1], window=window)
    columns = {f"{tokens / window:.0%}".replace("%", " %"): tokens for tokens in sizes(result.settings, window)}
    rows = {policy.replace("_", " "): (policy, NONE) for policy in POLICIES}
    rows |= {
        f"{policy.replace('_', ' ')}, ledger": (policy, LEDGER)
        for policy in GUARDED
        if (runs["control"] == LEDGER).any()
    }
    cells = {
        (row, column): _cell(
            runs[(runs["policy"] == policy) & (runs["control"] == control) & (runs["tokens"] == tokens)]
        )
        for row, (policy, control) in rows.items()
        for column, tokens in columns.items()
    }
    return matrix(
        cells,
        list(rows),
        list(columns),
        name="truncation-by-size",
        caption=(
            f"What becomes of a conversation with {PAGES} tool results that fills so much of a window of {count(window)} tokens (n "
            f"{result.settings.seeds} a cell). A check: all needles reached the model, or the workflow was told. A cross: "
            "it answered without the rest. With a ledger a check means that all that was pinned arrived. Of other methods "
            "AgentChaos reports that they identify truncation with 4.3 % accuracy (README of floritange/AgentChaos)."
        ),
    )


def _cell(runs: pd.DataFrame) -> Cell:
    kept = percent(float(runs["kept"].mean()))
    if not runs["answered"].any():
        return Cell("pass", "refused")
    pinned = bool((runs["control"] == LEDGER).all() and (runs["instruction"].str[0] == "+").all())
    if pinned or (runs["kept"] == 1).all():
        return Cell("pass", f"{kept} kept")
    return Cell("fail" if not _silently(runs).empty else "pass", f"{kept} kept")


def by_depth(result: Truncation) -> Picture:
    """Which depths survive, by kind of needle, under each policy that drops."""
    window = _shown_window(result)
    tokens = min(sizes(result.settings, window), key=lambda size: abs(size - _SHARE * window))
    runs = result.of(window=window, tokens=tokens, seed=0)
    shown = {shape: _dropping(runs[runs["shape"] == shape]) for shape in SHAPES}
    heights = [max(1, len(each)) for each in shown.values()]
    with drawing(8.6, 1.5 + 0.32 * sum(heights)) as figure:
        panels = figure.subplots(2, 1, gridspec_kw={"height_ratios": heights})
        for axes, (shape, found) in zip(panels, shown.items(), strict=True):
            _draw_depths(axes, found)
            axes.set_title(f"{shape}: {tokens / window:.0%} of the window".replace("%", " %"), pad=18)
    said = "; ".join(
        f"{shape}, {row}: {percent(kept)} kept" for shape, f in shown.items() for row, (kept, _) in f.items()
    )
    return Picture(
        name="truncation-by-depth",
        figure=figure,
        caption=(
            f"Which needles reached the model, from the beginning (left) to the end of the state in {PAGES} steps, for "
            "instructions, facts and results of tools. Filled with a mark: there; empty: lost. One run each (seed 0). "
            "With tools, instructions and facts stand in the task, before the first result. Under a ledger the first "
            "instruction and the first fact are pinned; the simulated compactor repeats sentences, numbers first."
        ),
        alt=f"Needles by depth. {said}.",
        narrowest=680,
    )


def _dropping(runs: pd.DataFrame) -> dict[str, tuple[float, dict[str, str]]]:
    """The runs that answered without some needle, or under a ledger: share kept, and depths by kind."""
    chosen = runs[runs["answered"] & ((runs["kept"] < 1) | (runs["control"] == LEDGER))]
    return {
        f"{row['policy'].replace('_', ' ')}{', ledger' if row['control'] == LEDGER else ''}": (
            float(row["kept"]),
            {kind: str(row[kind]) for kind in KINDS},
        )
        for _, row in chosen.iterrows()
    }


def _draw_depths(axes: Axes, found: dict[str, tuple[float, dict[str, str]]]) -> None:
    for y, (_, kinds) in enumerate(found.values()):
        for block, marks in enumerate(kinds.values()):
            for depth, mark in enumerate(marks):
                x = block * (PAGES + 1.5) + depth
                face = LIGHT["good-tint" if mark == "+" else "paper"]
                edge = LIGHT["good" if mark == "+" else "fault"]
                axes.add_patch(
                    Rectangle((x - 0.42, y - 0.36), 0.84, 0.72, facecolor=face, edgecolor=edge, linewidth=0.7)
                )
                if mark == "+":
                    axes.plot(x, y, marker="o", markersize=3, color=LIGHT["good"])
    for block, kind in enumerate(KINDS):
        middle = block * (PAGES + 1.5) + (PAGES - 1) / 2
        axes.text(middle, -0.62, f"{kind.replace('_', ' ')}s", ha="center", va="bottom", fontsize=8.5)
    axes.set_xlim(-0.8, 3 * (PAGES + 1.5) - 1)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def who_notices(result: Truncation) -> Picture:
    """Policy by detector, over all runs that are over the window."""
    runs = _over(result)
    cells = {}
    rows = []
    for policy in POLICIES:
        mine = runs[runs["policy"] == policy]
        lost = _silently(mine)
        if lost.empty and not mine["raised"].any():
            continue
        row = policy.replace("_", " ")
        rows.append(row)
        loud = wilson(int(mine["raised"].sum()), len(mine[mine["raised"] | (mine["kept"] < 1)]))
        cells[row, "the workflow fails"] = _rate(loud)
        if not lost.empty:
            cells |= {(row, name): _rate(_found(lost, detector)) for detector, name in _DETECTORS.items()}
    return matrix(
        cells,
        rows,
        ["the workflow fails", *_DETECTORS.values()],
        name="truncation-detectors",
        caption=(
            "Who notices a loss, of all states over their window. First column: the share of losses of which the workflow "
            "itself heard. The others: of those that stayed silent, the share that shows. Accounting: the reply reports less "
            "than 80 % of the tokens that were sent. Canary: a code of the system prompt is missing from the answer."
        ),
    )


def _rate(found: Interval) -> Cell:
    status: Status = "pass" if found.estimate == 1 else "fail" if found.estimate == 0 else "unknown"
    return Cell(status, f"{percent(found.estimate)}\nof {found.n}")


# --- table ------------------------------------------------------------------------------------


def kept_table(result: Truncation) -> Table:
    """Each policy over the window, with its intervals; the CSV has every run."""
    return Table(
        name="truncation-arms",
        frame=result.table,
        shown=pd.DataFrame(list(_rows(result))),
        caption=(
            "States over their window, by what they consist of and policy: share answered and silently cut (Wilson), needles that "
            "reached the model where it answered (bootstrap), 95 %."
        ),
    )


def _rows(result: Truncation) -> Iterator[dict[str, str | Interval]]:
    for control in (NONE, LEDGER):
        over = _over(result, control)
        for shape in SHAPES:
            for policy in POLICIES:
                runs = over[(over["shape"] == shape) & (over["policy"] == policy)]
                if runs.empty:
                    continue
                answered = runs[runs["answered"]]
                yield {
                    "state and policy": f"{shape}, {policy.replace('_', ' ')}{', ledger' if control == LEDGER else ''}",
                    "answered": wilson(len(answered), len(runs)),
                    "silently cut": wilson(len(_silently(runs)), len(runs)),
                    "needles kept": _share(answered["kept"].tolist()) if len(answered) else "no answer",
                }


def _share(values: list[float]) -> Interval:
    found = bootstrap_mean(values)
    return Interval(found.estimate, found.low, found.high, found.n, percent=True)
