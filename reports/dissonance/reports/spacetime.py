"""The space-time diagram of a run: a lane for each agent, time to the right, each call a bar.

A bar reaches from *sent* to *received*. A fault is a red cross at the call it struck, a retry of
the client a hatched bar, an error or a broken body an empty bar, a guard that fired a green diamond with a line
through all lanes, the harness's stop a black square. Where a planted claim went, its bars have the colour
and the number of its depth, and a bar with a stroke across is where it stopped. Of a run with many calls the middle is left
out of the picture, and the gap says how much it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dissonance.harness.checks.taint import Tainted
from dissonance.harness.history import CallSent, FaultFired, GuardFired, History, ReplyReceived, Restarted, Stopped

from .page import Picture
from .theme import DEEPEST, LIGHT, drawing, taint_roles
from .words import count, dollars, duration

__all__ = ["Scale", "space_time"]

SHOWN_AT_START = 24
SHOWN_AT_END = 12
GAP = 0.07
"""The share of the picture's width that a gap takes."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Virtual seconds as places on the axis, with the stretch ``left`` to ``right`` pressed into a gap.

    >>> scale = Scale(end=1000.0, left=100.0, right=900.0)
    >>> scale(50.0), scale(100.0), round(scale(1000.0), 1)
    (50.0, 100.0, 215.1)
    """

    end: float
    left: float = 0.0
    right: float = 0.0

    def __call__(self, at: float) -> float:
        if at <= self.left:
            return at
        if at >= self.right:
            return at - self.skipped
        return self.left + (at - self.left) / (self.right - self.left) * self.gap

    def hides(self, at: float) -> bool:
        """Whether this second lies in the gap."""
        return self.left <= at < self.right

    @property
    def gap(self) -> float:
        """Width of the gap on the axis; 0 where nothing is left out."""
        shown = self.end - (self.right - self.left)
        return shown * GAP / (1 - GAP) if self.right > self.left else 0.0

    @property
    def skipped(self) -> float:
        return self.right - self.left - self.gap


_NO_TAINT: Mapping[int, Tainted] = {}


def space_time(history: History, *, name: str, caption: str, taint: Mapping[int, Tainted] = _NO_TAINT) -> Picture:
    """The diagram of this history. ``taint`` says, by call, where a planted claim went (see ``trace_cascade``)."""
    calls = history.calls(endpoint=None)
    scale, hidden = _scale(history, calls)
    shown = _shown(history, calls, scale)
    agents = list(dict.fromkeys(call.agent for call, _ in shown))
    with drawing(8.6, 1.3 + 0.5 * max(len(agents), 2)) as figure:
        axes = figure.subplots()
        titles = _draw_calls(axes, shown, agents, scale, taint)
        _draw_events(axes, history, agents, scale)
        _draw_gap(axes, scale, hidden, len(agents))
        _finish(axes, history, agents, scale, taint)
    everybody = list(dict.fromkeys(call.agent for call in calls))
    alt = (
        f"Space-time diagram: {count(len(calls))} calls of {len(everybody)} agents ({', '.join(everybody)}) over "
        f"{duration(scale.end)} of virtual time, {len(history.faults())} fault events, {len(history.guards())} guard events."
    )
    infected = [each.depth for each in taint.values() if each.infected]
    if infected:
        alt += f" The planted claim is in {len(infected)} replies, at most {max(infected)} deep."
    return Picture(name=name, figure=figure, caption=caption, alt=alt, titles=titles, narrowest=680)


def _scale(history: History, calls: Sequence[CallSent]) -> tuple[Scale, int]:
    end = max((event.at for event in history), default=0.0) or 1.0
    hidden = len(calls) - SHOWN_AT_START - SHOWN_AT_END
    if hidden <= SHOWN_AT_START:
        return Scale(end), 0
    left, right = calls[SHOWN_AT_START].at, calls[-SHOWN_AT_END].at
    return (Scale(end, left, right), hidden) if right > left else (Scale(end), 0)


def _shown(history: History, calls: Sequence[CallSent], scale: Scale) -> list[tuple[CallSent, ReplyReceived | None]]:
    """The calls that are not left out, each with its reply; an agent that has none of them has no lane."""
    replies = {event.call: event for event in history if isinstance(event, ReplyReceived)}
    answered = [(call, replies.get(call.id)) for call in calls]
    return [
        (call, reply)
        for call, reply in answered
        if not scale.hides(call.at) or (reply.at if reply else scale.end) >= scale.right
    ]


def _draw_calls(
    axes: Axes,
    shown: Sequence[tuple[CallSent, ReplyReceived | None]],
    agents: Sequence[str],
    scale: Scale,
    taint: Mapping[int, Tainted],
) -> dict[str, str]:
    lanes = {agent: lane for lane, agent in enumerate(agents)}
    titles: dict[str, str] = {}
    for call, reply in shown:
        until = reply.at if reply else scale.end
        bar = _bar(scale(call.at), scale(until), lanes[call.agent], call, reply)
        axes.add_patch(bar)
        titles[f"e{call.id}"] = _title(call, reply)
        if call.id in taint:
            _stain(axes, bar, taint[call.id], scale(scale.end))
            titles[f"e{call.id}"] += f", {_told(taint[call.id])}"
    return titles


def _bar(start: float, stop: float, lane: int, call: CallSent, reply: ReplyReceived | None) -> Rectangle:
    broken = reply is None or reply.ending != "complete" or reply.status is None or reply.status >= 400
    return Rectangle(
        (start, lane - 0.3),
        stop - start,
        0.6,
        facecolor="none" if broken else LIGHT["bar"],
        edgecolor=LIGHT["fault" if broken else "blue"],
        hatch="/////" if call.attempt > 1 else None,
        linewidth=0.9,
        gid=f"e{call.id}",
    )


def _stain(axes: Axes, bar: Rectangle, taint: Tainted, width: float) -> None:
    """The colour of the depth, and its number where there is room; a stroke across where the claim stopped."""
    left, middle = bar.get_x(), bar.get_y() + bar.get_height() / 2
    if taint.infected:
        fill, ink = taint_roles(taint.depth)
        bar.set(facecolor=LIGHT[fill], edgecolor=LIGHT["taint-1"])
        if bar.get_width() > width / 60:
            centre = left + bar.get_width() / 2
            axes.text(
                centre, middle, str(taint.depth), ha="center", va="center", fontsize=8, color=LIGHT[ink], zorder=4
            )
    else:
        bar.set(edgecolor=LIGHT["taint-1"])
        axes.plot([left, left + bar.get_width()], [middle] * 2, color=LIGHT["taint-1"], linewidth=1.6, zorder=4)


def _told(taint: Tainted) -> str:
    if taint.infected:
        return f"holds the claim, {taint.depth} deep"
    return f"read the claim, which stopped here: {taint.stopped}"


def _title(call: CallSent, reply: ReplyReceived | None) -> str:
    what = f"event {call.id}: {call.agent}, call {call.ordinal}"
    if call.attempt > 1:
        what += f", attempt {call.attempt}"
    if reply is None:
        return f"{what}, sent at {duration(call.at)}, never answered"
    how = reply.error or reply.stop_reason or reply.ending
    status = "no status" if reply.status is None else str(reply.status)
    return f"{what}, sent at {duration(call.at)}, {status} {how} after {duration(reply.seconds)}, {dollars(reply.usd)}"


def _draw_events(axes: Axes, history: History, agents: Sequence[str], scale: Scale) -> None:
    lanes = {agent: lane for lane, agent in enumerate(agents)}
    bottom = len(agents) - 0.5
    faults: set[tuple[float, float]] = set()
    for event in history:
        if isinstance(event, FaultFired) and not scale.hides(event.at):
            faults.add((scale(event.at), lanes.get(event.agent, -0.5)))  # of the human or the process: on the edge
        elif isinstance(event, Restarted) and not scale.hides(event.at):
            x = scale(event.at)
            axes.plot([x, x], [-0.5, bottom], color=LIGHT["fault"], linewidth=1.2, linestyle=":", zorder=3)
        elif isinstance(event, GuardFired) and not scale.hides(event.at):
            x = scale(event.at)
            axes.plot([x, x], [-0.5, bottom], color=LIGHT["good"], linewidth=1, linestyle="--", zorder=3)
            axes.plot([x], [-0.5], marker="D", markersize=7, color=LIGHT["good"], zorder=5, clip_on=False)
        elif isinstance(event, Stopped):
            axes.plot([scale(event.at)], [-0.5], marker="s", markersize=7, color=LIGHT["ink"], zorder=5, clip_on=False)
    if faults:
        spots = sorted(faults)
        xs, ys = [x for x, _ in spots], [y for _, y in spots]
        axes.plot(
            xs, ys, "X", markersize=6.5, color=LIGHT["fault"], markeredgecolor=LIGHT["paper"], zorder=6, clip_on=False
        )


def _draw_gap(axes: Axes, scale: Scale, hidden: int, lanes: int) -> None:
    if not hidden:
        return
    axes.add_patch(
        Rectangle(
            (scale.left, -0.5),
            scale.gap,
            max(lanes, 1),
            facecolor=LIGHT["paper"],
            edgecolor=LIGHT["grid"],
            linewidth=1,
            linestyle=":",
            zorder=2.5,
        )
    )
    axes.text(
        scale.left + scale.gap / 2,
        (lanes - 1) / 2,
        f"{count(hidden)} calls\n{duration(scale.right - scale.left)}",
        rotation=90,
        ha="center",
        va="center",
        fontsize=8,
        zorder=6,
        bbox={"facecolor": LIGHT["paper"], "edgecolor": "none", "pad": 1.5},
    )


def _finish(axes: Axes, history: History, agents: Sequence[str], scale: Scale, taint: Mapping[int, Tainted]) -> None:
    width = scale(scale.end)
    axes.set_xlim(-0.01 * width, 1.02 * width)
    axes.set_ylim(max(len(agents), 1) - 0.5, -0.75)
    axes.set_yticks(range(len(agents)), agents)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    places, labels = _ticks(scale)
    axes.set_xticks(places, labels)
    axes.set_xlabel("virtual time")
    for lane in range(len(agents)):
        axes.axhline(lane, color=LIGHT["grid"], linewidth=0.8, zorder=0)
    handles = [*_legend(history), *_taint_legend(taint)]
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.02), ncols=6, fontsize=8, handlelength=1.6)


def _ticks(scale: Scale) -> tuple[list[float], list[str]]:
    if not scale.gap:
        step = _step(scale.end)
        marks = [i * step for i in range(int(scale.end / step) + 1)]
    else:
        step = _step((scale.left + scale.end - scale.right) * 1.3)
        marks = [i * step for i in range(int(scale.left / step) + 1)]
        after = [i * step for i in range(int(scale.right / step) + 1, int(scale.end / step) + 1)]
        marks += after[-1:] if len(after) < 3 else [after[0], after[-1]]
    return [scale(mark) for mark in marks], [duration(mark) if mark else "0" for mark in marks]


def _step(length: float, most: int = 7) -> float:
    steps = [m * 10**e for e in range(-2, 1) for m in (1, 2, 5)] + [15, 30, 60, 120, 300, 600, 900, 1800, 3600]
    return next((step for step in steps if length / step <= most), 3600 * -(-length // (3600 * most)))


def _legend(history: History) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [Patch(facecolor=LIGHT["bar"], edgecolor=LIGHT["blue"], label="call")]
    calls = history.calls(endpoint=None)
    if any(call.attempt > 1 for call in calls):
        handles.append(Patch(facecolor="none", edgecolor=LIGHT["blue"], hatch="/////", label="retry"))
    replies = history.replies()
    if len(replies) < len(calls) or any(r.status is None or r.status >= 400 or r.ending != "complete" for r in replies):
        handles.append(Patch(facecolor="none", edgecolor=LIGHT["fault"], label="failed or unanswered"))
    if history.faults():
        handles.append(_mark("X", "fault", "fault"))
    if any(isinstance(event, Restarted) for event in history):
        handles.append(Line2D([], [], color=LIGHT["fault"], linewidth=1.2, linestyle=":", label="restarted"))
    if history.guards():
        handles.append(_mark("D", "good", "guard fired"))
    if any(isinstance(event, Stopped) for event in history):
        handles.append(_mark("s", "ink", "stopped by the harness"))
    return handles


def _taint_legend(taint: Mapping[int, Tainted]) -> list[Patch | Line2D]:
    depths = sorted({min(each.depth, DEEPEST) for each in taint.values() if each.infected})
    handles: list[Patch | Line2D] = []
    for depth in depths:
        label = f"claim {depth}{' or more' if depth == DEEPEST else ''} deep" if depth else "claim planted"
        handles.append(Patch(facecolor=LIGHT[taint_roles(depth)[0]], edgecolor=LIGHT["taint-1"], label=label))
    if any(not each.infected for each in taint.values()):
        handles.append(Line2D([], [], color=LIGHT["taint-1"], linewidth=1.6, label="claim stopped"))
    return handles


def _mark(marker: str, role: str, label: str) -> Line2D:
    return Line2D([], [], marker=marker, linestyle="none", color=LIGHT[role], markersize=6.5, label=label)
