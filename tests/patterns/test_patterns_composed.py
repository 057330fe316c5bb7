"""Patterns nest: researchers fanned out, a supervisor over them, a debate on what is at stake, a human before the action."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from dissonance.faults import At, NeverAnswers, Refusal, Rule, SlowReply
from dissonance.harness import run
from dissonance.harness.human import Answer, ScriptedHuman
from dissonance.patterns import (
    ARBITRATOR,
    JUDGE,
    Agent,
    Guard,
    Outcome,
    Proposal,
    StepBudget,
    TimeBox,
    Worker,
    contains,
    debate,
    fan_out,
    human_gate,
    irreversible,
    solo,
    supervise,
)
from dissonance.patterns.effects import Sink
from dissonance.patterns.parts import Piece
from dissonance.patterns.store import Store

RESEARCHER = Agent("researcher", "Find what is known.")
PANEL = [Agent("sceptic", "Attack the claim."), Agent("advocate", "Defend the claim."), Agent("auditor", "Check it.")]
TASK = "ACME owes 12,500 dollars since 2026-03-01. Zenith owes 80 dollars since 2026-02-01."
AT_STAKE = 10_000


def split(task: str) -> list[Piece]:
    return [Piece(name=line.split()[0], task=line) for line in re.split(r"(?<=\.)\s+", task)]


def amounts(text: str) -> list[float]:
    return [float(figure.replace(",", "")) for figure in re.findall(r"(\d[\d,]*) dollars", text)]


class Office:
    """The workflow, and what it did in the world."""

    def __init__(self, folder: Path, human: Any = None) -> None:
        self.url = f"sqlite:///{folder / 'state.db'}"
        self.sent: dict[str, Any] = {}

    async def send(self, key: str, action: Any) -> Any:
        self.sent.setdefault(key, action)
        return "sent"

    async def __call__(self, task: str, human: Any = None) -> Any:
        client = AsyncAnthropic(api_key="k")
        box: list[Guard] = [TimeBox(180.0)]
        research = fan_out(solo(client, RESEARCHER), split=split, branch_guards=box)
        team = supervise(
            client,
            workers=[Worker("research", research)],
            checks=[contains("dollars")],
            judge=JUDGE,
            guards=[StepBudget(3)],
        )
        panel = debate(client, PANEL, arbitrator=ARBITRATOR)

        async def propose(task: str) -> Outcome[Proposal[Any]]:
            """Where much is at stake a panel must agree before it is even proposed."""
            report = await team(task)
            if not report.finished or report.output is None:
                return Outcome(
                    output=None, finished=False, steps=report.steps, usage=report.usage, reason=report.reason
                )
            claims, usage = {}, report.usage
            for name, claim in report.output.items():
                if max(amounts(str(claim)), default=0.0) > AT_STAKE:
                    judged = await panel(str(claim))
                    usage += judged.usage
                    claim = f"{judged.output if judged.finished else 'disputed'}"
                claims[name] = claim
            proposal = Proposal[Any](
                action={"notices": claims}, summary=f"Send {len(claims)} notices.", confidence=0.95
            )
            return Outcome(
                output=proposal, finished=True, steps=report.steps, usage=usage, provenance=report.provenance
            )

        with Store(self.url) as store:
            return await human_gate(propose, Sink(self.send), store=store, triggers=[irreversible()], human=human)(task)


def test_with_no_fault_the_whole_completes_and_the_human_sees_it_once(tmp_path: Path) -> None:
    office = Office(tmp_path)
    made = run(office, TASK, human=ScriptedHuman(Answer("approve", by="Ann")), store=None)
    assert made.error is None, made.error
    assert (made.outcome, made.result.finished, made.result.decision.by) == ("completed", True, "Ann")
    assert list(office.sent.values()) == [made.result.output]
    said = made.result.output["notices"]
    assert "12,500" in said["ACME"]
    assert "80 dollars" in said["Zenith"]
    assert [call.agent for call in made.history.calls()] == ["researcher"] * 2 + ["judge"] + [
        "sceptic",
        "advocate",
        "auditor",
    ]
    assert len(made.history.actions()) == 1


@pytest.mark.parametrize("fault", [Refusal(), SlowReply(seconds=600)], ids=["refused", "slow"])
def test_a_branch_that_fails_is_a_gap_that_the_human_sees(tmp_path: Path, fault: Any) -> None:
    office = Office(tmp_path)
    plan = [Rule(id="lost", at=At(agent="researcher", text="Zenith"), fault=fault)]
    made = run(office, TASK, plan=plan, human=ScriptedHuman(), baseline=False, store=None)
    assert made.error is None, made.error
    (asked,) = {event.data["id"]: event for event in made.history if event.kind == "ask"}.values()
    assert asked.data["action"]["notices"]["Zenith"].startswith("data unavailable (")
    assert "12,500" in made.result.output["notices"]["ACME"]


def test_nobody_answers_and_nothing_is_done(tmp_path: Path) -> None:
    office = Office(tmp_path)
    plan = [Rule(id="silent", fault=NeverAnswers())]
    made = run(office, TASK, plan=plan, human=ScriptedHuman(), baseline=False, store=None)
    assert (made.outcome, made.result.finished, made.result.reason) == (
        "completed",
        False,
        "rejected: nobody answered in time",
    )
    assert (office.sent, made.history.actions()) == ({}, [])


def test_a_restart_after_the_pause_repeats_no_call(tmp_path: Path) -> None:
    office = Office(tmp_path)
    paused = run(office, TASK, store=None)
    assert (paused.outcome, paused.calls, office.sent) == ("paused", 6, {})
    resumed = run(office, TASK, human=ScriptedHuman(), store=None)
    assert (resumed.outcome, resumed.calls, len(office.sent)) == ("completed", 0, 1)
