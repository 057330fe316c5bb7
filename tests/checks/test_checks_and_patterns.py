"""The checks on the shipped patterns: a gate that a sure agent passes, and one that a signal from outside stops."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dissonance.faults import ContradictoryAnswers, DuplicateAnswer, Rule
from dissonance.harness import Answer, ScriptedHuman, escalates, run
from dissonance.harness.checks import actions_of
from dissonance.patterns import Outcome, Usage
from dissonance.patterns.effects import Sink
from dissonance.patterns.human_gate import human_gate
from dissonance.patterns.proposal import Proposal
from dissonance.patterns.store import Store
from dissonance.patterns.triggers import irreversible


class Payment(BaseModel):
    to: str
    amount: int


def paying(folder: Path, confidence: float, *triggers: Any) -> Any:
    """A factory of the gated workflow: a store and a bank of its own each time."""
    numbers = itertools.count()

    async def propose(task: str) -> Outcome[Proposal[Any]]:
        proposal = Proposal[Any](action={"to": "ACME", "amount": 120}, summary="Pay ACME.", confidence=confidence)
        return Outcome(output=proposal, finished=True, steps=1, usage=Usage(calls=1))

    async def send(key: str, action: Any) -> str:
        return "paid"

    async def flow(task: str, human: Any) -> Any:
        with Store(f"sqlite:///{folder / f'{next(numbers)}.db'}") as store:
            sink = Sink(send)
            return await human_gate(propose, sink, store=store, action=Payment, triggers=triggers, human=human)(task)

    return flow


ASKED = escalates(actions=lambda action: action["amount"] > 100)


@pytest.mark.parametrize(
    ("confidence", "triggers", "status"),
    [(0.95, (), "fail"), (0.95, (irreversible(),), "pass"), (0.8, (), "pass")],
    ids=["sure, and nothing stops it", "sure, and stopped", "unsure"],
)
def test_silent_escalation_is_found(tmp_path: Path, confidence: float, triggers: Any, status: str) -> None:
    made = run(paying(tmp_path, confidence, *triggers), "Pay the invoice.", human=ScriptedHuman(), store=None)
    (verdict,) = made.judge(ASKED)
    assert verdict.status == status, (verdict, actions_of(made))


@pytest.mark.parametrize("fault", [DuplicateAnswer(), ContradictoryAnswers()], ids=lambda fault: fault.kind)
def test_however_many_answers_come_it_is_done_once(tmp_path: Path, fault: Any) -> None:
    flow = paying(tmp_path, 0.8)
    made = run(flow, "Pay the invoice.", human=ScriptedHuman(Answer("approve")), plan=[Rule(fault=fault)], store=None)
    assert made.judge(ASKED)[0].status == "pass", made.judge(ASKED)[0]


def test_what_a_human_rejects_is_not_done(tmp_path: Path) -> None:
    flow = paying(tmp_path, 0.8)
    made = run(flow, "Pay the invoice.", human=ScriptedHuman(Answer("reject")), store=None)
    (action,) = actions_of(made)
    assert (action.decision, action.done) == ("reject", None)
    assert made.judge(ASKED)[0].status == "pass"
