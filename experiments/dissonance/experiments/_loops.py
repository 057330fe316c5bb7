"""Six workflows that loop for ever under one plan each, and the controls that may stop them.

The six causes are those of the 68 unbounded loops that IAL-Scan confirmed in 47 projects (arXiv
2607.01641). Each workflow is a building block of ``dissonance.patterns`` as users would write it, and
ends by itself in a few calls where no fault is injected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from anthropic import AsyncAnthropic

from dissonance.faults import (
    At,
    DelegateAgain,
    FaultPlan,
    Paraphrase,
    PingPong,
    Reenter,
    RejectWork,
    RepeatToolCall,
    Rule,
    When,
)
from dissonance.faults.draw import uniform
from dissonance.patterns import (
    Agent,
    CycleDetector,
    Guard,
    Lead,
    MonotonicProgress,
    Pattern,
    SelfReportedBudget,
    StepBudget,
    contains,
    delegate,
    handoff,
    supervise,
    tool_loop,
)

__all__ = ["ALL", "CONTROLS", "LOOPS", "NONE", "SELF_REPORTED", "Loop", "client", "controls", "task_of"]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One way to loop for ever: what happens, in which workflow, under which plan."""

    name: str
    cause: str
    workflow: str
    build: Callable[[Sequence[Guard]], Pattern[Any]]
    plan: FaultPlan


@cache
def client() -> AsyncAnthropic:
    """One client for all runs of a process: making one loads certificates, which no simulated call needs."""
    return AsyncAnthropic(api_key="simulated")


def task_of(seed: int) -> str:
    """The task of this seed: a refund notice about 2 to 12 orders, drawn by hash."""
    orders = [f"{1000 + int(9000 * uniform('order', seed, i))}" for i in range(2 + int(11 * uniform("orders", seed)))]
    return f"Write a refund notice for the orders {', '.join(orders)}. Name the date 2026-03-01 and the refund policy."


# --- the workflows ----------------------------------------------------------------------------

_WRITER = Agent("writer", "Write notices for customers. Keep every number of the task.")
_JUDGE = Agent("judge", "Decide whether a notice fulfils its task.")
_RESEARCHER = Agent("researcher", "Find what the task needs with your tools, then answer.")
_BILLING = Agent("billing", "Settle what concerns payments. Hand over what concerns parcels.")
_SHIPPING = Agent("shipping", "Settle what concerns parcels. Hand over what concerns payments.")
_LEAD = Agent("lead", "Have the work done by the clerk, then answer with the result.")
_CLERK = Agent("clerk", "Do the work that you are given.")


def search(query: str) -> str:
    """Search the handbook."""
    return "Handbook, section 4: refunds are paid within 14 days to the account that was charged."


def read_policy(section: int) -> str:
    """Read one section of the refund policy."""
    return "Section 4: a refund notice names the order, the amount and the date of payment."


def _review(guards: Sequence[Guard]) -> Pattern[str]:
    return supervise(client(), workers=[_WRITER], checks=[contains("refund")], judge=_JUDGE, guards=guards)


def _research(guards: Sequence[Guard]) -> Pattern[str]:
    return tool_loop(client(), _RESEARCHER, tools=[search, read_policy], guards=guards)


def _desk(guards: Sequence[Guard]) -> Pattern[str]:
    return handoff(client(), [_BILLING, _SHIPPING], guards=guards)


def _delegate(guards: Sequence[Guard]) -> Pattern[str]:
    return delegate(client(), Lead(_LEAD, (_CLERK,)), guards=guards)


LOOPS = (
    Loop(
        name="RejectWork",
        cause="retry without a bound: the judge never accepts",
        workflow="supervise: a writer, a judge, one check",
        build=_review,
        plan=FaultPlan(rules=(Rule(at=At(agent="judge"), fault=RejectWork()),)),
    ),
    Loop(
        name="RepeatToolCall",
        cause="tool iteration: the same tool is asked for again and again",
        workflow="tool_loop: a researcher with two tools",
        build=_research,
        plan=FaultPlan(rules=(Rule(at=At(agent="researcher"), fault=RepeatToolCall()),)),
    ),
    Loop(
        name="PingPong",
        cause="chat without a turn bound: two agents hand over to each other",
        workflow="handoff: billing and shipping",
        build=_desk,
        plan=FaultPlan(rules=(Rule(fault=PingPong()),)),
    ),
    Loop(
        name="Paraphrase",
        cause="a bound outside the feedback path: the text changes, nothing progresses",
        workflow="supervise: a writer, a judge, one check",
        build=_review,
        plan=FaultPlan(rules=(Rule(fault=Paraphrase()),)),
    ),
    Loop(
        name="Reenter",
        cause="message re-entry: an old message comes back as new",
        workflow="tool_loop: a researcher with two tools",
        build=_research,
        plan=FaultPlan(rules=(Rule(at=At(agent="researcher"), when=When(from_call=3), fault=Reenter(nth=1)),)),
    ),
    Loop(
        name="DelegateAgain",
        cause="delegation cycle: a lead delegates what it was given",
        workflow="delegate: a lead and a clerk",
        build=_delegate,
        plan=FaultPlan(rules=(Rule(at=At(agent="lead"), fault=DelegateAgain()),)),
    ),
)

# --- the controls -----------------------------------------------------------------------------

NONE = "none"
ALL = "all three"
SELF_REPORTED = "self-reported budget"
CONTROLS = (NONE, "step budget", "cycle detector", "monotonic progress", ALL, SELF_REPORTED)


def controls(steps: int, repeats: int, patience: int) -> dict[str, tuple[Guard, ...]]:
    """The guards of each control; none, each alone, all together, and the agent's word for it."""
    budget, cycle, progress = StepBudget(steps), CycleDetector(repeats), MonotonicProgress(patience=patience)
    guards: Sequence[tuple[Guard, ...]] = (
        (),
        (budget,),
        (cycle,),
        (progress,),
        (budget, cycle, progress),
        (SelfReportedBudget(steps),),
    )
    return dict(zip(CONTROLS, guards, strict=True))
