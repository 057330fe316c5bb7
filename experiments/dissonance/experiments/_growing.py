"""What ``context_growth`` is given and gives, and the chains that it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import pandas as pd
from pydantic import BaseModel, Field, create_model

from dissonance.faults import At, FaultPlan, InflateState, Overflow, Rule
from dissonance.faults.draw import uniform
from dissonance.harness import Call, Gullible, Limits, Reply, Run, run
from dissonance.harness.call import Json
from dissonance.harness.checks import measure_growth
from dissonance.harness.history import History
from dissonance.patterns import Agent, Chain, Stage, TokenLedger, chain, shown, solo

from ._loops import client
from .experiment import Params, Result

__all__ = ["ARMS", "FACT", "FULL", "LEDGER", "PROJECTION", "Arm", "Growing", "Settings", "Study", "arms"]

Study: TypeAlias = Literal["long", "uneven", "three"]
"""A chain of many equal stages; a shorter one whose stages differ in size; three stages that say a lot."""

FULL, LEDGER, PROJECTION = "all of it", "all of it, with a ledger", "what it needs"
ARMS = (FULL, LEDGER, PROJECTION)


class Settings(Params):
    """Sizes are estimated tokens.

    A task of ``task`` goes through ``stages``, each of which says ``said``, against a ``window``. In ``uneven``
    chains a stage says ``said`` times 1 - ``spread`` to 1 + ``spread``. Three stages say ``much`` each.
    """

    seeds: int = Field(default=30, ge=2)
    task: int = Field(default=1_900, ge=200)
    said: int = Field(default=780, ge=50, le=2_700)
    stages: int = Field(default=44, ge=3, le=99)
    window: int = Field(default=32_768, ge=10_000)
    uneven: int = Field(default=20, ge=3, le=99)
    spread: float = Field(default=0.5, gt=0, lt=1)
    much: int = Field(default=24_000, ge=50, le=30_000)


@dataclass(frozen=True, kw_only=True)
class Growing(Result):
    """``carried``: the input tokens of each stage, by study and arm, of seed 0."""

    settings: Settings
    carried: Mapping[tuple[Study, str], Sequence[int]]

    def of(self, study: Study, arm: str) -> pd.DataFrame:
        """The runs of a study under one arm, seed by seed."""
        table = self.table
        return table[(table["study"] == study) & (table["arm"] == arm)].sort_values("seed", ignore_index=True)


# --- the workflow -----------------------------------------------------------------------------

FACT = "The survey counted 4,120 lamp posts in 2024."
"""What the first stage finds and the last one needs."""

_LIMITS = Limits(calls=1_000, tokens=10**9, usd=10**6)


def _names(stages: int) -> tuple[str, ...]:
    return tuple(f"stage{number:02}" for number in range(1, stages + 1))


def _result(name: str) -> str:
    return FACT if name == "stage01" else f"Result of {name}: it is done."


@dataclass(frozen=True)
class _Reporting:
    """A model whose stages open with their result; all others (a compactor) are ``Gullible``."""

    def reply(self, call: Call, past: History) -> Reply:
        """The result, in a line of its own."""
        return Reply.say(_result(call.agent)) if call.agent.startswith("stage") else Gullible().reply(call, past)

    def describe(self) -> Json:
        """Its name."""
        return {"name": "Reporting"}


@cache
def _state(stages: int) -> type[BaseModel]:
    fields: dict[str, Any] = {name: (str, "") for name in _names(stages)}
    return create_model("State", task=(str, ...), **fields)


def _workflow(arm: Arm) -> Chain[BaseModel]:
    names = _names(arm.stages)
    guards = (TokenLedger(arm.window, pinned=(FACT,)),) if arm.name == LEDGER else ()
    projected = arm.name == PROJECTION
    show: Callable[[Mapping[str, Any]], str] = _first_lines if projected else shown
    stages = []
    for place, name in enumerate(names):
        earlier = names[:place]
        needed = tuple(dict.fromkeys((*earlier[:1], *earlier[-1:])))
        agent = Agent(name, "Do your part of the work.", max_tokens=arm.max_tokens, stream=arm.max_tokens > 21_000)
        sees = ("task", *(needed if projected else earlier))
        stages.append(Stage(name, solo(client(), agent), sees=sees, show=show))
    return chain(_state(arm.stages), stages, guards=guards)


def _first_lines(view: Mapping[str, Any]) -> str:
    """The task, and of each stage its result alone."""
    return shown({name: value if name == "task" else value.partition("\n")[0] for name, value in view.items()})


# --- an arm -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One chain: a row of the table, and what each of its stages carried."""

    study: Study
    name: str
    seed: int
    params: Settings

    def __call__(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Run it."""
        made = self.played()
        growth = measure_growth(made, "stage*")
        stages = [call for call in made.history.calls() if call.agent.startswith("stage")]
        last = made.history.request_text(stages[-1])
        return {
            "study": self.study,
            "arm": self.name,
            "seed": self.seed,
            "stages": self.stages,
            "done": len(made.result.made),
            "failed": made.result.failed or "",
            "first": growth.tokens[0],
            "largest": growth.largest,
            "carried": growth.total,
            "total": made.tokens,
            "calls": made.calls,
            "fact": FACT in last,
            "usd": made.usd,
            "fired": sum(counted.fired for counted in made.faults.values()),
            "outcome": made.outcome,
            "tier": made.tier,
        }, growth.tokens

    def played(self, **how: Any) -> Run:
        """The run; ``how`` are further arguments of ``run``."""
        return run(
            lambda: _workflow(self),
            "Survey the town.",
            plan=self.plan,
            model=_Reporting(),
            seed=self.seed,
            limits=_LIMITS,
            baseline=False,
            **({"store": None} | how),
        )

    @property
    def stages(self) -> int:
        """How many stages it has."""
        return {"long": self.params.stages, "uneven": self.params.uneven, "three": 3}[self.study]

    @property
    def window(self) -> int:
        """The window that refuses it; three stages have a large one."""
        return 200_000 if self.study == "three" else self.params.window

    @property
    def max_tokens(self) -> int:
        """Room for what a stage says."""
        return 32_000 if self.study == "three" else 4_096

    def said(self, stage: int) -> int:
        """The tokens that this stage says."""
        params = self.params
        if self.study == "three":
            return params.much
        if self.study == "long":
            return params.said
        return round(params.said * (1 + params.spread * (2 * uniform("said", self.seed, stage) - 1)))

    @property
    def plan(self) -> FaultPlan:
        """The task and each stage's output grow to their sizes; what is over the window is refused."""
        rules = [
            Rule(id="task", fault=InflateState(tokens=self.params.task, seed=self.seed)),
            Rule(id="window", fault=Overflow(policy="reject", window=self.window)),
        ]
        for stage, name in enumerate(_names(self.stages), 1):
            grown = InflateState(tokens=self.said(stage), through="reply", seed=stage)
            rules.append(Rule(id=name, at=At(agent=name), fault=grown))
        return FaultPlan(rules=tuple(rules))


def arms(params: Settings) -> Iterator[Arm]:
    """Every arm. Those of one seed have stages of the same sizes; a ledger has work to do in the long chain alone."""
    for name in ARMS:
        yield Arm(study="long", name=name, seed=0, params=params)
    for name in (FULL, PROJECTION):
        for seed in range(params.seeds):
            yield Arm(study="uneven", name=name, seed=seed, params=params)
        yield Arm(study="three", name=name, seed=0, params=params)
