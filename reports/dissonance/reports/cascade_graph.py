"""The graph of a cascade: a column for each depth, a box for each call that the claim reached, an arrow for who told whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dissonance.harness.checks.taint import Cascade, Tainted, planted, trace_cascade

from .page import Picture
from .theme import LIGHT, drawing, taint_roles
from .words import count

if TYPE_CHECKING:
    from dissonance.harness.run import Run

__all__ = ["cascade_graph", "taint_of", "traces_of"]

SHOWN = 14
"""Boxes in a column; of a depth with more, the rest is one box that says how many."""

_WIDTH, _HEIGHT = 0.62, 0.34
"""Half a box's width is taken of the column's 1, half its height of the row's 1."""

_Spot = tuple[float, float]


def traces_of(run: Run) -> list[Cascade]:
    """A trace of each claim that the run's faults planted and that reached a call."""
    traces = [trace_cascade(run, claim) for claim in planted(run)]
    return [trace for trace in traces if trace is not None and trace.calls]


def taint_of(traces: Sequence[Cascade]) -> dict[int, Tainted]:
    """Where the claims went, by call; of several in one call the one that went on, then the shallowest."""
    found: dict[int, Tainted] = {}
    for each in (call for trace in traces for call in trace.calls):
        other = found.get(each.call)
        if other is None or (not each.infected, each.depth) < (not other.infected, other.depth):
            found[each.call] = each
    return found


def cascade_graph(trace: Cascade, *, name: str, caption: str) -> Picture:
    """Where the claim of this trace went, and where and by what it stopped; the planted calls stand to the left."""
    columns = _columns(trace.calls)
    rows = max((len(column) for column in columns), default=1)
    with drawing(max(3.2, 1.75 * len(columns)), 0.7 + 0.52 * rows) as figure:
        axes = figure.subplots()
        spots = _draw_boxes(axes, columns, rows)
        _draw_arrows(axes, trace.calls, spots)
        _finish(axes, len(columns), rows)
    return Picture(name=name, figure=figure, caption=caption, alt=_alt(trace), narrowest=min(640, 170 * len(columns)))


def _columns(calls: Sequence[Tainted]) -> list[list[Tainted | int]]:
    """The calls by depth; a number is how many are left out of a column."""
    found: defaultdict[int, list[Tainted | int]] = defaultdict(list)
    for call in calls:
        found[call.depth].append(call)
    columns = [found[depth] for depth in range(max(found, default=-1) + 1)]
    return [c if len(c) <= SHOWN else [*c[: SHOWN - 1], len(c) - SHOWN + 1] for c in columns]


def _draw_boxes(axes: Axes, columns: Sequence[Sequence[Tainted | int]], rows: int) -> dict[int, _Spot]:
    spots: dict[int, _Spot] = {}
    for x, column in enumerate(columns):
        for place, each in enumerate(column):
            y = place + (rows - len(column)) / 2
            if isinstance(each, Tainted):
                _draw_box(axes, x, y, each)
                spots[each.call] = (x, y)
            else:
                axes.text(x, y, f"and {count(each)} more", ha="center", va="center", fontsize=8)
    return spots


def _draw_box(axes: Axes, x: float, y: float, call: Tainted) -> None:
    fill, ink = taint_roles(call.depth) if call.infected else ("paper", "ink")
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT),
            _WIDTH,
            2 * _HEIGHT,
            boxstyle="round,pad=0.02,rounding_size=0.06",
            facecolor=LIGHT[fill],
            edgecolor=LIGHT["taint-1"],
            linestyle="-" if call.infected else "--",
            linewidth=1.0,
            zorder=2,
        )
    )
    told = call.agent if len(call.agent) < 15 else f"{call.agent[:13]}…"
    below = "planted" if call.planted else (call.stopped or f"call {call.ordinal}")
    axes.text(x, y - 0.12, told, ha="center", va="center", fontsize=8, color=LIGHT[ink], zorder=3)
    axes.text(x, y + 0.17, below, ha="center", va="center", fontsize=6.5, color=LIGHT[ink], zorder=3)


def _draw_arrows(axes: Axes, calls: Sequence[Tainted], spots: Mapping[int, _Spot]) -> None:
    for call in calls:
        for parent in call.parents:
            if call.call in spots and parent in spots:
                axes.add_patch(_arrow(spots[parent], spots[call.call]))


def _arrow(start: _Spot, end: _Spot) -> FancyArrowPatch:
    if start[0] == end[0]:  # an agent that reads its own words again keeps its depth
        side = start[0] + _WIDTH / 2
        return _styled((side, start[1]), (side, end[1]), "arc3,rad=-0.5")
    towards = 1 if end[0] > start[0] else -1
    gap = towards * (_WIDTH / 2 + 0.02)
    return _styled((start[0] + gap, start[1]), (end[0] - gap, end[1]), "arc3,rad=0")


def _styled(start: _Spot, end: _Spot, connection: str) -> FancyArrowPatch:
    return FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        connectionstyle=connection,
        mutation_scale=9,
        shrinkA=0,
        shrinkB=1,
        linewidth=0.9,
        color=LIGHT["muted"],
        zorder=1,
    )


def _finish(axes: Axes, columns: int, rows: int) -> None:
    axes.set_xlim(-0.5, max(columns, 1) - 0.5)
    axes.set_ylim(rows - 0.45, -0.55)
    axes.set_xticks(range(columns), [f"depth {depth}" for depth in range(columns)])
    axes.xaxis.tick_top()
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _alt(trace: Cascade) -> str:
    stops = ", ".join(f"{each} ({each.stopped})" for each in trace.stops[:6]) or "nowhere"
    return (
        f"Graph of the {trace.twin} claim {trace.claim}: {count(trace.infected)} infected calls of "
        f"{count(trace.breadth)} agents, {trace.depth} deep; it stopped at: {stops}. "
        f"The result {'holds it' if trace.output else 'does not hold it'}."
    )
