"""What ``fanout_latency`` is given and gives, and the fan-outs that it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, TypeAlias

import pandas as pd
from anthropic import AsyncAnthropic
from pydantic import Field

from dissonance.faults import At, FaultPlan, Rule, SlowBranch, SlowReply
from dissonance.harness import Limits, Run, run
from dissonance.harness.history import History
from dissonance.patterns import Agent, Guard, Pattern, Piece, TimeBox, fan_out, merger, solo

from ._latency_laws import LAWS, RANDOM, latency, listed
from ._loops import client
from ._models import Saying
from .experiment import Params, Result

__all__ = [
    "BOTH",
    "BOX",
    "CONTROLS",
    "FOUR",
    "HEDGE",
    "NONE",
    "STRAGGLER",
    "Arm",
    "FanOuts",
    "Settings",
    "Span",
    "Study",
    "arms",
    "straggler_plan",
    "tight",
]

Study: TypeAlias = Literal["width", "control", "slots", "late", "bound", "serial"]
"""Makespan by the number of branches; under controls; on few slots; there with a straggler; on the worst case of list
scheduling; with a serial part."""

FOUR = 4
"""The slots of the published example."""
NONE, BOX, HEDGE, BOTH = "none", "time box", "hedging", "both"
CONTROLS = (NONE, BOX, HEDGE, BOTH)
STRAGGLER = "one straggler"


class Settings(Params):
    """Times are virtual seconds.

    ``widths`` are numbers of branches; ``mean`` is each branch's mean latency. Controls are tried on ``panel``
    branches: a time box of ``box``, a second copy after ``hedge``; the straggler comes ``late`` more. ``companies``
    with ``serial`` seconds of work in all go onto each of ``slots``, as do ``equal`` equal branches before a merger
    that is the share ``merging`` of the work.
    """

    seeds: int = Field(default=30, ge=2)
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 100)
    mean: float = Field(default=60, gt=0)
    panel: int = Field(default=12, ge=2)
    box: float = Field(default=180, gt=0)
    hedge: float = Field(default=120, gt=0)
    late: float = Field(default=1200, gt=0)
    companies: int = Field(default=12, ge=2)
    serial: float = Field(default=47 * 60, gt=0)
    slots: tuple[int, ...] = (1, 2, 3, 4, 6, 12)
    bounds: tuple[int, ...] = (2, 3, 4, 5)
    equal: int = Field(default=12, ge=1)
    merging: float = Field(default=0.1, gt=0, lt=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A branch at work: its number, when it started and ended (virtual seconds), and whether it was cut."""

    branch: int
    start: float
    end: float
    cut: bool


@dataclass(frozen=True, kw_only=True)
class FanOuts(Result):
    """``gantts``: the branches of a few runs, by what the run shows."""

    settings: Settings
    gantts: Mapping[str, Sequence[Span]]

    def of(self, study: Study, **columns: object) -> pd.DataFrame:
        """The runs of a study, where each column has this value."""
        chosen = self.table[self.table["study"] == study]
        for column, value in columns.items():
            chosen = chosen[chosen[column] == value]
        return chosen


# --- the workflow -----------------------------------------------------------------------------

_ANALYST = Agent("analyst", "Write the profile of one company.")
_EDITOR = Agent("editor", "Put the profiles together.")
_LIMITS = Limits(calls=10_000, tokens=10**9, usd=10**6)


def _name(branch: int) -> str:
    return f"company {branch:03}"


@cache
def _patient() -> AsyncAnthropic:
    """A client that waits for what a law draws: the SDK's own gives a call up after ten minutes and tries again."""
    return client().with_options(timeout=86_400)


def _workflow(arm: Arm) -> Pattern[Any]:
    def split(task: str) -> list[Piece]:
        return [Piece(name=_name(branch), task=f"Profile {_name(branch)}.") for branch in range(arm.branches)]

    boxed: tuple[Guard, ...] = (TimeBox(arm.params.box),) if arm.control in (BOX, BOTH) else ()
    hedge = arm.params.hedge if arm.control in (HEDGE, BOTH) else None
    work = solo(client() if arm.law == STRAGGLER else _patient(), _ANALYST)
    if arm.study == "serial":
        return fan_out(work, split=split, reduce=merger(client(), _EDITOR), at_once=arm.at_once)
    return fan_out(work, split=split, at_once=arm.at_once, hedge=hedge, branch_guards=boxed)


# --- an arm -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One fan-out: a row of the table, and its spans if it is ``shown``."""

    study: Study
    law: str
    branches: int
    at_once: int
    seed: int
    params: Settings
    control: str = NONE
    shown: str = ""

    def __call__(self) -> tuple[dict[str, Any], Sequence[Span]]:
        """Run it."""
        made = self.played()
        return self._row(made), _spans(made, self.branches) if self.shown else ()

    def played(self, **how: Any) -> Run:
        """The run; ``how`` are further arguments of ``run``."""
        return run(
            lambda: _workflow(self),
            f"Profile {self.branches} companies.",
            plan=self.plan,
            model=Saying({}, "Founded in 1987."),
            seed=self.seed,
            limits=_LIMITS,
            baseline=False,
            **({"store": None} | how),
        )

    @property
    def plan(self) -> FaultPlan:
        """What makes its branches late."""
        params = self.params
        if self.study == "bound":
            return _late({branch: params.mean * size for branch, size in enumerate(tight(self.at_once))})
        if self.law == STRAGGLER:
            return straggler_plan(params)
        if self.study == "slots":
            delay = SlowReply(seconds=params.serial / params.companies, law="lognormal", sigma=0.5, seed=self.seed)
            return FaultPlan(rules=(_slow("analyst", delay),))
        if self.study == "serial":
            merging = params.equal * params.mean * params.merging / (1 - params.merging)
            slow = {"analyst": latency("constant", params.mean), "editor": latency("constant", merging)}
            return FaultPlan(rules=tuple(_slow(agent, fault) for agent, fault in slow.items()))
        law = next(law for law in LAWS if law == self.law)
        return FaultPlan(rules=(_slow("analyst", latency(law, params.mean, self.seed)),))

    def _row(self, made: Run) -> dict[str, Any]:
        parts = made.result.parts
        return {
            "study": self.study,
            "law": self.law,
            "control": self.control,
            "branches": self.branches,
            "at_once": self.at_once,
            "seed": self.seed,
            "makespan": made.seconds,
            "work": sum(part.seconds for part in parts),
            "slowest": max(part.seconds for part in parts),
            "listed": listed(tuple(part.seconds for part in parts), self.at_once),
            "gaps": len(made.result.gaps),
            "calls": made.calls,
            "fired": sum(counted.fired for counted in made.faults.values()),
            "usd": made.usd,
            "outcome": made.outcome,
            "tier": made.tier,
        }


def tight(slots: int) -> tuple[int, ...]:
    """The sizes of the tasks on which list scheduling is as bad as it can be: m(m - 1) of one, then one of m.

    >>> tight(2)
    (1, 1, 2)
    """
    return (*(1 for _ in range(slots * (slots - 1))), slots)


def straggler_plan(params: Settings) -> FaultPlan:
    """Every branch takes the mean, the first one ``late`` seconds more."""
    everyone = _slow("analyst", latency("constant", params.mean))
    return FaultPlan(rules=(everyone, *_late({0: params.late}).rules))


def _slow(agent: str, fault: SlowReply) -> Rule:
    return Rule(id=f"slow-{agent}", at=At(agent=agent), fault=fault)


def _late(seconds: Mapping[int, float]) -> FaultPlan:
    return FaultPlan(
        rules=tuple(
            Rule(id=f"late-{branch:03}", at=At(agent="analyst", text=_name(branch)), fault=SlowBranch(seconds=each))
            for branch, each in seconds.items()
        )
    )


def _spans(made: Run, branches: int) -> list[Span]:
    """When each branch began, by its first call, and how long it took, by its part."""
    begun = _begun(made.history, branches)
    parts = made.result.parts
    return [
        Span(branch, begun[branch], begun[branch] + part.seconds, part.missing is not None)
        for branch, part in enumerate(parts)
    ]


def _begun(history: History, branches: int) -> dict[int, float]:
    begun: dict[int, float] = {}
    for call in history.calls("analyst"):
        text = history.request_text(call)
        branch = next(branch for branch in range(branches) if _name(branch) in text)
        begun.setdefault(branch, call.at)
    return begun


# --- all of them ------------------------------------------------------------------------------


def arms(params: Settings) -> Iterator[Arm]:
    """Every arm, study by study. Arms of one seed draw the same latencies."""
    return chain(_widths(params), _controls(params), _on_slots(params), _late_on_slots(params), _exact(params))


def _widths(params: Settings) -> Iterator[Arm]:
    for n in params.widths:
        for law in LAWS:
            for seed in range(1 if law == "constant" else params.seeds):
                yield Arm(study="width", law=law, branches=n, at_once=n, seed=seed, params=params)


def _controls(params: Settings) -> Iterator[Arm]:
    for control in CONTROLS:
        for law in (*RANDOM, STRAGGLER):
            for seed in range(1 if law == STRAGGLER else params.seeds):
                n = params.panel
                yield Arm(study="control", law=law, control=control, branches=n, at_once=n, seed=seed, params=params)


def _on_slots(params: Settings) -> Iterator[Arm]:
    for slots in params.slots:
        for seed in range(params.seeds):
            shown = "every branch as drawn" if (slots, seed) == (FOUR, 0) else ""
            n = params.companies
            yield Arm(study="slots", law="lognormal", branches=n, at_once=slots, seed=seed, params=params, shown=shown)


def _late_on_slots(params: Settings) -> Iterator[Arm]:
    for control, shown in ((NONE, "one branch late"), (BOX, "one branch late, each in a time box")):
        n = params.companies
        yield Arm(
            study="late", law=STRAGGLER, control=control, branches=n, at_once=FOUR, seed=0, params=params, shown=shown
        )


def _exact(params: Settings) -> Iterator[Arm]:
    for slots in params.bounds:
        yield Arm(study="bound", law="tight", branches=len(tight(slots)), at_once=slots, seed=0, params=params)
    for slots in params.slots:
        yield Arm(study="serial", law="constant", branches=params.equal, at_once=slots, seed=0, params=params)
