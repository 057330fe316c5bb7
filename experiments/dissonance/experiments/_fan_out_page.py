"""What ``fanout_latency`` says of its result: findings, figures, a table, advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dissonance.reports import Finding, Interval, Picture, Table, bootstrap_mean, paired_difference, wilson
from dissonance.reports.theme import LIGHT, SERIES, drawing
from dissonance.reports.words import duration, number

from ._fan_outs import BOX, CONTROLS, FOUR, HEDGE, NONE, STRAGGLER, FanOuts, Span
from ._latency_laws import LAWS, RANDOM, max_mean
from ._telling import between, percent, tier_of

__all__ = [
    "ADVICE",
    "control_table",
    "controls",
    "gantt",
    "hedged",
    "on_slots",
    "speedups",
    "unguarded",
    "widths",
    "within",
]

ADVICE = (
    "Give each branch a time box well above its usual time. It is the only control here that bounds the whole, whatever "
    "the reason that a branch is late.",
    "Name what is missing. A cut branch is a gap that the reducer must show, not a shorter answer.",
    "Hedge where lateness is chance: a second copy is soon done. Where the branch itself is hard, the copy is as late "
    "and only costs.",
    "Make branches equal in size before adding slots: beyond the longest branch more slots buy nothing, and the serial "
    "part (the merger) bounds the rest.",
)

_PUBLISHED = (47, 13)
"""Minutes of 12 company profiles one after the other, and on four agents, in a pipeline reported by LangChain's team."""

_HOW = {
    "constant": "always the mean",
    "exponential": "exponential",
    "lognormal": "log-normal, sigma 1",
    "pareto": "Pareto, alpha 2.5",
    STRAGGLER: "one straggler",
}

# --- findings ---------------------------------------------------------------------------------


def _times(result: FanOuts, law: str, n: int) -> Interval:
    """The makespan over a branch's mean."""
    made = result.of("width", law=law, branches=n)["makespan"] / result.settings.mean
    return bootstrap_mean(made.tolist())


def unguarded(result: FanOuts) -> Finding:
    """What the slowest branch does to the whole."""
    late = result.of("control", law=STRAGGLER, control=NONE).iloc[0]
    widest = max(result.settings.widths)
    params = result.settings
    tries = int(late["calls"] - late["branches"]) + 1
    lost = f", after which the client had tried it {tries} times and lost it" if late["gaps"] else ""
    said = (
        f"A fan-out takes as long as its slowest branch: one of {params.panel} that came {duration(params.late)} late "
        f"made the whole take {duration(float(late['makespan']))} instead of {duration(params.mean)}{lost}"
    )
    times = between(_times(result, "exponential", widest))
    chance = f"{widest} branches took {times} times the mean of one by chance alone"
    return Finding(
        status="fail" if late["makespan"] > params.mean else "pass",
        sentence=f"{said}; {chance} (exponential latency, n {params.seeds}).",
        tier=tier_of(result.table),
    )


def within(result: FanOuts) -> Finding:
    """What the time box bounds, and what it costs."""
    boxed = result.of("control", control=BOX)
    gaps = wilson(int(boxed["gaps"].sum()), int(boxed["branches"].sum()))
    slowest = float(boxed["makespan"].max())
    held = slowest <= result.settings.box + 1e-6 and bool((boxed["outcome"] == "completed").all())
    return Finding(
        status="pass" if held else "fail",
        sentence=(
            f"With a time box of {duration(result.settings.box)} a branch, the slowest of {len(boxed)} fan-outs took "
            f"{duration(slowest)}; {between(gaps)} of the branches were cut and named as gaps."
        ),
        tier=tier_of(result.table),
    )


def _saved(result: FanOuts, law: str) -> Interval:
    """By how much hedging shortens the makespan, seed by seed."""
    bare, copied = (
        result.of("control", law=law, control=control).sort_values("seed")["makespan"].to_numpy()
        for control in (NONE, HEDGE)
    )
    return paired_difference(bare.tolist(), copied.tolist())


def hedged(result: FanOuts) -> Finding:
    """What hedging saves, what it costs, and where it does nothing."""
    saved = {law: _saved(result, law) for law in RANDOM}
    runs = result.of("control", control=HEDGE)
    runs = runs[runs["law"] != STRAGGLER]
    extra = wilson(int((runs["calls"] - runs["branches"]).sum()), int(runs["branches"].sum()))
    late = result.of("control", law=STRAGGLER, control=HEDGE)["makespan"].iloc[0]
    parts = ", ".join(f"{between(each)} s ({law})" for law, each in saved.items())
    sure = all(each.low > 0 for each in saved.values())
    return Finding(
        status="pass" if sure else "unknown",
        sentence=(
            f"Starting a late branch again after {duration(result.settings.hedge)} saved {parts} of the makespan for "
            f"{percent(extra.estimate)} more calls, but nothing where the branch itself is slow ({duration(float(late))})."
        ),
        tier=tier_of(result.table),
    )


def _speedup(result: FanOuts, slots: int) -> Interval:
    """Work over makespan, seed by seed."""
    made = result.of("slots", at_once=slots)
    return bootstrap_mean((made["work"] / made["makespan"]).tolist())


def on_slots(result: FanOuts) -> Finding:
    """What four slots buy, beside the published figure."""
    slots = FOUR if FOUR in result.settings.slots else max(result.settings.slots)
    value = _speedup(result, slots)
    alone, four = _PUBLISHED
    told = f"; reported from practice: {alone} min to {four} min, {number(alone / four)} times" if slots == FOUR else ""
    return Finding(
        status="pass",
        sentence=(
            f"{result.settings.companies} uneven branches on {slots} slots ran {between(value)} times as fast as one "
            f"after the other (n {value.n}){told}."
        ),
        tier=tier_of(result.table),
    )


# --- figures ----------------------------------------------------------------------------------


def widths(result: FanOuts) -> Picture:
    """The makespan by the number of branches, under each law."""
    found = result.settings.widths
    ends = []
    with drawing(7.6, 4.2) as figure:
        axes = figure.subplots()
        grid = sorted({*found, *(round(1.25**k) for k in range(40) if 1.25**k <= max(found))})
        for law, style in zip(LAWS, SERIES, strict=False):
            axes.plot(
                grid, [max_mean(law, n) for n in grid], color=LIGHT[style.role], linestyle=style.dash, linewidth=1.2
            )
            points = [_times(result, law, n) for n in found]
            axes.errorbar(
                found,
                [point.estimate for point in points],
                yerr=_bars(points),
                color=LIGHT[style.role],
                marker=style.marker,
                markersize=5,
                linestyle="none",
                capsize=2.5,
                label=_HOW[law],
            )
            ends.append(f"{_HOW[law]}: {number(points[-1].estimate)}, closed form {number(max_mean(law, found[-1]))}")
        axes.set_xscale("log")
        axes.set_xticks(found, [str(n) for n in found])
        axes.minorticks_off()
        axes.set_xlabel("branches at once")
        axes.set_ylabel("makespan, in means of one branch")
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")
        axes.legend(loc="upper left", fontsize=8.5)
    return Picture(
        name="makespan-by-width",
        figure=figure,
        caption=(
            f"The same mean latency, four laws. Points: mean of n {result.settings.seeds} fan-outs with its 95 % bootstrap "
            "interval; lines: the mean of the largest of n (order statistics; H_n for exponential latency)."
        ),
        alt=f"Makespan against branches. At {found[-1]} branches, in means of one: {'; '.join(ends)}.",
    )


def _bars(points: Sequence[Interval]) -> list[list[float]]:
    """Error bars; none where there is one observation."""
    low = [point.estimate - point.low for point in points]
    high = [point.high - point.estimate for point in points]
    return [np.nan_to_num(low).tolist(), np.nan_to_num(high).tolist()]


def gantt(result: FanOuts) -> Picture:
    """A few fan-outs on four slots, branch by branch."""
    gantts = result.gantts
    longest = max(span.end for spans in gantts.values() for span in spans)
    rows = [max(_lanes(spans).values()) + 1 for spans in gantts.values()]
    with drawing(8.6, 0.9 + 0.62 * len(gantts) + 0.2 * sum(rows)) as figure:
        panels = figure.subplots(len(gantts), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": rows})[:, 0]
        for axes, (shown, spans) in zip(panels, gantts.items(), strict=True):
            _draw_gantt(axes, spans, longest)
            axes.set_title(f"{shown}: {duration(max(span.end for span in spans))}")
        panels[-1].set_xlabel("virtual minutes")
    said = "; ".join(
        f"{shown}: {duration(max(span.end for span in spans))}, {sum(span.cut for span in spans)} cut"
        for shown, spans in gantts.items()
    )
    return Picture(
        name="fanout-gantt",
        figure=figure,
        caption=(
            f"{result.settings.companies} branches on {FOUR} slots, a lane a slot, each bar a branch with its number. The "
            "bar that decides the makespan has a thick outline; a hatched one ended without a result and is named as a gap."
        ),
        alt=f"Gantt charts. {said}.",
        narrowest=680,
    )


def _lanes(spans: Sequence[Span]) -> dict[int, int]:
    """The slot of each branch: the first that is free when it begins."""
    free: list[float] = []
    lanes: dict[int, int] = {}
    for span in sorted(spans, key=lambda each: (each.start, each.branch)):
        lane = next((place for place, at in enumerate(free) if at <= span.start + 1e-6), len(free))
        if lane == len(free):
            free.append(0)
        free[lane] = span.end
        lanes[span.branch] = lane
    return lanes


def _draw_gantt(axes: Axes, spans: Sequence[Span], longest: float) -> None:
    lanes = _lanes(spans)
    last = max(spans, key=lambda span: span.end)
    for span in spans:
        decides = span is last
        axes.barh(
            lanes[span.branch],
            (span.end - span.start) / 60,
            left=span.start / 60,
            height=0.74,
            facecolor=LIGHT["bad-tint" if span.cut or decides else "bar"],
            edgecolor=LIGHT["fault" if span.cut or decides else "paper"],
            hatch="////" if span.cut else None,
            linewidth=1.6 if decides else 0.8,
        )
        if span.end - span.start > longest / 60:
            middle = (span.start + span.end) / 120
            axes.text(middle, lanes[span.branch], str(span.branch + 1), ha="center", va="center", fontsize=7.5)
    axes.set_yticks(range(max(lanes.values()) + 1), [f"slot {lane + 1}" for lane in range(max(lanes.values()) + 1)])
    axes.set_ylim(max(lanes.values()) + 0.5, -0.5)
    axes.set_xlim(0, longest / 60 * 1.02)
    axes.tick_params(axis="y", length=0)


def controls(result: FanOuts) -> Picture:
    """The makespan under each control: mean, and from fastest to slowest."""
    laws = (*RANDOM, STRAGGLER)
    said = []
    with drawing(8.6, 4.4) as figure:
        panels = figure.subplots(2, 2, sharey=True).ravel()
        for axes, law in zip(panels, laws, strict=True):
            for place, (control, style) in enumerate(zip(CONTROLS, SERIES, strict=False)):
                runs = result.of("control", law=law, control=control)
                seconds = runs["makespan"]
                mean = float(seconds.mean())
                axes.hlines(place, seconds.min(), seconds.max(), color=LIGHT[style.role], linewidth=2.2, alpha=0.45)
                axes.plot(mean, place, marker=style.marker, markersize=6.5, color=LIGHT[style.role])
                axes.annotate(
                    _cost(runs), (1, place), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7.5
                )
                said.append(f"{_HOW[law]}, {control}: {number(mean)} s, {_cost(runs)}")
            axes.axvline(result.settings.box, color=LIGHT["ink"], linewidth=1, linestyle=(0, (2, 2)))
            axes.set_title(_HOW[law])
            axes.set_yticks(range(len(CONTROLS)), CONTROLS)
            axes.set_ylim(len(CONTROLS) - 0.5, -0.7)
            axes.set_xlim(0, _right(result, law))
        for axes in panels[2:]:
            axes.set_xlabel("makespan, virtual seconds")
    return Picture(
        name="fanout-controls",
        figure=figure,
        caption=(
            f"{result.settings.panel} branches of {duration(result.settings.mean)} each in the mean. Mark: mean makespan; bar: from the "
            f"fastest to the slowest of n {result.settings.seeds} fan-outs (the straggler: one). Dashed: the time box of "
            f"{duration(result.settings.box)}. Second copy after {duration(result.settings.hedge)}. On the right: branches "
            "missing, and calls beyond one a branch."
        ),
        alt=f"Makespan under controls. {'; '.join(said)}.",
        narrowest=700,
    )


def _right(result: FanOuts, law: str) -> float:
    return 1.8 * float(result.of("control", law=law)["makespan"].max())


def _cost(runs: pd.DataFrame) -> str:
    branches = runs["branches"].sum()
    gaps, extra = runs["gaps"].sum() / branches, (runs["calls"] - runs["branches"]).sum() / branches
    return f"gaps {percent(gaps)}, calls +{percent(extra)}"


def speedups(result: FanOuts) -> Picture:
    """Work over makespan by slots: uneven branches, and equal ones with a serial merger."""
    slots = result.settings.slots
    share = result.settings.merging
    points = [_speedup(result, m) for m in slots]
    alone, four = _PUBLISHED
    with drawing(7.6, 3.9) as figure:
        axes = figure.subplots()
        grid = np.linspace(1, max(slots), 200)
        axes.plot(grid, grid, color=LIGHT["muted"], linewidth=1, linestyle=(0, (2, 2)), label="no loss at all")
        axes.plot(
            grid,
            1 / (share + (1 - share) / grid),
            color=LIGHT["green"],
            linewidth=1.2,
            linestyle="-.",
            label=f"Amdahl's law, {percent(share)} serial",
        )
        serial = [float(result.of("serial", at_once=m)["makespan"].iloc[0]) for m in slots]
        whole = _serial(result)
        axes.plot(
            slots,
            [whole / s for s in serial],
            "^",
            color=LIGHT["green"],
            markersize=6,
            label="equal branches and a merger",
        )
        axes.errorbar(
            slots,
            [point.estimate for point in points],
            yerr=_bars(points),
            color=LIGHT["blue"],
            marker="o",
            markersize=5,
            capsize=2.5,
            linewidth=1.2,
            label="uneven branches, log-normal",
        )
        axes.plot(
            FOUR, alone / four, "*", color=LIGHT["fault"], markersize=13, label=f"reported: {alone} min to {four} min"
        )
        axes.set_xticks(slots)
        axes.set_xlabel("slots (branches at once)")
        axes.set_ylabel("times as fast as one slot")
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")
        axes.legend(loc="upper left", fontsize=8.5)
    ends = "; ".join(f"{m} slots: {number(point.estimate)}" for m, point in zip(slots, points, strict=True))
    return Picture(
        name="fanout-speedup",
        figure=figure,
        caption=(
            f"{result.settings.companies} branches with {duration(result.settings.serial)} of work in the mean, on more and more slots (n "
            f"{result.settings.seeds}, 95 % bootstrap). The star is the published pipeline of 12 company profiles, 47 "
            "minutes in sequence and 13 on 4 agents (LangChain's research team, as reported by a practitioners' guide). A "
            "merger whose work is serial bounds what slots can buy."
        ),
        alt=f"Speed-up by slots. Uneven branches: {ends}.",
    )


def _serial(result: FanOuts) -> float:
    """Seconds of all branches and the merger one after the other."""
    work = result.settings.equal * result.settings.mean
    return work / (1 - result.settings.merging)


# --- table ------------------------------------------------------------------------------------


def control_table(result: FanOuts) -> Table:
    """Each law under each control, with its intervals; the CSV has every run of all studies."""
    return Table(
        name="fanout-controls-table",
        frame=result.table,
        shown=pd.DataFrame(list(_rows(result))),
        caption="Each law under each control: mean makespan (bootstrap), branches missing (Wilson), calls a branch, 95 %.",
    )


def _rows(result: FanOuts) -> Iterator[dict[str, str | float | Interval]]:
    for law in (*RANDOM, STRAGGLER):
        for control in CONTROLS:
            runs = result.of("control", law=law, control=control)
            yield {
                "latency and control": f"{_HOW[law]}, {control}",
                "makespan, s": bootstrap_mean(runs["makespan"].tolist()),
                "slowest, s": float(runs["makespan"].max()),
                "branches missing": wilson(int(runs["gaps"].sum()), int(runs["branches"].sum())),
                "calls a branch": float((runs["calls"] / runs["branches"]).mean()),
            }
