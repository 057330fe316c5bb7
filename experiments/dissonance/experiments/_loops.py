"""Workflows that loop for ever under one plan each, in all six patterns, and the controls that may stop them.

The six causes are those of the 68 unbounded loops that IAL-Scan confirmed in 47 projects (arXiv
2607.01641). Each workflow is a pattern or a building block of ``dissonance.patterns`` as users would write it,
and ends by itself in a few calls where no fault is injected. A pattern that has no loop of its own loops where
its work does, so the guards are given to that work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel

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
    HumanAnswer,
    HumanRequest,
    InTransaction,
    Lead,
    MonotonicProgress,
    Pattern,
    Piece,
    Proposal,
    SelfReportedBudget,
    Stage,
    StepBudget,
    chain,
    contains,
    debate,
    delegate,
    fan_out,
    handoff,
    human_gate,
    solo,
    supervise,
    tool_loop,
)
from dissonance.patterns.store import Store

__all__ = ["ALL", "CAUSES", "CONTROLS", "LOOPS", "NONE", "SELF_REPORTED", "Loop", "client", "controls", "task_of"]


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


class _Notice(BaseModel):
    task: str
    facts: str = ""
    notice: str = ""


def _chain(guards: Sequence[Guard]) -> Pattern[_Notice]:
    facts = Stage(
        "facts", solo(client(), replace(_RESEARCHER, tools=(search, read_policy)), guards=guards), sees=["task"]
    )
    return chain(_Notice, [facts, Stage("notice", solo(client(), _WRITER), sees=["task", "facts"])])


def _fan_out(guards: Sequence[Guard]) -> Pattern[dict[str, Any]]:
    def split(task: str) -> list[Piece]:
        return [Piece(name=name, task=f"{task} Write for the {name}.") for name in ("customer", "auditor")]

    return fan_out(solo(client(), replace(_RESEARCHER, tools=(search,)), guards=guards), split=split)


_PANEL = (
    Agent("lawyer", "Say what the notice must name, as a lawyer would."),
    Agent("clerk", "Say what the notice must name, as a clerk would."),
)


def _debate(guards: Sequence[Guard]) -> Pattern[Any]:
    return debate(client(), _PANEL, rounds=_ROUNDS, guards=guards)


_ROUNDS = 100_000
"""A bound that is none."""


class _Approving:
    """A human who approves."""

    async def ask(self, request: HumanRequest) -> HumanAnswer:
        return HumanAnswer(decision="approve", by="reviewer")


def _gate(guards: Sequence[Guard]) -> Pattern[Any]:
    clerk = replace(_CLERK, instructions="Propose the refund. Look up what it needs.", tools=(search,))
    return human_gate(
        solo(client(), clerk, Proposal[str], guards=guards),
        InTransaction(lambda connection, action: {"sent": True}),
        store=Store("sqlite://"),
        human=_Approving(),
    )


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
    Loop(
        name="RepeatToolCall in a chain",
        cause="tool iteration inside a stage, which the chain does not see",
        workflow="chain: a researcher with two tools, a writer",
        build=_chain,
        plan=FaultPlan(rules=(Rule(at=At(agent="researcher"), fault=RepeatToolCall()),)),
    ),
    Loop(
        name="RepeatToolCall in a branch",
        cause="tool iteration in one branch, for which the reducer waits",
        workflow="fan_out: two researchers with a tool",
        build=_fan_out,
        plan=FaultPlan(rules=(Rule(at=At(agent="researcher", text="for the auditor"), fault=RepeatToolCall()),)),
    ),
    Loop(
        name="Paraphrase in a debate",
        cause="chat without a turn bound: positions change in words alone, and never agree",
        workflow="debate: a lawyer and a clerk",
        build=_debate,
        plan=FaultPlan(rules=(Rule(at=At(agent="lawyer"), fault=Paraphrase()),)),
    ),
    Loop(
        name="RepeatToolCall at a gate",
        cause="tool iteration before an action is proposed, so that no human is ever asked",
        workflow="human_gate: a clerk with a tool, and a human who approves",
        build=_gate,
        plan=FaultPlan(rules=(Rule(at=At(agent="clerk"), fault=RepeatToolCall()),)),
    ),
)

CAUSES = LOOPS[:6]
"""One loop for each cause, in a pattern or building block whose own loop it is; the others are in the patterns that have none."""

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
