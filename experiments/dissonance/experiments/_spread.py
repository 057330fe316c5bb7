"""Cascades whose law is known: a line of agents that correct and invent, a tree, and an elaborated claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dissonance.faults import FaultPlan
from dissonance.harness import Gullible, Limits, Skeptical, run
from dissonance.harness.call import Model
from dissonance.harness.checks.taint import trace_cascade
from dissonance.harness.claims import occurs
from dissonance.harness.history import History
from dissonance.patterns import Agent, Outcome, Pattern, Usage, solo

from ._cascades import Slot, claim_of, planting, stages
from ._loops import client

__all__ = ["Elaborated", "Line", "Tree", "taint"]

LIMITS = Limits(calls=5_000, tokens=10**9, usd=10**6)
_TASK = "Pass the brief on: parcels leave Oslo on Mondays."


def taint(n: int, correction: float, invention: float, first: float = 0.0) -> float:
    """The share of tainted outputs after ``n`` hops, from a share ``first`` at hop 0.

    >>> round(taint(5, 0.3, 0.05), 5), round(taint(10, 0.1, 0.1), 5), round(taint(3, 0.5, 0.0, 1.0), 3)
    (0.12628, 0.44631, 0.125)
    """
    both = correction + invention
    limit = invention / both if both else 0.0
    return limit + (first - limit) * (1 - both) ** n


def _line(hops: int, tokens: int = 16_384) -> Pattern[str]:
    agents = [Agent(f"hop{number}", "Pass on what you are given.", max_tokens=tokens) for number in range(hops + 1)]
    return stages({agent.name: solo(client(), agent) for agent in agents})


def _holds(history: History, agent: str, seed: int) -> bool:
    body = history.reply_body(history.replies(agent)[0]) or {}
    return occurs(claim_of(seed), "".join(block.get("text", "") for block in body["content"]))


def _made(build: Any, model: Model, seed: int, plan: FaultPlan | None = None) -> Any:
    return run(build, _TASK, plan=plan, model=model, seed=seed, limits=LIMITS, baseline=False, store=None)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of ``hops`` agents, told nothing false (``planted``: by the agent before them, the claim)."""

    correction: float
    invention: float
    hops: int
    planted: bool
    seed: int

    def __call__(self) -> Sequence[bool]:
        """Whether each hop's output holds the claim, hop 0 first."""
        claim = claim_of(self.seed)
        plan = planting(claim, Slot(0, "hop0"), "false") if self.planted else None
        made = _made(
            lambda: _line(self.hops), _From1(Skeptical([claim], self.correction, self.invention)), self.seed, plan
        )
        return [_holds(made.history, f"hop{number}", self.seed) for number in range(self.hops + 1)]


@dataclass(frozen=True)
class _From1:
    """The model from hop 1 on; hop 0 is gullible, so that what it says is what was planted, or nothing."""

    inner: Model

    def reply(self, call: Any, past: History) -> Any:
        return (Gullible() if call.agent == "hop0" else self.inner).reply(call, past)

    def describe(self) -> Any:
        return {"name": "From1", "inner": self.inner.describe()}


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One tree in which each agent tells ``children`` others, down to ``depth``; the root is told the claim."""

    children: int
    correction: float
    depth: int
    seed: int

    def __call__(self) -> int:
        """How many agents hold the claim, the root included."""
        claim = claim_of(self.seed)
        plan = planting(claim, Slot(0, "hop0"), "false")
        made = _made(lambda: self._told, _From1(Skeptical([claim], self.correction)), self.seed, plan)
        agents = dict.fromkeys(call.agent for call in made.history.calls())
        return sum(_holds(made.history, agent, self.seed) for agent in agents)

    async def _told(self, task: str) -> Outcome[str]:
        await self._tell("hop0", task, 0)
        return Outcome(output="told", finished=True, steps=1, usage=Usage())

    async def _tell(self, name: str, text: str, level: int) -> None:
        said = (await solo(client(), Agent(name, "Pass on what you are given."))(text)).require()
        if level < self.depth:
            for child in range(self.children):
                await self._tell(f"{name}-{child}", said, level + 1)


@dataclass(frozen=True, kw_only=True)
class Elaborated:
    """One line of agents each of which adds ``more`` derived claims to each tainted one."""

    more: int
    hops: int
    seed: int

    def __call__(self) -> Sequence[float]:
        """The sentences that hold the claim, by hop, for each in the first."""
        claim = claim_of(self.seed)
        model = Gullible(elaborate=self.more)
        made = _made(lambda: _line(self.hops), model, self.seed, planting(claim, Slot(0, "hop0"), "false"))
        trace = trace_cascade(made, claim)
        assert trace is not None and not trace.cut
        return [each.copies / trace.calls[0].copies for each in trace.calls]
