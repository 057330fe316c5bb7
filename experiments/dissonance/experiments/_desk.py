"""A desk that pays invoices through a gate: who drafts, how sure it says it is, what is wrong, and the closed forms.

Each case has a latent probability p of being done rightly, from Beta(2, 2). The agent says how sure it is: p
itself, or sigmoid(3 logit p), which is too sure on both sides of a half. A third of the wrong payments shows in
the amount, a third in the length of the note, and a third shows nowhere but in the payee.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, exp, log, sin
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from dissonance.faults import At, FaultPlan, Overconfident, Rule
from dissonance.faults.draw import uniform
from dissonance.harness import Call, Reply
from dissonance.harness.call import Json, Pace
from dissonance.harness.history import History
from dissonance.harness.human import Answer, Ask
from dissonance.patterns import (
    Agent,
    Gated,
    Proposal,
    Sink,
    Thresholds,
    Trigger,
    amount_over,
    human_gate,
    length_outlier,
    solo,
)

from ._loops import client

__all__ = [
    "CALIBRATED",
    "CERTAIN",
    "SURE",
    "Case",
    "Drafting",
    "Payment",
    "Source",
    "asked",
    "case_of",
    "desk",
    "is_wrong",
    "missed",
    "off_by",
    "review",
    "too_sure",
]

CALIBRATED: Final = "calibrated"
SURE: Final = "too sure"
CERTAIN: Final = "always certain"
Source = Literal["calibrated", "too sure", "always certain"]

LARGE = 0.1
"""The share of right payments that are over the limit and need a human's eye all the same."""

VISIBLE = 2 / 3
"""The share of wrong payments that a signal from outside can see."""

_LIMIT = 10_000
_PAYEES = ("Acme", "Borealis", "Corvid", "Delta Freight", "Ember", "Fathom", "Gale", "Harrow")
_NOTE = "Paid as invoiced."


class Payment(BaseModel):
    """What the agent proposes."""

    model_config = ConfigDict(extra="forbid")

    invoice: int
    payee: str
    amount: int
    note: str


@dataclass(frozen=True)
class Case:
    """One invoice: the payment that is right, the one that is proposed, and the agent's odds."""

    odds: float
    right: dict[str, Any]
    proposed: dict[str, Any]
    kind: str

    def confidence(self, source: Source) -> float:
        """How sure the agent says it is."""
        return self.odds if source == CALIBRATED else sharpened(self.odds)


def sharpened(p: float, by: float = 3.0) -> float:
    """sigmoid(by logit p): the confidence of an agent that is too sure.

    >>> round(sharpened(0.6), 4), sharpened(0.5)
    (0.7714, 0.5)
    """
    return 1 / (1 + exp(-by * log(p / (1 - p))))


def case_of(number: int) -> Case:
    """The case of this number; all of it is drawn by hash."""
    odds = 0.5 - sin(asin(1 - 2 * uniform("odds", number)) / 3)  # the quantile of Beta(2, 2)
    payee = int(uniform("payee", number) * len(_PAYEES))
    amount = 1_100 + int(900 * uniform("amount", number))
    if uniform("outcome", number) < odds:
        large = uniform("large", number) < LARGE
        right = _payment(number, _PAYEES[payee], amount * 10 if large else amount)
        return Case(odds, right, right, "large" if large else "usual")
    right = _payment(number, _PAYEES[payee], amount)
    kind = ("amount", "note", "payee")[int(3 * uniform("kind", number))]
    wrong = {
        "amount": _payment(number, _PAYEES[payee], amount * 10),
        "note": {**right, "note": " ".join([_NOTE] * 40)},
        "payee": _payment(number, _PAYEES[(payee + 1) % len(_PAYEES)], amount),
    }[kind]
    return Case(odds, right, wrong, kind)


def _payment(number: int, payee: str, amount: int) -> dict[str, Any]:
    return {"invoice": number, "payee": payee, "amount": amount, "note": _NOTE}


def is_wrong(action: Any) -> bool:
    """Whether a payment is not the one that its invoice asks for."""
    return bool(action != case_of(action["invoice"]).right)


# --- who drafts, who reviews ------------------------------------------------------------------


@dataclass(frozen=True)
class Drafting:
    """An agent that proposes the payment of a case and says how sure it is."""

    source: Source

    def reply(self, call: Call, past: History) -> Reply:
        """The proposal for the invoice in the request."""
        number = int(call.text.partition("invoice ")[2].partition(".")[0])
        case = case_of(number)
        proposal = {
            "action": case.proposed,
            "summary": f"Pay invoice {number}.",
            "confidence": case.confidence(self.source),
        }
        return Reply.say(json.dumps(proposal), pace=Pace())

    def describe(self) -> Json:
        """How sure it says it is."""
        return {"name": "Drafting", "source": self.source}


def too_sure(source: Source) -> FaultPlan:
    """The fault of an agent that is certain of everything; none for the others."""
    if source != CERTAIN:
        return FaultPlan()
    return FaultPlan(rules=(Rule(id="certain", at=At(agent="clerk"), fault=Overconfident(confidence=0.97)),))


def review(ask: Ask) -> Answer:
    """A human who reads the invoice: a wrong payment is rejected."""
    return Answer("reject" if is_wrong(ask.action) else "approve")


async def desk(cases: Sequence[int], threshold: float, signals: bool, human: Any) -> list[Gated]:
    """Take these cases through one gate, one after the other."""
    from dissonance.patterns.store import Store

    with Store("sqlite://") as store:
        gate = human_gate(
            solo(client(), Agent("clerk", "Propose the payment of an invoice."), Proposal[Payment]),
            Sink(_pay),
            store=store,
            human=human,
            notify=lambda request: None,
            thresholds=Thresholds(draft=0.0, review=threshold),
            triggers=_signals() if signals else (),
        )
        return [await gate(f"Pay invoice {number}.") for number in cases]


async def _pay(key: str, action: Any) -> str:
    return key


def _signals() -> tuple[Trigger, ...]:
    return amount_over(_LIMIT), length_outlier([80, 84, 88, 92, 96, 100])


# --- closed forms -----------------------------------------------------------------------------


def _odds_at(source: Source, threshold: float) -> float:
    """The latent p at which the stated confidence is the threshold."""
    return threshold if source == CALIBRATED else sharpened(threshold, 1 / 3)


def _wrong_above(t: float) -> float:
    """P(wrong and p > t): the integral of 6 x (1 - x)^2."""
    return 0.5 - (3 * t**2 - 4 * t**3 + 1.5 * t**4)


def asked(source: Source, threshold: float, signals: bool) -> float:
    """The share of all cases that a human is asked about.

    >>> [round(asked("too sure", tau, False), 4) for tau in (0.7, 0.9)], round(asked("calibrated", 0.7, False), 4)
    ([0.6045, 0.7522], 0.784)
    """
    t = 0.0 if source == CERTAIN else _odds_at(source, threshold)
    below = 3 * t**2 - 2 * t**3
    seen = VISIBLE * _wrong_above(t) + LARGE * (1 - below - _wrong_above(t))
    return below + seen * signals


def missed(source: Source, threshold: float, signals: bool) -> float:
    """The share of the wrong payments that no human is asked about.

    >>> [round(missed("too sure", tau, False), 3) for tau in (0.5, 0.7, 0.9)], missed("always certain", 0.9, False)
    ([0.312, 0.215, 0.104], 1.0)
    """
    t = 0.0 if source == CERTAIN else _odds_at(source, threshold)
    return _wrong_above(t) / 0.5 * (1 - VISIBLE * signals)


def off_by(power: int = 1, steps: int = 4_000) -> float:
    """E|confidence - p|^power of the agent that is too sure, by the midpoint rule.

    >>> round(off_by(), 4)
    0.1578
    """
    xs = [(i + 0.5) / steps for i in range(steps)]
    return sum(abs(sharpened(x) - x) ** power * 6 * x * (1 - x) for x in xs) / steps
