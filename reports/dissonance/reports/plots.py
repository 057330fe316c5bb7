"""The plots that several sections share: latency, cost curves, detection matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dissonance.harness.checks.verdict import Status
from dissonance.harness.errors import BadInput
from dissonance.harness.history import FaultFired, History, ReplyReceived

from .page import Picture
from .theme import GLYPH, LIGHT, SERIES, Style, drawing
from .words import count, dollars, duration, joined

__all__ = ["Cell", "cost_curves", "latency", "matrix"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix: its verdict, and the words under the sign."""

    status: Status
    text: str


def matrix(
    cells: Mapping[tuple[str, str], Cell], rows: Sequence[str], columns: Sequence[str], *, name: str, caption: str
) -> Picture:
    """A table of verdicts as a picture, each with colour, sign and words; cells may be missing."""
    unknown = [key for key in cells if key[0] not in rows or key[1] not in columns]
    if unknown:
        raise BadInput(f"cells={unknown!r} stand in no row and column: give rows and columns that name them")
    with drawing(1.7 + 1.13 * len(columns), 0.7 + 0.56 * len(rows)) as figure:
        axes = figure.subplots()
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                if (row, column) in cells:
                    _draw_cell(axes, x, y, cells[row, column])
        _name_cells(axes, rows, columns)
    return Picture(name=name, figure=figure, caption=caption, alt=_matrix_alt(cells, rows, columns), narrowest=720)


_TINT: Mapping[Status, str] = {"pass": "good-tint", "fail": "bad-tint", "unknown": "unknown-tint"}
_SIGN: Mapping[Status, str] = {"pass": "good", "fail": "fault", "unknown": "ink"}


def _draw_cell(axes: Axes, x: int, y: int, cell: Cell) -> None:
    tint = LIGHT[_TINT[cell.status]]
    axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=tint, edgecolor="none"))
    axes.text(x, y - 0.16, GLYPH[cell.status], ha="center", va="center", fontsize=12, color=LIGHT[_SIGN[cell.status]])
    axes.text(x, y + 0.24, cell.text, ha="center", va="center", fontsize=7.5)


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), [_wrapped(column) for column in columns])
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _wrapped(words: str) -> str:
    """Two lines, broken at the space nearest to the middle."""
    spaces = [i for i, c in enumerate(words) if c == " "]
    if len(words) < 11 or not spaces:
        return words
    at = min(spaces, key=lambda i: abs(i - len(words) / 2))
    return f"{words[:at]}\n{words[at + 1 :]}"


def _matrix_alt(cells: Mapping[tuple[str, str], Cell], rows: Sequence[str], columns: Sequence[str]) -> str:
    parts = []
    for column in columns:
        held = [row for row in rows if (row, column) in cells and cells[row, column].status == "pass"]
        parts.append(f"{column}: {joined(held) or 'none'}")
    return f"Matrix of {len(rows)} rows by {len(columns)} columns. Rows that passed, by column. {'; '.join(parts)}."


def cost_curves(histories: Mapping[str, History], *, name: str, caption: str, until: float) -> Picture:
    """Cumulative dollars and tokens of several runs over virtual minutes, on log scales; ``until`` in seconds."""
    with drawing(8.6, 3.9) as figure:
        left, right = figure.subplots(1, 2)
        for (label, history), style in zip(histories.items(), _styles(len(histories)), strict=True):
            _draw_curves(left, right, label, history, style)
        for axes, title in ((left, "US dollars, cumulative"), (right, "tokens in and out, cumulative")):
            _finish_curves(axes, title, until)
        left.yaxis.set_major_formatter(lambda value, _: dollars(value))
        right.yaxis.set_major_formatter(lambda value, _: count(value))
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8.5, handlelength=3.2)
    return Picture(name=name, figure=figure, caption=caption, alt=_curves_alt(histories), narrowest=680)


def _styles(amount: int) -> list[Style]:
    return [SERIES[i % len(SERIES)] for i in range(amount)]


def _draw_curves(left: Axes, right: Axes, label: str, history: History, style: Style) -> None:
    replies = [r for r in history.replies() if r.usage is not None]
    shown = _spread(len(replies))
    minutes = [replies[place].at / 60 for place in shown]
    every = max(1, len(shown) // 6)
    first = SERIES.index(style) * every // len(SERIES)  # so that the markers of equal curves do not hide each other
    for axes, amounts in ((left, [r.usd for r in replies]), (right, [_tokens(r) for r in replies])):
        sums = list(accumulate(amounts))
        axes.plot(
            minutes,
            [sums[place] for place in shown],
            label=label,
            color=LIGHT[style.role],
            linestyle=style.dash,
            marker=style.marker,
            markevery=(first, every),
            markersize=4.5,
            linewidth=1.4,
        )


_POINTS = 60


def _spread(amount: int, most: int = _POINTS) -> list[int]:
    """So many places of a sequence at most, denser towards its start as a log scale shows it; both ends are among them.

    >>> _spread(3), _spread(1000, 5)
    ([0, 1, 2], [0, 5, 31, 177, 999])
    """
    if amount <= most:
        return list(range(amount))
    return sorted({round(amount ** (step / (most - 1))) - 1 for step in range(most)})


def _tokens(reply: ReplyReceived) -> int:
    usage = reply.usage
    if usage is None:
        return 0
    cached = usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    return usage.input_tokens + usage.output_tokens + cached


def _finish_curves(axes: Axes, title: str, until: float) -> None:
    axes.set_title(title)
    axes.set_yscale("log")
    axes.set_xlim(0, until / 60 * 1.03)
    axes.set_xlabel("virtual minutes")
    axes.grid(True, axis="y")
    axes.axvline(until / 60, color=LIGHT["ink"], linewidth=1, linestyle=(0, (2, 2)))
    axes.annotate(
        f"{until / 60:g} min",
        (until / 60, 0.01),
        xycoords=("data", "axes fraction"),
        xytext=(-3, 2),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )


def _curves_alt(histories: Mapping[str, History]) -> str:
    ends = [
        f"{label}: {dollars(sum(r.usd for r in history.replies()))} and "
        f"{count(sum(_tokens(r) for r in history.replies()))} tokens in {count(len(history.calls()))} calls"
        for label, history in histories.items()
    ]
    return f"Cost curves over virtual time. Totals: {'; '.join(ends)}."


def latency(history: History, baseline: History | None = None, *, name: str, caption: str) -> Picture:
    """How long each call took, by when it was sent; calls that a fault struck shaded, the baseline as a pale line."""
    replies = {event.call: event for event in history if isinstance(event, ReplyReceived)}
    struck = {event.call for event in history if isinstance(event, FaultFired)} & replies.keys()
    end = max((reply.at for reply in replies.values()), default=0.0)
    with drawing(8.6, 2.7) as figure:
        axes = figure.subplots()
        for start, stop in _windows([_span(replies[call]) for call in sorted(struck)], end / 100):
            axes.axvspan(start, stop, facecolor=LIGHT["bad-tint"], edgecolor=LIGHT["fault"], linewidth=0.4, alpha=0.6)
        _draw_latency(axes, history, baseline)
        axes.set_xlabel("sent at, virtual seconds")
        axes.set_ylabel("seconds to answer")
        axes.set_ylim(0, 1.12 * max(axes.get_ylim()[1], 1e-9))
        axes.grid(True, axis="y")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, fontsize=8)
    slowest = max((r.seconds for r in replies.values()), default=0.0)
    alt = f"Latency of {len(replies)} replies; the slowest took {duration(slowest)}; {len(struck)} answered calls were struck by a fault."
    return Picture(name=name, figure=figure, caption=caption, alt=alt)


def _draw_latency(axes: Axes, history: History, baseline: History | None) -> None:
    if baseline is not None:
        points = _points(baseline)
        axes.plot(*points, color=LIGHT["muted"], linewidth=4, alpha=0.45, label="baseline, without the fault")
    agents = list(dict.fromkeys(reply.agent or "" for reply in history.replies()))
    for agent, style in zip(agents, _styles(len(agents)), strict=True):
        starts, seconds = _points(history, agent)
        every = max(1, len(starts) // 40)
        axes.plot(
            starts,
            seconds,
            color=LIGHT[style.role],
            marker=style.marker,
            markevery=every,
            markersize=4,
            linewidth=0.8,
            linestyle=style.dash,
            label=agent,
        )


def _points(history: History, agent: str | None = None) -> tuple[list[float], list[float]]:
    replies = history.replies(agent)
    return [r.at - r.seconds for r in replies], [r.seconds for r in replies]


def _span(reply: ReplyReceived) -> tuple[float, float]:
    return reply.at - reply.seconds, reply.at


def _windows(spans: Sequence[tuple[float, float]], apart: float = 0.0) -> list[tuple[float, float]]:
    """Spans that overlap, or lie no further apart than this, as one.

    >>> _windows([(0, 2), (1, 3), (5, 6)]), _windows([(0, 3), (5, 6)], apart=2)
    ([(0, 3), (5, 6)], [(0, 6)])
    """
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1] + apart:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
