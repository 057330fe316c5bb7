"""Loops by chance: samples of runs whose number of steps follows a known law.

Whether a judge rejects, an agent hands over, or how many children a lead has is drawn by a hash of
(seed, agent, call) before the run and stands in its plan or model, so each sample can be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dissonance.faults import At, FaultPlan, PingPong, RejectWork, Rule, When
from dissonance.faults.draw import uniform
from dissonance.harness import Gullible, Limits, Run, run
from dissonance.harness.call import Model
from dissonance.patterns import Agent, Lead, Pattern, StepBudget, delegate, handoff, supervise

from ._loops import client, task_of
from ._models import Delegating, Saying
from .oracles import (
    Held,
    attempts_mean,
    attempts_variance,
    give_up,
    held_mean,
    held_rate,
    progeny_mean,
    progeny_variance,
)

__all__ = ["Law", "laws"]

_LIMITS = Limits(calls=5_000, tokens=10**9, usd=10**6)
_WRITER = Agent("writer", "Write notices for customers.")
_JUDGE = Agent("judge", "Decide whether a notice fulfils its task.")


@dataclass(frozen=True, kw_only=True)
class Law:
    """One sampled quantity: ``sample(seed)`` makes a run and gives its figure; ``hold`` compares all of them."""

    name: str
    sample: Callable[[int], float]
    hold: Callable[[Sequence[float]], list[Held]]


@cache
def laws(retries: tuple[tuple[float, int], ...], trees: tuple[tuple[float, int], ...]) -> tuple[Law, ...]:
    """The laws to be sampled: retries by (rejection, attempts), trees by (mean children, depth), and hand-overs."""
    return (*(_retry(*each) for each in retries), *(_tree(*each) for each in trees), _circle())


# --- retries: a judge that rejects with probability f, at most m attempts ----------------------


def _retry(f: float, m: int) -> Law:
    def sample(seed: int) -> float:
        rejected = tuple(k for k in range(1, m + 1) if uniform("reject", seed, "judge", k) < f)
        plan = _at("judge", RejectWork(), rejected)
        made = _run(lambda: _review(m), Gullible(), seed, plan)
        # one more than m stands for a sample that gave up: its m-th attempt was rejected too
        return len(made.history.calls("judge")) + (made.stopped_by == "step_budget")

    def hold(figures: Sequence[float]) -> list[Held]:
        given = f"rejection {f:g}, at most {m} attempts"
        attempts = [min(figure, m) for figure in figures]
        return [
            held_mean(
                f"attempts: {given}", "(1 - f^m) / (1 - f)", attempts, attempts_mean(f, m), attempts_variance(f, m)
            ),
            held_rate(f"share cut by the cap: {given}", "f^m", [figure > m for figure in figures], give_up(f, m)),
        ]

    return Law(name=f"retry {f:g} {m}", sample=sample, hold=hold)


def _review(attempts: int) -> Pattern[str]:
    return supervise(client(), workers=[_WRITER], judge=_JUDGE, guards=(StepBudget(attempts),))


# --- recursion: leads with mu children on average, down to a depth -----------------------------


def _tree(mu: float, depth: int) -> Law:
    few = int(mu)
    more = mu - few  # each lead has `few` children, and one more with this probability
    agents = [Agent(f"lead{level}", "Do the task or delegate it.") for level in range(depth + 1)]
    top: Lead | Agent = agents[-1]
    for agent in reversed(agents[:-1]):
        top = Lead(agent, (top,), at_once=1)
    assert isinstance(top, Lead)
    tree = delegate(client(), top, max_depth=None)

    def sample(seed: int) -> float:
        model = Delegating(
            lambda task: few + (uniform("children", seed, task) < more), f"{mu:g} on average, seed {seed}"
        )
        made: Run = _run(lambda: tree, model, seed)
        return float(sum(len(call.messages) == 1 for call in made.history.calls()))

    def hold(figures: Sequence[float]) -> list[Held]:
        figure = f"agents at work: {mu:g} children each on average, {depth} levels below the top"
        expected, variance = progeny_mean(mu, depth), progeny_variance(mu, more * (1 - more), depth)
        return [held_mean(figure, "sum of mu^i, i = 0 to D", figures, expected, variance)]

    return Law(name=f"tree {mu:g} {depth}", sample=sample, hold=hold)


# --- hand-overs: an absorbing chain ------------------------------------------------------------

_PASSING = {"intake": ("billing", 0.8), "billing": ("shipping", 0.9), "shipping": ("intake", 0.3)}
"""Each agent hands over to the next with this probability, else it answers."""

_TURNS = 60
"""Draws for each agent; a run that needs more has a probability below 1e-39."""


def _circle() -> Law:
    agents = [Agent(name, "Answer, or hand over.") for name in _PASSING]

    def sample(seed: int) -> float:
        rules = [
            rule
            for name, (to, p) in _PASSING.items()
            for rule in _at(
                name,
                PingPong(to=f"transfer_to_{to}"),
                tuple(k for k in range(1, _TURNS + 1) if uniform("pass", seed, name, k) < p),
            ).rules
        ]
        plan = FaultPlan(rules=tuple(rule.named(f"r{i}") for i, rule in enumerate(rules, 1)))
        made = _run(lambda: handoff(client(), agents), Saying({}), seed, plan)
        return len(made.history.calls())

    def hold(figures: Sequence[float]) -> list[Held]:
        expected, variance = _absorbing()
        return [
            held_mean("turns of three agents that hand over by chance", "t = (I - Q)^-1 1", figures, expected, variance)
        ]

    return Law(name="circle", sample=sample, hold=hold)


def _absorbing() -> tuple[float, float]:
    """Mean and variance of the turns from the first agent: t and (2 (I - Q)^-1 - I) t - t^2."""
    names = list(_PASSING)
    q = np.zeros((3, 3))
    for name, (to, p) in _PASSING.items():
        q[names.index(name), names.index(to)] = p
    fundamental = np.linalg.inv(np.eye(3) - q)
    turns = fundamental @ np.ones(3)
    variance = (2 * fundamental - np.eye(3)) @ turns - turns**2
    return float(turns[0]), float(variance[0])


# --- one run -----------------------------------------------------------------------------------


def _at(agent: str, fault: Any, calls: tuple[int, ...]) -> FaultPlan:
    if not calls:
        return FaultPlan()
    return FaultPlan(rules=(Rule(at=At(agent=agent), when=When(calls=calls), fault=fault),))


def _run(build: Callable[[], Pattern[Any]], model: Model, seed: int, plan: FaultPlan | None = None) -> Run:
    return run(build, task_of(seed), plan=plan, model=model, seed=seed, limits=_LIMITS, baseline=False, store=None)
