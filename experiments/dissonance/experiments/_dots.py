"""Two plots that several experiments share: arms with their intervals, and samples on the curves of closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from dissonance.reports import Interval, Picture
from dissonance.reports.theme import LIGHT, SERIES, Style, drawing
from dissonance.reports.words import interval, number

__all__ = ["Curve", "Dot", "curves", "dots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One arm: its figure with an interval, and what a closed form expects (None: there is none)."""

    label: str
    value: Interval
    expected: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line: sampled ``points`` (x, figure) and the closed form's ``line`` (x, y); either may be empty."""

    label: str
    points: Sequence[tuple[float, Interval]] = ()
    line: Sequence[tuple[float, float]] = ()


def dots(arms: Sequence[Dot], *, name: str, caption: str, measure: str, bound: float | None = None) -> Picture:
    """Arms below each other, each a dot with its interval; a hollow diamond is the closed form, a dashed line the bound."""
    with drawing(7.6, 1.1 + 0.36 * len(arms)) as figure:
        axes = figure.subplots()
        for y, arm in enumerate(arms):
            _dot(axes, y, arm)
        axes.set_yticks(range(len(arms)), [arm.label for arm in arms])
        axes.set_ylim(len(arms) - 0.5, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel(measure)
        _bound(axes, bound)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        if all(arm.value.percent for arm in arms):
            axes.set_xlim(-0.02, 1.02 if _top(arms) > 0.6 else 1.25 * max(_top(arms), 0.08))
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, fontsize=8)
    told = "; ".join(f"{arm.label}: {interval(arm.value)}{_against(arm)}" for arm in arms)
    return Picture(name=name, figure=figure, caption=caption, alt=f"{measure}, by arm. {told}.", narrowest=600)


def _top(arms: Sequence[Dot]) -> float:
    return max((max(arm.value.high, arm.expected or 0) for arm in arms if not isnan(arm.value.high)), default=1.0)


def _against(arm: Dot) -> str:
    return "" if arm.expected is None else f", closed form {number(arm.expected)}"


def _dot(axes: Axes, y: int, arm: Dot) -> None:
    value = arm.value
    if not isnan(value.low):
        axes.plot([value.low, value.high], [y, y], color=LIGHT["blue"], linewidth=2.2, solid_capstyle="round")
    label = "measured, with its 95 % interval" if y == 0 else None
    axes.plot([value.estimate], [y], "o", color=LIGHT["blue"], markersize=6, label=label, linestyle="none")
    if arm.expected is not None:
        axes.plot(
            [arm.expected],
            [y],
            marker="D",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor=LIGHT["ink"],
            linestyle="none",
            label=_once(axes, "closed form"),
        )


def _once(axes: Axes, label: str) -> str | None:
    return None if label in axes.get_legend_handles_labels()[1] else label


def _bound(axes: Axes, bound: float | None) -> None:
    if bound is not None:
        axes.axvline(bound, color=LIGHT["fault"], linewidth=1.2, linestyle="--", label=f"allowed: {100 * bound:.0f} %")


def curves(
    series: Sequence[Curve], *, name: str, caption: str, across: str, up: str, shares: bool = True, log: bool = False
) -> Picture:
    """Lines are closed forms, dots with bars samples and their intervals; ``shares``: the y axis is in per cent."""
    with drawing(7.6, 3.9) as figure:
        axes = figure.subplots()
        for number_, (curve, style) in enumerate(zip(series, _styles(len(series)), strict=True)):
            _curve(axes, curve, style, (number_ - (len(series) - 1) / 2) * 0.004)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        if log:
            axes.set_yscale("log")
        if shares:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(True, axis="y")
        columns = 3 if max(len(curve.label) for curve in series) < 34 else 2
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, fontsize=8)
    return Picture(name=name, figure=figure, caption=caption, alt=_told(series, across, up))


def _styles(amount: int) -> list[Style]:
    return [SERIES[i % len(SERIES)] for i in range(amount)]


def _curve(axes: Axes, curve: Curve, style: Style, aside: float) -> None:
    """``aside``: the share of the x axis by which the dots are moved, so that equal ones do not hide each other."""
    colour = LIGHT[style.role]
    if curve.line:
        label = None if curve.points else curve.label
        axes.plot(*zip(*curve.line, strict=True), color=colour, linestyle=style.dash, linewidth=1.4, label=label)
    found = [(x, value) for x, value in curve.points if not isnan(value.estimate)]
    if not found:
        return
    wide = max(x for x, _ in found) - min(x for x, _ in found) or 1.0
    xs = [x + aside * wide for x, _ in found]
    ys = [value.estimate for _, value in found]
    below = [value.estimate - value.low if not isnan(value.low) else 0.0 for _, value in found]
    above = [value.high - value.estimate if not isnan(value.high) else 0.0 for _, value in found]
    axes.errorbar(
        xs,
        ys,
        yerr=[below, above],
        color=colour,
        marker=style.marker,
        markersize=5,
        linestyle="none" if curve.line else style.dash,
        linewidth=1.2,
        capsize=2.5,
        label=curve.label,
    )


def _told(series: Sequence[Curve], across: str, up: str) -> str:
    parts = [
        f"{curve.label}: {', '.join(f'{number(x)}: {number(value.estimate)}' for x, value in curve.points)}"
        for curve in series
        if curve.points
    ]
    return f"{up} by {across}. {'; '.join(parts)}."
