"""What do stragglers, time boxes and hedging do to the makespan of a fan-out?

A real fan-out whose branches come late by one of four laws: by the number of branches, under each control,
on few slots, with a straggler, and with a serial part. Arms of one seed draw the same latencies. The model
itself takes no time, so that a branch takes what its law says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pandas as pd

from dissonance.harness.checks.verdict import worst
from dissonance.reports import Download, Finding, Note, Section, plan_download

from ._fan_out_page import ADVICE, control_table, controls, gantt, hedged, on_slots, speedups, unguarded, widths, within
from ._fan_outs import BOTH, BOX, HEDGE, NONE, FanOuts, Settings, arms, straggler_plan
from ._latency_laws import LAWS, RANDOM, LatencyLaw, harmonic, max_quantile, survival, survival_hedged
from ._telling import closed_forms, percent, tier_of, trusted
from .experiment import Experiment, Size
from .oracles import Held, held_exact, held_mean, held_rate
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "FanOutLatency", "FanOuts", "Settings"]


class FanOutLatency(Experiment[Settings, FanOuts]):
    """Makespans, against order statistics, list scheduling and Amdahl's law."""

    name: ClassVar[str] = "fanout_latency"
    question: ClassVar[str] = "What do stragglers, time boxes and hedging do to the time that a fan-out takes?"

    def preset(self, size: Size) -> Settings:
        """``quick``: 16 seeds, up to 16 branches at random latencies; ``full``: 100 seeds."""
        if size == "quick":
            return Settings(seeds=16, widths=(1, 4, 16), slots=(1, 4, 12))
        return Settings(seeds=100) if size == "full" else Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The arms."""
        return list(arms(params))

    def gather(self, params: Settings, measured: Sequence[Any]) -> FanOuts:
        """A row an arm, the pictures of a few, and the closed forms."""
        table = pd.DataFrame([row for row, _ in measured])
        shown = {arm.shown: spans for arm, (_, spans) in zip(arms(params), measured, strict=True) if arm.shown}
        bare = FanOuts(table=table, settings=params, gantts=shown)
        return FanOuts(table=table, settings=params, gantts=shown, held=list(_held(bare)))

    def findings(self, result: FanOuts) -> list[Finding]:
        """What a straggler does, what each control is worth, what slots are worth, and whether to trust it."""
        return [
            unguarded(result),
            within(result),
            hedged(result),
            on_slots(result),
            trusted(result.held, tier_of(result.table), of="fan-outs"),
        ]

    def section(self, result: FanOuts) -> Section:
        """Makespan by width, the Gantt pictures, the controls, the speed-up, and the closed forms."""
        needed = (within(result), trusted(result.held))
        return Section(
            name="fanout-latency",
            title="Stragglers in a fan-out",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=f"{within(result).sentence} {unguarded(result).sentence}",
                tier=tier_of(result.table),
                replay=self.replay(result.settings),
            ),
            blocks=[
                widths(result),
                gantt(result),
                controls(result),
                control_table(result),
                speedups(result),
                Note(
                    heading="Against closed forms",
                    text=(
                        "The largest of n independent latencies has the distribution F(t)^n, so half of all makespans lie "
                        "beyond its median, whatever the law: this holds also for laws whose mean converges too slowly to be "
                        "compared."
                    ),
                ),
                closed_forms("fanout-closed-forms", result.held, "Fan-outs"),
            ],
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: FanOuts) -> list[Worst]:
        """The straggler that nothing cuts, on few slots."""
        piece = next(arm for arm in arms(params) if arm.study == "late" and arm.control == NONE)
        return [Worst(name="straggler", title="One branch late, and nothing that cuts it", piece=piece)]

    def downloads(self, result: FanOuts) -> list[Download]:
        """The plan of the straggler."""
        return [plan_download("straggler", [rule.describe() for rule in straggler_plan(result.settings).rules])]


# --- closed forms -----------------------------------------------------------------------------


def _held(result: FanOuts) -> Iterator[Held]:
    yield from _order_statistics(result)
    for law in RANDOM:
        yield from _controls(result, law)
    yield from _scheduling(result)


def _order_statistics(result: FanOuts) -> Iterator[Held]:
    mean = result.settings.mean
    for n in result.settings.widths:
        for law in LAWS:
            made = result.of("width", law=law, branches=n)["makespan"].tolist()
            what = f"makespan of {n} {law} branches"
            if law == "constant":
                yield held_exact(what, "the mean itself", made, mean)
                continue
            if law == "exponential":
                yield held_mean(what, "mean times H_n", made, mean * harmonic(n), mean**2 * harmonic(n, 2))
            middle = max_quantile(lambda t, law=law: survival(law, mean, t), n, 0.5)  # type: ignore[misc]
            yield held_rate(f"share over the median: {what}", "1 - F(t)^n", [t > middle for t in made], 0.5)


def _controls(result: FanOuts, law: LatencyLaw) -> Iterator[Held]:
    params = result.settings
    mean, n = params.mean, params.panel

    def hedged_survival(t: float) -> float:
        return survival_hedged(law, mean, t, params.hedge)

    for control, left in ((BOX, survival(law, mean, params.box)), (BOTH, hedged_survival(params.box))):
        gaps = result.of("control", law=law, control=control)["gaps"]
        formula = "S(box)" if control == BOX else "S(box) S(box - hedge)"
        yield held_rate(f"branches cut: {law}, {control}", formula, _spread(gaps, n), left)
    made = result.of("control", law=law, control=HEDGE)
    extra = _spread(made["calls"] - n, n)
    yield held_rate(f"branches started again: {law}", "S(hedge)", extra, survival(law, mean, params.hedge))
    middle = max_quantile(hedged_survival, n, 0.5)
    over = [t > middle for t in made["makespan"]]
    yield held_rate(f"share over the median: {law}, hedged", "1 - (1 - S(t) S(t - hedge))^n", over, 0.5)


def _scheduling(result: FanOuts) -> Iterator[Held]:
    made = result.of("slots")
    apart = [round(each, 6) for each in made["makespan"] - made["listed"]]  # nanoseconds add up otherwise than floats
    yield held_exact("makespan less list scheduling of its own branches, s", "0, exactly", apart, 0)
    for slots in result.settings.bounds:
        seconds = result.of("bound", at_once=slots)["makespan"]
        ratio = (seconds / (result.settings.mean * slots)).tolist()
        yield held_exact(f"worst case of {slots} slots, over the optimum", "2 - 1/m", ratio, 2 - 1 / slots)
    alone = result.of("serial", at_once=1)["makespan"].tolist()
    share = result.settings.merging
    for slots in result.settings.slots:
        if alone and result.settings.equal % slots == 0:
            faster = (alone[0] / result.of("serial", at_once=slots)["makespan"]).tolist()
            expected = 1 / (share + (1 - share) / slots)
            yield held_exact(
                f"speed-up on {slots} slots, {percent(share)} serial", "1 / (f + (1 - f)/m)", faster, expected
            )


def _spread(counts: Any, n: int) -> list[bool]:
    """Counts out of n each, as that many hits."""
    return [place < int(count) for count in counts for place in range(n)]


EXPERIMENT = FanOutLatency()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
