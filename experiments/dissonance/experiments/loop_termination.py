"""Which control stops which loop, after how many calls, tokens, virtual seconds and dollars?

Workflows in all six patterns, each driven into an endless loop by one plan of faults, under each control: none, a step
budget that the orchestrator counts, a cycle detector, monotonic progress, all three, and a budget that
the agents are merely told to keep. Each runs under several seeds, with and without the fault: the
fault-free runs show whether a control stops honest work.

A seed draws the task's size and the pace of each call (log-normal around ``Settings.seconds_per_call``,
by a hash of seed, agent and call). What is still running after ``Settings.minutes`` virtual minutes is
stopped by the harness and counts as not stopped. The pace is an assumption, chosen so that 45 minutes
hold about 270 calls, half as many with ``--quick``; calls until a guard fires do not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import pandas as pd

from dissonance.harness import Gullible, History, Limits, Run, run
from dissonance.harness.checks.verdict import worst
from dissonance.reports import (
    Download,
    Finding,
    Note,
    Section,
    plan_download,
)

from ._chances import laws
from ._loop_page import (
    ADVICE,
    CLOSED_FORMS,
    EVERY_ARM,
    answer,
    arm_table,
    closed_forms,
    control_finding,
    curves,
    honest,
    loop_matrix,
    loops_table,
    trusted,
    unguarded,
    worst_loop,
)
from ._loops import ALL, CONTROLS, LOOPS, NONE, controls, task_of
from ._models import Counting, Unsteady
from ._termination import Settings, Termination
from .experiment import Experiment, Size
from .oracles import Held, held_exact
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "LoopTermination", "Settings", "Termination"]


class LoopTermination(Experiment[Settings, Termination]):
    """Ten loops, six controls, several seeds; then loops by chance against their closed forms."""

    name: ClassVar[str] = "loop_termination"
    question: ClassVar[str] = (
        "Which control stops which endless loop in the six patterns, after how many calls, tokens, seconds and dollars?"
    )

    def preset(self, size: Size) -> Settings:
        """``quick``: 1 seed, half the pace and 30 samples; ``full``: 8 seeds, 400 samples and deeper trees."""
        if size == "quick":
            return Settings(seeds=1, seconds_per_call=20, samples=30, trees=((2, 3), (1.5, 4)))
        if size == "full":
            return Settings(seeds=8, samples=400, trees=((2, 5), (1.5, 6), (0.8, 10)))
        return Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The arms, then the samples."""
        return [*_arms(params), *_draws(params)]

    def gather(self, params: Settings, measured: Sequence[Any]) -> Termination:
        """A row an arm, the histories of the runaways, and each law's samples against its closed form."""
        arms = list(_arms(params))
        rows = [row for row, _ in measured[: len(arms)]]
        kept = {arm.loop: history for arm, (_, history) in zip(arms, measured, strict=False) if history is not None}
        figures = measured[len(arms) :]
        held = [_exact_budget(params, rows)]
        for place, law in enumerate(laws(params.retries, params.trees)):
            held += law.hold(figures[place * params.samples : (place + 1) * params.samples])
        return Termination(table=pd.DataFrame(rows), held=held, settings=params, runaways=kept, sampled=len(figures))

    def findings(self, result: Termination) -> list[Finding]:
        """What each control is worth, whether honest work was cut, and whether the figures can be trusted."""
        return [unguarded(result), *(control_finding(result, c) for c in CONTROLS[1:]), honest(result), trusted(result)]

    def section(self, result: Termination) -> Section:
        """Matrix, cost curves, the worst run, the table of arms, and the closed forms."""
        needed = (control_finding(result, ALL), honest(result), trusted(result))
        return Section(
            name="loop-termination",
            title="Endless loops",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=answer(result),
                tier=result.tier,
                replay=self.replay(result.settings),
            ),
            blocks=[
                loop_matrix(result),
                loops_table(),
                curves(result),
                Note(heading="Every arm", text=EVERY_ARM),
                arm_table(result),
                Note(heading="Against closed forms", text=CLOSED_FORMS),
                closed_forms(result),
            ],
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Termination) -> list[Worst]:
        """The dearest loop that nothing stopped."""
        name = worst_loop(result)
        if name is None:
            return []
        piece = _Arm(loop=name, control=NONE, faulty=True, seed=0, params=params)
        return [Worst(name=name, title=f"The worst run: {name} without a control", piece=piece)]

    def downloads(self, result: Termination) -> list[Download]:
        """The plan of each loop, and the table of runs."""
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        plans = [plan_download(loop.name, [rule.describe() for rule in loop.plan.rules]) for loop in LOOPS]
        return [*plans, Download(filename="loop_termination.csv", media_type="text/csv", content=runs)]


# --- the runs ---------------------------------------------------------------------------------


_Row: TypeAlias = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class _Arm:
    loop: str
    control: str
    faulty: bool
    seed: int
    params: Settings

    @property
    def shown(self) -> bool:
        """Whether its history is kept for the figures."""
        return self.faulty and self.control == NONE and self.seed == 0

    def __call__(self) -> tuple[_Row, History | None]:
        made = self.played()
        return self._row(made), made.history if self.shown else None

    def played(self, **how: Any) -> Run:
        """The run; ``how`` are further arguments of ``run``."""
        loop = next(each for each in LOOPS if each.name == self.loop)
        params = self.params
        guards = controls(params.steps, params.repeats, params.patience)[self.control]
        return run(
            lambda: loop.build(guards),
            task_of(self.seed),
            plan=loop.plan if self.faulty else None,
            model=Unsteady(Counting(Gullible()), self.seed, params.seconds_per_call, params.spread),
            seed=self.seed,
            limits=self._limits(),
            baseline=False,
            **({"store": None} | how),
        )

    def _limits(self) -> Limits:
        """Only the time ends an unguarded run; under a control, ten times the budget is watched."""
        watched = 1_000_000 if self.control == NONE else 10 * self.params.steps
        return Limits(calls=watched, seconds=self.params.minutes * 60, tokens=10**10, usd=10**6, real_seconds=600)

    def _row(self, made: Run) -> _Row:
        return {
            "loop": self.loop,
            "control": self.control,
            "faulty": self.faulty,
            "seed": self.seed,
            "outcome": made.outcome,
            "stopped_by": made.stopped_by or "",
            "stopped": made.outcome != "stopped_by_harness",
            "fired": sum(counted.fired for counted in made.faults.values()),
            "stopped_at_step": _last_step(made),
            "calls": made.calls,
            "seconds": made.seconds,
            "tokens": made.tokens,
            "usd": made.usd,
            "tier": made.tier,
        }


def _arms(params: Settings) -> Iterator[_Arm]:
    for loop in LOOPS:
        for control in CONTROLS:
            for faulty in (False, True):
                for seed in range(params.seeds):
                    yield _Arm(loop=loop.name, control=control, faulty=faulty, seed=seed, params=params)


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """One sample of the law at this place among ``laws(retries, trees)``."""

    retries: tuple[tuple[float, int], ...]
    trees: tuple[tuple[float, int], ...]
    place: int
    seed: int

    def __call__(self) -> float:
        return laws(self.retries, self.trees)[self.place].sample(self.seed)


def _draws(params: Settings) -> Iterator[_Draw]:
    for place in range(len(laws(params.retries, params.trees))):
        for seed in range(params.samples):
            yield _Draw(retries=params.retries, trees=params.trees, place=place, seed=seed)


def _last_step(made: Run) -> int:
    """The orchestrator's own count when a guard fired; 0 where none did."""
    guards = made.history.guards()
    return int(guards[-1].data["step"]) if guards else 0


def _exact_budget(params: Settings, rows: Sequence[Mapping[str, object]]) -> Held:
    steps = [float(str(row["stopped_at_step"])) for row in rows if row["faulty"] and row["control"] == CONTROLS[1]]
    figure = f"step at which a budget of {params.steps} stops each loop"
    return held_exact(figure, "n, exactly", steps, params.steps)


EXPERIMENT = LoopTermination()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
