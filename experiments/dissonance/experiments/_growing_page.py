"""What ``context_growth`` says of its result: findings, figures, a table, advice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import pandas as pd
from matplotlib.axes import Axes

from dissonance.reports import Finding, Interval, Picture, Table, bootstrap_mean, paired_difference
from dissonance.reports.theme import LIGHT, SERIES, drawing
from dissonance.reports.words import count, dollars, number

from ._growing import ARMS, FULL, LEDGER, PROJECTION, Growing
from ._telling import tier_of

__all__ = ["ADVICE", "arm_table", "bloated", "by_stage", "ledger", "projection", "three", "three_stages"]

ADVICE = (
    "Give each stage the fields that it needs, by name, and of each field the part that it needs: the size of a request "
    "then does not depend on the length of the chain.",
    "Let a stage open with its result in one line, and hand on that line. What only its author needs stays with its author.",
    "Keep a token ledger as the last line of defence, with what must not be lost pinned. It keeps a request within the "
    "window, but a chain that is compacted at every stage pays for reading all of it again each time.",
)

_PUBLISHED = (50_000, 2_000)
"""Tokens that the third agent of a chain is fed, and those that it needs, as a practitioners' guide puts it."""

# --- findings ---------------------------------------------------------------------------------


def bloated(result: Growing) -> Finding:
    """What a chain carries that passes on all."""
    run = result.of("long", FULL).iloc[0]
    lean = result.of("long", PROJECTION).iloc[0]
    params = result.settings
    times = number(run["largest"] / lean["largest"])
    said = f"A chain whose stages see all before them carried {times} times the tokens of one whose stages see what they need"
    if run["failed"]:
        end = f"and was refused at stage {int(run['done']) + 1} of {params.stages} (a window of {count(params.window)})"
    else:
        end = f"after {params.stages} stages"
    return Finding(
        status="fail" if run["failed"] else "pass",
        sentence=f"{said}, {count(run['carried'])} in all, {end}.",
        tier=tier_of(result.table),
    )


def projection(result: Growing) -> Finding:
    """What projection saves."""
    full, lean = result.of("uneven", FULL), result.of("uneven", PROJECTION)
    saved = paired_difference((lean["carried"] / full["carried"]).tolist(), [1.0] * len(full), percent=True)
    long = result.of("long", PROJECTION).iloc[0]
    kept = bool((lean["fact"]).all() and long["fact"]) and not long["failed"]
    return Finding(
        status="pass" if kept and saved.high < 0 else "fail" if not kept else "unknown",
        sentence=(
            f"Passing on what the next stage needs saved {-saved.estimate:.0%} of the input tokens of {result.settings.uneven} "
            f"stages ({-saved.high:.1%} to {-saved.low:.1%}, n {saved.n}), no request was over {count(lean['largest'].max())}, "
            f"and the last stage {'still had' if kept else 'did not always have'} the first one's finding."
        ).replace("%", " %"),
        tier=tier_of(result.table),
    )


def ledger(result: Growing) -> Finding:
    """What a ledger with compaction keeps, and what that costs."""
    run, bare = result.of("long", LEDGER).iloc[0], result.of("long", FULL).iloc[0]
    held = not run["failed"] and bool(run["fact"])
    extra = int(run["calls"] - run["done"])
    return Finding(
        status="pass" if held else "fail",
        sentence=(
            f"A token ledger took the same chain through {int(run['done'])} of {result.settings.stages} stages with the pinned "
            f"finding {'in' if run['fact'] else 'missing from'} the last request, for {extra} calls of a compactor: "
            f"{count(run['total'])} tokens and {dollars(float(run['usd']))}, where the chain without it spent "
            f"{count(bare['total'])} and {dollars(float(bare['usd']))}{' before it was refused' if bare['failed'] else ''}."
        ),
        tier=tier_of(result.table),
    )


def three(result: Growing) -> Finding:
    """What the third stage is fed, and what it needs."""
    fed, needed = (int(result.of("three", arm).iloc[0]["largest"]) for arm in (FULL, PROJECTION))
    told = "reported from practice: {} for {}".format(*map(count, _PUBLISHED))
    return Finding(
        status="fail" if fed > 2 * needed else "pass",
        sentence=(
            f"After two stages that each say {count(result.settings.much)} tokens, the third was fed {count(fed)} tokens for a "
            f"task that needs {count(needed)} ({told})."
        ),
        tier=tier_of(result.table),
    )


# --- figures ----------------------------------------------------------------------------------


def by_stage(result: Growing) -> Picture:
    """The input tokens of each stage, and their sum."""
    carried = {arm: result.carried["long", arm] for arm in ARMS}
    with drawing(8.6, 3.9) as figure:
        left, right = figure.subplots(1, 2)
        for (arm, tokens), style in zip(carried.items(), SERIES, strict=False):
            look = {"color": LIGHT[style.role], "linestyle": style.dash, "linewidth": 1.5, "marker": style.marker}
            steps = range(1, len(tokens) + 1)
            left.plot(steps, tokens, label=arm, markersize=4.5, markevery=6, **look)
            right.plot(steps, list(accumulate(tokens)), markersize=4.5, markevery=6, **look)
        _refused(left, result)
        for axes, title in ((left, "input tokens of a stage"), (right, "input tokens of all stages so far")):
            axes.set_title(title)
            axes.set_xlabel("stage")
            axes.set_ylim(bottom=0)
            axes.grid(True, axis="y")
            axes.yaxis.set_major_formatter(lambda value, _: count(value))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3.2)
    ends = "; ".join(
        f"{arm}: {count(tokens[-1])} at stage {len(tokens)}, {count(sum(tokens))} in all"
        for arm, tokens in carried.items()
    )
    return Picture(
        name="context-by-stage",
        figure=figure,
        caption=(
            f"A chain of {result.settings.stages} stages, each of which says {count(result.settings.said)} tokens; what a "
            "stage is shown grows by that at every stage (left), so the sum grows with the square (right). A cross: the API "
            "refused the prompt. The compactor's own calls are not in these curves."
        ),
        alt=f"Context by stage. {ends}.",
        narrowest=680,
    )


def _refused(axes: Axes, result: Growing) -> None:
    window = result.settings.window
    axes.axhline(window, color=LIGHT["ink"], linewidth=1, linestyle=(0, (2, 2)))
    axes.annotate(f"window {count(window)}", (1, window), xytext=(0, 3), textcoords="offset points", fontsize=8)
    if result.of("long", FULL).iloc[0]["failed"]:
        tokens = result.carried["long", FULL]
        axes.plot(len(tokens), tokens[-1], marker="x", markersize=10, markeredgewidth=2.4, color=LIGHT["fault"])


def three_stages(result: Growing) -> Picture:
    """What three stages are fed, beside what they need."""
    fed, needed = (result.carried["three", arm] for arm in (FULL, PROJECTION))
    with drawing(7.6, 2.9) as figure:
        axes = figure.subplots()
        for offset, tokens, label, face, hatch in (
            (-0.2, fed, FULL, "bad-tint", "////"),
            (0.2, needed, PROJECTION, "good-tint", ""),
        ):
            places = [stage + offset for stage in range(3)]
            edge = LIGHT["fault" if hatch else "good"]
            axes.barh(places, tokens, height=0.36, label=label, facecolor=LIGHT[face], edgecolor=edge, hatch=hatch)
            for place, value in zip(places, tokens, strict=True):
                axes.annotate(
                    count(value), (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
                )
        for value in _PUBLISHED:
            axes.axvline(value, color=LIGHT["ink"], linewidth=1, linestyle=(0, (2, 2)))
        axes.set_yticks(range(3), [f"agent {letter}" for letter in "ABC"])
        axes.set_ylim(2.6, -0.6)
        axes.set_xlim(0, 1.15 * max(*fed, _PUBLISHED[0]))
        axes.xaxis.set_major_formatter(lambda value, _: count(value))
        axes.set_xlabel("input tokens")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return Picture(
        name="context-of-three",
        figure=figure,
        caption=(
            f"Three agents, of which each says {count(result.settings.much)} tokens. Dashed: 2,000 tokens needed and 50,000 fed, "
            "as a practitioners' guide to orchestration puts it for the third agent."
        ),
        alt=f"Input tokens of agents A, B and C: all of it {', '.join(map(count, fed))}; what it needs {', '.join(map(count, needed))}.",
    )


# --- table ------------------------------------------------------------------------------------

_STUDIES = {
    "long": "{stages} stages of one size",
    "uneven": "{uneven} stages of uneven size",
    "three": "3 large stages",
}


def arm_table(result: Growing) -> Table:
    """Each kind of chain under each control; the CSV has every run."""
    return Table(
        name="context-arms",
        frame=result.table,
        shown=pd.DataFrame(list(_rows(result))),
        caption=(
            "Each chain: its largest request, the input tokens of its stages, all tokens with those of a compactor (means, "
            "bootstrap 95 %), and whether the last request had the first stage's finding."
        ),
    )


def _rows(result: Growing) -> Iterator[dict[str, str | Interval]]:
    for study, words in _STUDIES.items():
        for arm in ARMS:
            runs = result.table[(result.table["study"] == study) & (result.table["arm"] == arm)]
            if runs.empty:
                continue
            row: dict[str, str | Interval] = {"chain": f"{words.format(**dict(result.settings))}, {arm}"}
            for column, label in _MEASURED.items():
                row[label] = bootstrap_mean(runs[column].astype(float).tolist())
            row["finding kept"] = "yes" if runs["fact"].all() else "no"
            row["refused at"] = str(runs["failed"].iloc[0]) or "never"
            yield row


_MEASURED = {"largest": "largest request", "carried": "input of stages", "total": "all tokens", "usd": "US dollars"}
