"""Which pattern when? What each gains and costs, measured; and which layer of a composite holds what.

Each of the six patterns has a trial (see ``_trials``): what it is bought for, with it and without it, and its calls,
tokens and time against one agent asked once. The composite fans research out, supervises it, has a panel where much
is at stake, and asks a human before money leaves; it is run under each fault, whole and without each of its layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import pandas as pd
from pydantic import Field

from dissonance.harness import Gullible, Run, run
from dissonance.harness.human import ScriptedHuman
from dissonance.reports import Download, Finding, Section, plan_download

from ._composite import ANY, FAULTS, LAYERS, TASK, clerk, composite, held, outcome_of
from ._framework import Framework
from ._framework_page import ADVICE, answer, blocks, composed, found, verdict_of
from ._trials import ARMS, LIMITS, TRIALS, Arm
from .experiment import Experiment, Params, Size
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "DecisionFramework", "Framework", "Settings"]


class Settings(Params):
    """``seeds`` paired runs of each arm of each pattern's trial."""

    seeds: int = Field(default=40, ge=1)


class DecisionFramework(Experiment[Settings, Framework]):
    """Six trials, then the composite under its faults."""

    name: ClassVar[str] = "decision_framework"
    question: ClassVar[str] = "What does each pattern gain, what does it cost, and when is it worth that?"

    def preset(self, size: Size) -> Settings:
        """``quick``: 6 seeds; ``full``: 200."""
        return Settings(seeds={"quick": 6, "default": 40, "full": 200}[size])

    def pieces(self, params: Settings) -> list[Piece]:
        """The trials, then the composite."""
        return [*_trials(params), *_composites()]

    def gather(self, params: Settings, measured: Sequence[Any]) -> Framework:
        """A row a run of a trial; the composite's runs apart."""
        trials = len(list(_trials(params)))
        composites = pd.DataFrame(measured[trials:])
        return Framework(
            table=pd.DataFrame(measured[:trials]), seeds=params.seeds, composites=composites, sampled=len(composites)
        )

    def findings(self, result: Framework) -> list[Finding]:
        """What each pattern gains and costs; what the composite holds, and only with which layer."""
        return [*(found(result, pattern) for pattern in TRIALS), composed(result)]

    def section(self, result: Framework) -> Section:
        """The framework as a table, costs, the composite's matrix."""
        return Section(
            name="decision-framework",
            title="Which pattern when",
            question=self.question,
            verdict=Finding(
                status=verdict_of(result),
                sentence=answer(result),
                tier=result.tier,
                replay=f"dissonance run decision_framework --seeds {result.seeds}",
            ),
            blocks=blocks(result),
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Framework) -> list[Worst]:
        """The composite in which the wrong sum is paid, if there is one."""
        table = result.composites
        paid = table[~table["held"]]
        if paid.empty:
            return []
        row = paid.iloc[0].to_dict()
        piece = _Composite(fault=str(row["fault"]), without=str(row["without"]))
        return [Worst(name="composite", title=f"The composite without {row['without']}: {row['outcome']}", piece=piece)]

    def downloads(self, result: Framework) -> list[Download]:
        """The composite's plans, and the table of trials."""
        plans = [
            plan_download(
                f"composite-{name.replace(', ', '-').replace(' ', '-')}", [rule.describe() for rule in plan.rules]
            )
            for name, plan in FAULTS.items()
            if plan.rules
        ]
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        return [*plans, Download(filename="decision_framework.csv", media_type="text/csv", content=runs)]


_Row: TypeAlias = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class _Trial:
    pattern: str
    arm: Arm
    seed: int

    def played(self, **how: Any) -> Run:
        """The run."""
        return TRIALS[self.pattern].play(self.arm, self.seed, **how)

    def __call__(self) -> _Row:
        made = self.played(store=None)
        figure = TRIALS[self.pattern].figure(made, self.seed) if self.arm != "alone" else 0.0
        return {"pattern": self.pattern, "arm": self.arm, "seed": self.seed, "figure": figure, **_costs(made)}


@dataclass(frozen=True, kw_only=True)
class _Composite:
    """The composite under a fault, ``without`` one of its layers (empty: with all; ``any``: with none)."""

    fault: str
    without: str

    def played(self, **how: Any) -> Run:
        """The run."""
        layers = [] if self.without == ANY else [layer for layer in LAYERS if layer != self.without]
        return run(
            lambda: composite(layers),
            TASK,
            plan=FAULTS[self.fault],
            model=Gullible(),
            human=ScriptedHuman(clerk, seconds=300.0),
            limits=LIMITS,
            baseline=False,
            **how,
        )

    def __call__(self) -> _Row:
        made = self.played(store=None)
        fired = sum(counted.fired for counted in made.faults.values())
        told: _Row = {
            "outcome": outcome_of(made),
            "held": held(made),
            "fired": fired,
            "struck": fired > 0 or not made.plan,
        }
        return {"fault": self.fault, "without": self.without, **told, **_costs(made)}


def _costs(made: Run) -> _Row:
    assert made.error is None, made.error
    return {
        "calls": made.calls,
        "tokens": made.tokens,
        "seconds": made.seconds,
        "usd": made.usd,
        "tier": made.tier,
    }


def _trials(params: Settings) -> Iterator[_Trial]:
    for pattern in TRIALS:
        for arm in ARMS:
            for seed in range(params.seeds):
                yield _Trial(pattern=pattern, arm=arm, seed=seed)


def _composites() -> Iterator[_Composite]:
    for fault in FAULTS:
        for without in ("", *LAYERS, ANY):
            yield _Composite(fault=fault, without=without)


EXPERIMENT = DecisionFramework()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
