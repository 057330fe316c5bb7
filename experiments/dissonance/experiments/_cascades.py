"""Workflows into which a claim is planted, the controls at each boundary between their agents, and their models.

In every workflow the same few agents pass a brief on. A control stands at each boundary, whatever the pattern:
it looks at what an agent says before the next one sees it. The claims, of the bank, differ from their true twins
in a figure and cite the register, falsely where they are false.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import create_model

from dissonance.faults import At, FaultPlan, Rule, SeedClaim, When
from dissonance.faults.draw import uniform
from dissonance.faults.facts import facts
from dissonance.harness import Call, Claim, Reply
from dissonance.harness.call import Json, Model
from dissonance.harness.claims import Twin
from dissonance.harness.history import History
from dissonance.patterns import (
    CHECKER,
    Agent,
    CitationGate,
    CrossCheck,
    Lead,
    Outcome,
    OutputGuard,
    Part,
    Pattern,
    Piece,
    Provenance,
    Quarantine,
    Stage,
    StepBudget,
    Worker,
    chain,
    debate,
    delegate,
    fan_out,
    merger,
    solo,
    supervise,
)
from dissonance.patterns.guards.statements import figures, statements

from ._loops import client

__all__ = ["CONTROLS", "NONE", "PATTERNS", "TASK", "Checking", "Slot", "build", "claim_of", "planting", "stages"]

NONE = "none"
CITATIONS, CROSS_CHECK, FRESH = "citations", "cross-check", "fresh context"
QUARANTINE, CONSENSUS = "quarantine", "consensus"
CONTROLS = (NONE, CITATIONS, CROSS_CHECK, FRESH, QUARANTINE, CONSENSUS)

TASK = "Write the memo from the brief. Refunds are paid within 14 days [register]. Parcels leave Oslo on Mondays [register]."
_REGISTER = "Refunds are paid within 14 days. Parcels leave Oslo on Mondays."


@dataclass(frozen=True)
class Slot:
    """Where a claim is planted: in this call (from 1) of an agent, which is this hop from the start (from 1)."""

    hop: int
    agent: str
    call: int = 1


_LINE = ("extractor", "analyst", "drafter", "editor")

PATTERNS: Mapping[str, Sequence[Slot]] = {
    "chain": [Slot(hop, agent) for hop, agent in enumerate(_LINE, 1)],
    "fan_out": [Slot(1, "researcher"), Slot(2, "editor")],
    "supervise": [Slot(1, "writer")],
    "delegate": [Slot(1, "clerk"), Slot(2, "lead", 3)],
    "debate": [Slot(1, "voter1")],
}
"""The patterns, each with the places at which a claim is planted."""


@cache
def _bank() -> tuple[Claim, ...]:
    """The claims whose twins differ in a figure, citing the register."""
    told = [claim for claim in facts() if figures(claim.true) != figures(claim.false)]
    return tuple(
        claim.model_copy(update={twin: f"{claim.text(twin).rstrip('.')} [register]." for twin in ("false", "true")})
        for claim in told
    )


def claim_of(seed: int) -> Claim:
    """The claim of this seed, drawn by hash."""
    return _bank()[int(uniform("cascade", seed) * len(_bank()))]


def planting(claim: Claim, slot: Slot, twin: Twin) -> FaultPlan:
    """The plan that plants this twin of the claim there."""
    fault = SeedClaim.model_validate({"claim": claim, "twin": twin})
    return FaultPlan(rules=(Rule(id="seed", at=At(agent=slot.agent), when=When(call=slot.call), fault=fault),))


# --- the controls -----------------------------------------------------------------------------


def _guard(control: str, claim: Claim) -> OutputGuard | None:
    register = f"{_REGISTER} {claim.true.replace(' [register]', '')}"
    if control == CITATIONS:
        return CitationGate({"register": register})
    if control == CROSS_CHECK:
        return CrossCheck(client(), evidence=register)
    return CrossCheck(client(), CHECKER) if control == FRESH else None


def _step(agent: Agent, control: str, claim: Claim) -> Pattern[str]:
    """An agent under a control of what it says."""
    guard = _guard(control, claim)
    work = solo(client(), agent, guards=() if guard is None else (guard,))
    if control == QUARANTINE:
        return _withheld(work)
    return _by_two_of_three(work) if control == CONSENSUS else work


def _withheld(work: Pattern[str]) -> Pattern[str]:
    """What nobody verified is not shown to anybody."""
    quarantine = Quarantine(withhold=True)

    async def quarantined(task: str) -> Outcome[str]:
        outcome = await work(task)
        _, stop = quarantine.admit("output", outcome.output, outcome.provenance or Provenance(by="agent"))
        if stop is None or not outcome.finished:
            return outcome
        return replace(outcome, output=None, finished=False, stopped_by=stop.guard, reason=stop.reason)

    return quarantined


def _by_two_of_three(work: Pattern[str]) -> Pattern[str]:
    """Asked three times independently; a statement counts that at least two say."""

    def agreed(task: str, parts: Sequence[Part[str]], conflicts: Sequence[Any]) -> str:
        said = [dict.fromkeys(statements(part.output or "")) for part in parts]
        times = Counter(statement for each in said for statement in each)
        return "\n".join(statement for statement, count in times.items() if count > 1)

    def thrice(task: str) -> list[Piece]:
        return [Piece(name=f"voice{number}", task=task) for number in (1, 2, 3)]

    return fan_out(work, split=thrice, reduce=agreed)


# --- the workflows ----------------------------------------------------------------------------


def build(pattern: str, control: str, claim: Claim) -> Pattern[str]:
    """The workflow of this pattern with this control at its boundaries."""
    return {"chain": _chain, "fan_out": _fan_out, "supervise": _supervise, "delegate": _delegate, "debate": _debate}[
        pattern
    ](control, claim)


def stages(steps: Mapping[str, Pattern[str]]) -> Pattern[str]:
    """A chain of these steps, each of which sees the one before it; its output is the last one's."""
    names = list(steps)
    fields: dict[str, Any] = {name: (str, "") for name in ("task", *names)}
    line = chain(
        create_model("Memo", **fields),
        [
            Stage(name, work, sees=[before])
            for (name, work), before in zip(steps.items(), ("task", *names), strict=False)
        ],
    )

    async def last(task: str) -> Outcome[str]:
        outcome = await line(task)
        return Outcome(
            output=getattr(outcome.output, names[-1], None),
            finished=outcome.finished,
            steps=outcome.steps,
            usage=outcome.usage,
            stopped_by=outcome.stopped_by,
            reason=outcome.reason,
        )

    return last


def _chain(control: str, claim: Claim) -> Pattern[str]:
    return stages({name: _step(Agent(name, "Pass on what the memo needs."), control, claim) for name in _LINE})


def _fan_out(control: str, claim: Claim) -> Pattern[str]:
    work = _step(Agent("researcher", "Find what the memo needs."), control, claim)
    guard = _guard(control, claim)
    whole = fan_out(
        work,
        split=lambda task: [Piece(name=part, task=f"{task} Look at the {part}.") for part in ("refunds", "parcels")],
        reduce=merger(client(), Agent("editor", "Put the parts together.")),
        guards=() if guard is None else (guard,),
    )
    return _withheld(whole) if control == QUARANTINE else whole


def _supervise(control: str, claim: Claim) -> Pattern[str]:
    guard = _guard(control, claim)
    writer = _step(Agent("writer", "Write the memo."), control if guard is None else NONE, claim)
    guards = (StepBudget(3),) if guard is None else (StepBudget(3), guard)
    judge = Agent("judge", "Decide whether a memo fulfils its task.")
    return supervise(client(), workers=[Worker("writer", writer)], judge=judge, guards=guards)


def _delegate(control: str, claim: Claim) -> Pattern[str]:
    names = ("clerk", "assistant")
    members = [Worker(name, _step(Agent(name, "Do the work that you are given."), control, claim)) for name in names]
    guard = _guard(control, claim)
    checks = () if guard is None else (guard.verify,)
    lead = Lead(Agent("lead", "Have the work done, then answer with the result."), tuple(members), checks=checks)
    whole = delegate(client(), lead, guards=(StepBudget(8),))
    return _withheld(whole) if control == QUARANTINE else whole


def _debate(control: str, claim: Claim) -> Pattern[str]:
    framings = ("Attack the memo.", "Defend the memo.", "Look for what is missing in the memo.")
    return debate(client(), [Agent(f"voter{n}", framing) for n, framing in enumerate(framings, 1)], rounds=1)


# --- the model --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checking:
    """Another model whose checkers recognise a false claim with probability ``alone``, or ``shown`` the evidence.

    A true one they support. What they draw depends on the seed, the call and the claim.
    """

    inner: Model
    claim: Claim
    seed: int
    alone: float
    shown: float

    def reply(self, call: Call, past: History) -> Reply:
        """The inner model's reply; of a checker, its own verdicts."""
        reply = self.inner.reply(call, past)
        if call.agent != CHECKER.name or reply.message is None:
            return reply
        recognises = self.shown if "<evidence>" in call.text else self.alone
        claims = re.findall(r"^(\d+)\. (.*)$", call.text.partition("<claims>")[2], re.MULTILINE)
        said = {f"claim_{number}": self._verdict(text, recognises, call.ordinal) for number, text in claims}
        spoken = Reply.say(json.dumps(said)).message
        assert spoken is not None
        return reply.with_message(spoken)

    def _verdict(self, text: str, recognises: float, call: int) -> dict[str, Any]:
        false = self.claim.false.rstrip(".") in text
        doubted = false and uniform("check", self.seed, call, text) < recognises
        return {"supported": not doubted, "why": "Nothing supports it." if doubted else "It is known."}

    def describe(self) -> Json:
        """Its rates and the inner model's settings."""
        return {
            "name": "Checking",
            "inner": self.inner.describe(),
            "claim": self.claim.id,
            "seed": self.seed,
            "alone": self.alone,
            "shown": self.shown,
        }
