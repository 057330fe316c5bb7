"""What ``hierarchy_overhead`` says of its result: findings, figures, a table, advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes

from dissonance.reports import Finding, Interval, Picture, Table, bootstrap_mean, paired_difference, wilson
from dissonance.reports.theme import LIGHT, drawing
from dissonance.reports.words import count, duration, number

from ._layers import Hierarchies, Shape, depth_of, managers_of
from ._telling import between, percent, tier_of

__all__ = ["ADVICE", "by_layer", "checked", "fidelities", "flat", "layered", "lossy", "shape_table"]

ADVICE = (
    "Add a layer where one lead is the bottleneck: when its members wait for each other, or its prompt no longer has room "
    "for what they say. Else add none.",
    "Let leads be wide: managers, calls and losses all grow with the depth, and the depth falls with the width.",
    "Check each summary against what the branch had to report. A lead that drops a finding is noticed by nobody above it.",
    "Raise what a lead does at a time before adding leads: it buys the same time without their tokens and losses.",
)

# --- findings ---------------------------------------------------------------------------------


def _named(shape: Shape) -> str:
    depth = depth_of(shape)
    return f"{shape[0]} workers, " + ("one lead" if depth == 1 else f"{managers_of(shape)} leads in {depth} layers")


def _largest(result: Hierarchies) -> list[Shape]:
    """The shapes with most workers, the flattest first."""
    shapes = result.settings.shapes
    most = max(workers for workers, _ in shapes)
    return sorted((shape for shape in shapes if shape[0] == most), key=depth_of)


def flat(result: Hierarchies) -> Finding:
    """One lead against two layers, with most workers."""
    one, *others = _largest(result)
    runs = result.of(one)
    params = result.settings
    said = (
        f"One lead with {one[0]} workers, {params.at_once} at a time, took {duration(float(runs['seconds'].iloc[0]))} and a prompt "
        f"of {count(runs['top'].max())} tokens"
    )
    if not others:
        return Finding(status="unknown", sentence=f"{said}; no deeper tree was tried.", tier=tier_of(result.table))
    two = result.of(others[0])
    free = result.of(one, bounded=False)["seconds"].iloc[0]
    return Finding(
        status="fail" if runs["seconds"].iloc[0] > two["seconds"].iloc[0] else "pass",
        sentence=(
            f"{said}; {managers_of(others[0])} leads in {depth_of(others[0])} layers took {duration(float(two['seconds'].iloc[0]))} and "
            f"{count(two['top'].max())} tokens at the top, for {number(two['tokens'].mean() / runs['tokens'].mean())} times the tokens in "
            f"all. Without its bound the one lead took {duration(float(free))}."
        ),
        tier=tier_of(result.table),
    )


def layered(result: Hierarchies) -> Finding:
    """What the deepest tree costs over the flattest with as many workers."""
    shapes = result.settings.shapes
    pairs = [
        (wide, deep) for wide in shapes for deep in shapes if wide[0] == deep[0] and depth_of(wide) < depth_of(deep)
    ]
    if not pairs:
        return Finding(status="unknown", sentence="No two trees with as many workers were tried.")
    wide, deep = max(pairs, key=lambda pair: depth_of(pair[1]) - depth_of(pair[0]))
    before, after = result.of(wide), result.of(deep)
    more = (after["overhead"] / before["overhead"]).mean()
    return Finding(
        status="fail" if more > 1 else "pass",
        sentence=(
            f"From {depth_of(wide)} to {depth_of(deep)} layers over {deep[0]} workers, leads went from {managers_of(wide)} to "
            f"{managers_of(deep)}, calls from {count(before['calls'].mean())} to {count(after['calls'].mean())}, and the tokens that leads spend "
            f"for each of the workers' from {number(before['overhead'].mean())} to {number(after['overhead'].mean())}."
        ),
        tier=tier_of(result.table),
    )


def _kept(result: Hierarchies, shape: Shape, *, checks: bool = False) -> Interval:
    runs = result.of(shape, checked=checks)
    return wilson(int(runs["found"].sum()), int(runs["workers"].sum()))


def lossy(result: Hierarchies) -> Finding:
    """What reaches the top."""
    shapes = sorted({depth_of(shape): shape for shape in result.settings.shapes}.items())
    parts = [f"{between(_kept(result, shape))} from {depth} layer{'s' if depth > 1 else ''}" for depth, shape in shapes]
    silent = result.table[
        ~result.table["checked"] & result.table["finished"] & (result.table["found"] < result.table["workers"])
    ]
    return Finding(
        status="fail" if len(silent) else "pass",
        sentence=(
            f"Where a lead passes each finding on with probability {result.settings.fidelity:g}, the top reported "
            f"{', '.join(parts)}; {len(silent)} of {int((~result.table['checked']).sum())} runs without checks finished as though "
            "nothing was missing."
        ),
        tier=tier_of(result.table),
    )


def checked(result: Hierarchies) -> Finding:
    """What checks of summaries give back, and what they cost."""
    table = result.table[result.table["checked"]]
    bare = result.table[~result.table["checked"] & result.table["bounded"]]
    gain = paired_difference(
        (table["found"] / table["workers"]).tolist(), (bare["found"] / bare["workers"]).tolist(), percent=True
    )
    silent = int((table["finished"] & (table["found"] < table["workers"])).sum())
    cost = table["tokens"].sum() / bare["tokens"].sum() - 1
    return Finding(
        status="fail" if silent else "pass" if gain.low > 0 else "unknown",
        sentence=(
            f"A check of each summary brought {between(gain)} more of the findings to the top for {percent(cost)} more tokens; of "
            f"{len(table)} such runs {silent} finished with something missing, the others were whole or said that they were not."
        ),
        tier=tier_of(result.table),
    )


# --- figures ----------------------------------------------------------------------------------

_FACES = (
    ("bar", "////"),
    ("good-tint", "++"),
    ("bad-tint", "\\\\\\\\"),
    ("unknown-tint", "xxxx"),
    ("bar", "||||"),
    ("good-tint", "----"),
)
"""How the layers of leads are told apart, the top first."""


def by_layer(result: Hierarchies) -> Picture:
    """The seconds and the tokens of each layer, by shape."""
    shapes = result.settings.shapes
    deepest = max(map(depth_of, shapes))
    with drawing(8.6, 1.6 + 0.46 * len(shapes)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for y, shape in enumerate(shapes):
            layers = result.layers[shape]
            _stack(left, y, [seconds / 60 for seconds, _ in layers])
            _stack(right, y, [float(tokens) for _, tokens in layers])
            free = float(result.of(shape, bounded=False)["seconds"].iloc[0]) / 60
            left.plot(free, y, marker="D", markersize=6, color=LIGHT["ink"], linestyle="none", zorder=3)
        left.set_title("virtual minutes")
        right.set_title("tokens in and out")
        right.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g} k" if value else "0")
        left.set_yticks(range(len(shapes)), [_two_lines(_named(shape)) for shape in shapes])
        left.set_ylim(len(shapes) - 0.5, -0.5)
        _legend(figure, left, deepest)
    said = "; ".join(
        f"{_named(shape)}: {duration(sum(s for s, _ in layers))}, {count(sum(t for _, t in layers))} tokens"
        for shape, layers in result.layers.items()
    )
    return Picture(
        name="hierarchy-by-layer",
        figure=figure,
        caption=(
            f"What each layer adds while none below it works (left), and spends (right); a lead hands down {result.settings.at_once} tasks at "
            "a time. Diamond: the same without that bound. Of real systems, centralised ones are reported to take 285 % more "
            "turns than a single agent, and hybrids 515 % (Kim et al., arXiv 2512.08296)."
        ),
        alt=f"Time and tokens by layer. {said}.",
        narrowest=700,
    )


def _two_lines(words: str) -> str:
    return words.replace(", ", "\n", 1)


def _stack(axes: Axes, y: int, parts: Sequence[float]) -> None:
    """The layers of leads from the top, then the workers."""
    left = 0.0
    faces = [*_FACES[: len(parts) - 1], ("grid", "")]
    for value, (face, hatch) in zip(parts, faces, strict=True):
        axes.barh(
            y, value, left=left, height=0.6, facecolor=LIGHT[face], edgecolor=LIGHT["muted"], hatch=hatch, linewidth=0.6
        )
        left += value


def _legend(figure: object, axes: Axes, deepest: int) -> None:
    for layer, (face, hatch) in enumerate([*_FACES[:deepest], ("grid", "")]):
        name = "workers" if layer == deepest else "top lead" if layer == 0 else f"layer {layer + 1}"
        axes.barh(0, 0, facecolor=LIGHT[face], edgecolor=LIGHT["muted"], hatch=hatch, linewidth=0.6, label=name)
    axes.plot([], [], marker="D", markersize=6, color=LIGHT["ink"], linestyle="none", label="without a bound")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, deepest + 2), fontsize=8)  # type: ignore[attr-defined]


def fidelities(result: Hierarchies) -> Picture:
    """The share of the findings at the top, by depth."""
    fidelity = result.settings.fidelity
    by_depth = sorted(result.settings.shapes, key=lambda shape: (depth_of(shape), shape))
    deepest = max(map(depth_of, by_depth))
    grid = [1 + step * (deepest - 1) / 50 for step in range(51)]
    with drawing(7.6, 3.6) as figure:
        axes = figure.subplots()
        for checks, role, marker, dash, once in (
            (False, "fault", "s", "--", fidelity),
            (True, "blue", "o", "-", 1 - (1 - fidelity) ** 2),
        ):
            points = [_kept(result, shape, checks=checks) for shape in by_depth]
            places = [depth_of(shape) + (0.05 if checks else -0.05) for shape in by_depth]
            axes.plot(grid, [100 * once**depth for depth in grid], color=LIGHT[role], linestyle=dash, linewidth=1.2)
            axes.errorbar(
                places,
                [100 * point.estimate for point in points],
                yerr=[
                    [100 * (point.estimate - point.low) for point in points],
                    [100 * (point.high - point.estimate) for point in points],
                ],
                color=LIGHT[role],
                marker=marker,
                markersize=5,
                capsize=2.5,
                linestyle="none",
                label="each summary checked" if checks else "no check",
            )
        axes.set_xticks(range(1, deepest + 1))
        axes.set_xlabel("layers of leads")
        axes.set_ylabel("findings at the top, %")
        axes.set_ylim(0, 104)
        axes.grid(True, axis="y")
        axes.legend(loc="lower left")
    ends = _kept(result, by_depth[-1])
    return Picture(
        name="hierarchy-fidelity",
        figure=figure,
        caption=(
            f"Findings that reach the top, where each lead passes each on with probability {fidelity:g}: points with their Wilson intervals "
            f"(95 %), lines r^depth, and (1 - (1 - r)^2)^depth where a check has the lead try once more. n is "
            f"{result.settings.seeds} runs of each tree, a finding a worker."
        ),
        alt=f"Findings at the top by depth. At {deepest} layers without a check: {between(ends)}.",
    )


# --- table ------------------------------------------------------------------------------------


def shape_table(result: Hierarchies) -> Table:
    """Each tree, without and with checks; the CSV has every run."""
    return Table(
        name="hierarchy-shapes",
        frame=result.table,
        shown=pd.DataFrame(list(_rows(result))),
        caption=(
            "Each tree: means with bootstrap intervals, findings at the top with Wilson's, 95 %. Overhead: tokens of the leads for "
            "each of the workers'."
        ),
    )


def _rows(result: Hierarchies) -> Iterator[dict[str, str | float | Interval]]:
    for shape in result.settings.shapes:
        for checks in (False, True):
            runs = result.of(shape, checked=checks)
            row: dict[str, str | float | Interval] = {"tree": f"{_named(shape)}{', checked' if checks else ''}"}
            for column, label in _MEASURED.items():
                row[label] = bootstrap_mean(runs[column].astype(float).tolist())
            row["findings at the top"] = _kept(result, shape, checks=checks)
            yield row


_MEASURED = {
    "calls": "calls",
    "seconds": "virtual seconds",
    "tokens": "tokens",
    "top": "the top's prompt",
    "overhead": "overhead",
}
