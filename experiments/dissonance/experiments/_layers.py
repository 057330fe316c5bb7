"""What ``hierarchy_overhead`` is given and gives, and the hierarchies that it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import pandas as pd
from pydantic import Field

from dissonance.faults import At, FaultPlan, Rule, SlowReply
from dissonance.faults.draw import uniform
from dissonance.harness import Call, Limits, Reply, Run, run
from dissonance.harness.call import Json, text_of, tool_use
from dissonance.harness.checks import measure_layers
from dissonance.harness.history import History
from dissonance.patterns import Agent, Lead, Pattern, Signal, delegate

from ._loops import client
from .experiment import Params, Result

__all__ = ["Arm", "Hierarchies", "Settings", "Shape", "arms", "depth_of", "managers_of", "seconds_of"]

Shape = tuple[int, int]
"""Workers, and how many members each lead has; all leads have equally many, so workers are a power of it."""


class Settings(Params):
    """Each lead takes ``leading`` virtual seconds a call and each worker ``working``; a lead hands down ``at_once``.

    A lead passes each finding on with the probability ``fidelity``, each anew when its summary fails a check.
    """

    seeds: int = Field(default=10, ge=2)
    shapes: tuple[Shape, ...] = ((64, 64), (64, 8), (64, 4), (64, 2), (100, 100), (100, 10))
    leading: float = Field(default=5, gt=0)
    working: float = Field(default=30, gt=0)
    at_once: int = Field(default=8, ge=1)
    fidelity: float = Field(default=0.9, gt=0, lt=1)


@dataclass(frozen=True, kw_only=True)
class Hierarchies(Result):
    """``layers``: of the unchecked run of seed 0, what each layer took: its seconds, its tokens, the top first."""

    settings: Settings
    layers: dict[Shape, Sequence[tuple[float, int]]]

    def of(self, shape: Shape, *, checked: bool = False, bounded: bool = True) -> pd.DataFrame:
        """The runs of a shape, seed by seed."""
        table = self.table
        chosen = (table["workers"] == shape[0]) & (table["members"] == shape[1])
        chosen &= (table["checked"] == checked) & (table["bounded"] == bounded)
        return table[chosen].sort_values("seed", ignore_index=True)


def depth_of(shape: Shape) -> int:
    """The layers of leads.

    >>> depth_of((64, 64)), depth_of((64, 4)), depth_of((100, 10))
    (1, 3, 2)
    """
    workers, members = shape
    depth = next((depth for depth in range(1, 65) if members**depth >= workers), 0)
    if members < 2 or members**depth != workers:
        raise ValueError(f"shapes={shape!r}: give workers that are a power of the members of each lead, from 2")
    return depth


def managers_of(shape: Shape) -> int:
    """The leads of a full tree: (L - 1)/(b - 1).

    >>> managers_of((16, 2)), managers_of((16, 4)), managers_of((16, 16))
    (15, 5, 1)
    """
    return (shape[0] - 1) // (shape[1] - 1)


def seconds_of(shape: Shape, params: Settings, at_once: int) -> float:
    """How long it takes: each lead two calls, and its members in as many waves as it takes.

    >>> seconds_of((100, 100), Settings(), 8), seconds_of((100, 10), Settings(), 8)
    (400.0, 150.0)
    """
    seconds = params.working
    for _ in range(depth_of(shape)):
        seconds = 2 * params.leading + ceil(shape[1] / at_once) * seconds
    return float(seconds)


# --- the workflow -----------------------------------------------------------------------------

_LIMITS = Limits(calls=10_000, tokens=10**9, usd=10**6)
_CODE = re.compile(r"\bF-\d{3}\b")


@dataclass(frozen=True)
class _Passing:
    """Leads hand down to all members, then pass each finding on with a probability; workers report one finding each."""

    seed: int
    fidelity: float

    def reply(self, call: Call, past: History) -> Reply:
        """What a worker or a lead says next."""
        if not call.agent.startswith("level"):
            return Reply.say(f"F-{call.agent.removeprefix('worker')}: the parish paid 240 crowns for its bell.")
        results = _CODE.findall("\n".join(text_of(m.get("content")) for m in call.messages if m.get("role") == "user"))
        if not results:
            return Reply.use(*(tool_use(name, {"task": "Find what the parish paid."}) for name in call.tool_names))
        earlier = [text_of(m.get("content")) for m in call.messages if m.get("role") == "assistant"][1:]
        said = set(_CODE.findall("\n".join(earlier)))
        kept = [code for code in dict.fromkeys(results) if code in said or self._keeps(call, code, len(earlier))]
        return Reply.say("\n".join(f"{code}: 240 crowns." for code in kept) or "Nothing was found.")

    def _keeps(self, call: Call, code: str, attempt: int) -> bool:
        return uniform("passed on", self.seed, call.agent, code, attempt) < self.fidelity

    def describe(self) -> Json:
        """Its settings."""
        return {"name": "Passing", "seed": self.seed, "fidelity": self.fidelity}


def _tree(shape: Shape, at_once: int, checked: bool) -> Lead:
    """The leads from the bottom up, each with what its branch must report, if that is ``checked``."""
    workers, members = shape
    row: list[Lead | Agent] = [Agent(f"worker{n:03}", "Do the task. Report one finding.") for n in range(workers)]
    beneath = [[f"F-{n:03}"] for n in range(workers)]
    for level in range(depth_of(shape) - 1, -1, -1):
        groups = range(0, len(row), members)
        beneath = [[code for codes in beneath[at : at + members] for code in codes] for at in groups]
        row = [
            Lead(
                Agent(f"level{level}-{place:02}", "Hand the task down, then report every finding."),
                tuple(row[at : at + members]),
                at_once=at_once,
                checks=(_Complete(tuple(beneath[place])),) if checked else (),
            )
            for place, at in enumerate(groups)
        ]
    (top,) = row
    assert isinstance(top, Lead)
    return top


@dataclass(frozen=True)
class _Complete:
    """A check of a summary: it names the finding of every worker of the branch."""

    codes: tuple[str, ...]

    def __call__(self, task: str, output: str) -> Signal:
        missing = [code for code in self.codes if code not in output]
        return Signal(passed=not missing, feedback=f"{len(missing)} findings are missing." if missing else "")


# --- an arm -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One hierarchy at work: a row of the table, and what each layer took."""

    shape: Shape
    checked: bool
    bounded: bool
    seed: int
    params: Settings

    def __call__(self) -> tuple[dict[str, Any], Sequence[tuple[float, int]]]:
        """Run it."""
        made = self.played()
        layers = measure_layers(made, self._layers())
        calls = made.history.calls()
        leads = {call.agent for call in calls if call.agent.startswith("level")}
        found = set(_CODE.findall(str(made.result.output)))
        above, below = sum(layer.tokens for layer in layers[:-1]), layers[-1].tokens
        return {
            "workers": self.shape[0],
            "members": self.shape[1],
            "depth": depth_of(self.shape),
            "checked": self.checked,
            "bounded": self.bounded,
            "seed": self.seed,
            "managers": len(leads),
            "seconds": made.seconds,
            "calls": made.calls,
            "tokens": made.tokens,
            "usd": made.usd,
            "top": max(call.tokens for call in calls if call.agent == "level0-00"),
            "overhead": above / below,
            "found": len(found),
            "finished": made.result.finished,
            "fired": sum(counted.fired for counted in made.faults.values()),
            "outcome": made.outcome,
            "tier": made.tier,
        }, [(layer.added, layer.tokens) for layer in layers]

    def _layers(self) -> list[str]:
        return [*(f"level{level}-*" for level in range(depth_of(self.shape))), "worker*"]

    def played(self, **how: Any) -> Run:
        """The run; ``how`` are further arguments of ``run``."""
        return run(
            self._workflow,
            "Find what each parish paid for its bell.",
            plan=self.plan,
            model=_Passing(self.seed, self.params.fidelity),
            seed=self.seed,
            limits=_LIMITS,
            baseline=False,
            **({"store": None} | how),
        )

    @property
    def at_once(self) -> int:
        """How many members of a lead work at a time."""
        return self.params.at_once if self.bounded else self.shape[0]

    def _workflow(self) -> Pattern[str]:
        return delegate(client(), _tree(self.shape, self.at_once, self.checked), max_depth=depth_of(self.shape))

    @property
    def plan(self) -> FaultPlan:
        """Leads and workers take their time."""
        slow = {"level*": self.params.leading, "worker*": self.params.working}
        return FaultPlan(
            rules=tuple(
                Rule(id=f"slow-{agent[:-1]}", at=At(agent=agent), fault=SlowReply(seconds=seconds))
                for agent, seconds in slow.items()
            )
        )


def arms(params: Settings) -> Iterator[Arm]:
    """Every arm: each shape, without and with checks, and once without a bound on what runs at a time."""
    for shape in params.shapes:
        yield Arm(shape=shape, checked=False, bounded=False, seed=0, params=params)
        for checked in (False, True):
            for seed in range(params.seeds):
                yield Arm(shape=shape, checked=checked, bounded=True, seed=seed, params=params)
