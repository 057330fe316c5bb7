"""The composite: researchers fanned out, a supervisor over them, a panel where much is at stake, a human before the money.

Each layer can be left out, so that what it holds shows in what breaks without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dissonance.faults import At, CorruptNumber, FaultPlan, NeverAnswers, Rule, SlowReply, When
from dissonance.harness import Run
from dissonance.harness.human import Answer, Ask
from dissonance.patterns import (
    ARBITRATOR,
    JUDGE,
    Agent,
    Gated,
    Guard,
    Outcome,
    Piece,
    Proposal,
    Signal,
    Sink,
    StepBudget,
    TimeBox,
    Worker,
    amount_over,
    debate,
    fan_out,
    human_gate,
    solo,
    supervise,
)

from ._loops import client

__all__ = ["ANY", "DEBTS", "FAULTS", "LAYERS", "TASK", "clerk", "composite", "held", "outcome_of"]

DEBTS = {"ACME": 12_500, "Zenith": 80}
TASK = " ".join(f"{name} is owed {amount:,} dollars since 2026-03-01." for name, amount in DEBTS.items())

LAYERS = ("time box", "signals", "panel", "human")
ANY = "any"
"""Without any: with none of them."""

_ACME, _ZENITH = At(agent="researcher", text="ACME"), At(agent="researcher", text="Zenith")


def _plan(at: At, fault: Any, when: When | None = None) -> FaultPlan:
    return FaultPlan(rules=(Rule(id="fault", at=at, when=when or When(), fault=fault),))


FAULTS: Mapping[str, FaultPlan] = {
    "no fault": FaultPlan(),
    "large sum wrong": _plan(_ACME, CorruptNumber(), When(until_call=2)),
    "small sum wrong": _plan(_ZENITH, CorruptNumber(), When(until_call=2)),
    "always wrong": _plan(_ACME, CorruptNumber()),
    "slow branch": _plan(_ZENITH, SlowReply(seconds=7200)),
    "nobody answers": _plan(At(), NeverAnswers()),
}
"""A figure is ten times what it should be, once or always; a branch takes two hours; the human is away."""

_PATIENCE = 1200.0
"""Seconds in which the desk must be done."""

_PANEL = (
    Agent("sceptic", "Attack the claim.", tries=1),
    Agent("advocate", "Defend the claim.", tries=1),
    Agent("auditor", "Check the claim.", tries=1),
)


@dataclass
class _Office:
    """What the workflow did in the world."""

    paid: dict[str, Any]

    async def pay(self, key: str, action: Any) -> str:
        self.paid.setdefault(key, action)
        return key


def clerk(ask: Ask) -> Answer:
    """A human who knows the debts, and approves of what is no other."""
    right = all(each["amount"] == DEBTS.get(each["payee"]) for each in ask.action["payments"])
    return Answer("approve" if right else "reject")


def composite(layers: Collection[str]) -> Any:
    """The workflow with these layers; its result is the gate's, and the world's."""

    async def work(task: str, human: Any) -> tuple[Gated, dict[str, Any]]:
        from dissonance.patterns.store import Store

        office = _Office({})
        with Store("sqlite://") as store:
            gate = human_gate(
                lambda task: _propose(layers, task),
                Sink(office.pay),
                store=store,
                human=human,
                notify=lambda request: None,
                triggers=(amount_over(10_000),) if "human" in layers else (),
            )
            return await gate(task), office.paid

    return work


async def _propose(layers: Collection[str], task: str) -> Outcome[Proposal[Any]]:
    box: tuple[Guard, ...] = (TimeBox(180.0),) if "time box" in layers else ()
    research = fan_out(solo(client(), Agent("researcher", "Find what is owed.")), split=_split, branch_guards=box)
    team = supervise(
        client(),
        workers=[Worker("research", research)],
        checks=[_agrees_with_the_ledger] if "signals" in layers else [],
        judge=JUDGE,
        guards=(StepBudget(2),),
        informed=False,
    )
    report = await team(task)
    if not report.finished or report.output is None:
        return Outcome(output=None, finished=False, steps=report.steps, usage=report.usage, reason=report.reason)
    payments, usage = [], report.usage
    for name, told in report.output.items():
        amount = _amount(told)
        if amount > 10_000 and "panel" in layers:
            judged = await debate(client(), _PANEL, arbitrator=ARBITRATOR)(f"Is this right? {told}")
            usage += judged.usage
            amount = amount if judged.finished else 0
        if amount:
            payments.append({"payee": name, "amount": amount})
    proposal = Proposal[Any](action={"payments": payments}, summary="Pay what is owed.", confidence=0.95)
    return Outcome(output=proposal, finished=True, steps=report.steps, usage=usage)


def _split(task: str) -> list[Piece]:
    return [Piece(name=line.split()[0], task=line) for line in re.split(r"(?<=\.)\s+", task)]


def _amount(text: str) -> int:
    return max((int(found.replace(",", "")) for found in re.findall(r"(\d[\d,]*) dollars", text)), default=0)


def _agrees_with_the_ledger(task: str, output: Mapping[str, str]) -> Signal:
    """Each amount that is stated is the ledger's; a gap states none."""
    wrong = [name for name, told in output.items() if _amount(told) not in (0, DEBTS[name])]
    return Signal(not wrong, f"Not as in the ledger: {', '.join(wrong)}.")


# --- what came of it --------------------------------------------------------------------------


def outcome_of(made: Run) -> str:
    """What happened in the world, in two or three words."""
    _, paid = made.result
    payments = [each for action in paid.values() for each in action["payments"]]
    if any(each["amount"] != DEBTS[each["payee"]] for each in payments):
        return "wrong sum paid"
    if not payments:
        return "nothing paid"
    return "all paid" if len(payments) == len(DEBTS) else "paid, gap named"


def held(made: Run) -> bool:
    """Whether nothing wrong was paid, and it was over in time."""
    return outcome_of(made) != "wrong sum paid" and made.seconds <= _PATIENCE
