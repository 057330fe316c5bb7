"""A writer who is wrong at times, a judge who is wrong at times, and the gates between them.

Whether an attempt is wrong stands in the run's plan, as a claim in its false or its true form; what the judge
makes of it is drawn by a hash of (seed, judge, call). So each run can be replayed, and attempts are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from dissonance.faults import At, FaultPlan, Rule, SeedClaim, When
from dissonance.faults.draw import uniform
from dissonance.faults.facts import facts
from dissonance.harness import Call, Claim, Reply
from dissonance.harness.call import Json, Model
from dissonance.harness.choices import decide
from dissonance.harness.claims import sentences
from dissonance.harness.history import History
from dissonance.patterns import (
    Agent,
    Grounding,
    Guard,
    Pattern,
    Signal,
    StepBudget,
    Worker,
    solo,
    supervise,
)

from ._loops import client

__all__ = [
    "BOTH",
    "GATES",
    "JUDGE_ALONE",
    "NO_GATE",
    "SIGNALS",
    "STACK",
    "Forgetful",
    "Judging",
    "attempts_plan",
    "checklist",
    "false_among",
    "gated",
    "known",
]

NO_GATE, JUDGE_ALONE, STACK, SIGNALS, BOTH = "no gate", "a judge", "three judges", "signals", "signals, then a judge"
GATES = (NO_GATE, JUDGE_ALONE, STACK, SIGNALS, BOTH)

_WRITER = Agent("writer", "Write the entry that you are asked for.")


def false_among(text: str) -> bool:
    """Whether a text holds a claim of the bank in its false form."""
    return any(claim.false in text for claim in facts())  # planted word by word, and passed on so


def known(coverage: float) -> tuple[Claim, ...]:
    """The claims that the register of the signals knows: this share of the bank, drawn by hash."""
    shuffled = sorted(facts(), key=lambda claim: uniform("register", claim.id))
    return tuple(shuffled[: round(coverage * len(shuffled))])


def attempts_plan(seed: int, right: float, attempts: int) -> FaultPlan:
    """The writer's attempts: each states a claim of the bank, in its true form with probability ``right``."""
    bank = facts()
    rules = []
    for call in range(1, attempts + 1):
        claim = bank[int(uniform("claim", seed, call) * len(bank))]
        twin = "true" if uniform("right", seed, call) < right else "false"
        fault = SeedClaim.model_validate({"claim": claim, "twin": twin})
        rules.append(Rule(id=f"attempt{call}", at=At(agent="writer"), when=When(call=call), fault=fault))
    return FaultPlan(rules=tuple(rules))


@dataclass(frozen=True)
class Judging:
    """Another model whose judges, agents named ``judge…``, err at the rates of a measured one.

    They accept right work with probability ``tpr`` and reject wrong work, that with a false claim of the bank,
    with probability ``tnr``.
    """

    inner: Model
    seed: int
    tpr: float
    tnr: float

    def reply(self, call: Call, past: History) -> Reply:
        """The inner model's reply; of a judge, with its own decision."""
        reply = self.inner.reply(call, past)
        if not call.agent.startswith("judge") or reply.message is None:
            return reply
        draw = uniform("judge", self.seed, call.agent, call.ordinal)
        decided = decide(call, accept=draw < ((1 - self.tnr) if false_among(call.text) else self.tpr))
        return reply if decided is None else reply.with_message(decided)

    def describe(self) -> Json:
        """Its rates and the inner model's settings."""
        return {"name": "Judging", "inner": self.inner.describe(), "seed": self.seed, "tpr": self.tpr, "tnr": self.tnr}


# --- the gates --------------------------------------------------------------------------------


def gated(gate: str, attempts: int, coverage: float) -> Pattern[str]:
    """A writer behind this gate, who may try ``attempts`` times without being told what was wrong."""
    if gate == NO_GATE:
        return solo(client(), _WRITER)
    if gate == STACK:
        return _stacked(attempts)
    guards: tuple[Guard, ...] = (StepBudget(attempts),)
    if gate != JUDGE_ALONE:
        guards = (*guards, _register(coverage))
    judge = None if gate == SIGNALS else _judge(1)
    checks = [_says_something] if judge is None else []
    return supervise(client(), workers=[_WRITER], checks=checks, judge=judge, guards=guards, informed=False)


def _stacked(attempts: int) -> Pattern[str]:
    """Three judges behind each other, each of whom must accept."""
    inner: Any = _WRITER
    for number in (1, 2):
        once = supervise(client(), workers=[inner], judge=_judge(number), guards=(StepBudget(1),))
        inner = Worker(f"gate{number}", once)
    return supervise(client(), workers=[inner], judge=_judge(3), guards=(StepBudget(attempts),), informed=False)


def _judge(number: int) -> Agent:
    return Agent(f"judge{number}", "Decide whether an entry is right.")


def _says_something(task: str, output: str) -> Signal:
    return Signal(bool(output.strip()), "The entry is empty.")


@cache
def _register(coverage: float) -> Grounding:
    claims = {claim.id: claim for claim in known(coverage)}

    def stated(output: Any) -> dict[str, str]:
        said = sentences(output)
        return {
            claim.id: sentence
            for claim in claims.values()
            for sentence in said
            if sentence in (claim.false, claim.true)
        }

    return Grounding(
        stated, {name: claim.true for name, claim in claims.items()}, agree=lambda said, true: said == true
    )


# --- informed against blind retries -----------------------------------------------------------

_ITEMS = ("invoice", "delivery date", "warranty", "contact", "account", "discount", "address", "signature")


@dataclass(frozen=True)
class Forgetful:
    """A writer who overlooks each mention of an item with probability ``overlooks``, by a hash of seed, call and mention.

    An item that is mentioned twice, in the task and in the feedback, is overlooked twice as rarely told.
    """

    seed: int
    overlooks: float

    def reply(self, call: Call, past: History) -> Reply:
        """A text with the items that it noticed."""
        text = call.text.lower()
        noticed = [item for item in _ITEMS if self._notices(item, min(text.count(item), 2), call.ordinal)]
        return Reply.say(f"The letter has: {', '.join(noticed) or 'nothing yet'}.")

    def _notices(self, item: str, mentions: int, call: int) -> bool:
        return any(uniform("notice", self.seed, call, item, each) >= self.overlooks for each in range(mentions))

    def describe(self) -> Json:
        """Its settings."""
        return {"name": "Forgetful", "seed": self.seed, "overlooks": self.overlooks}


def checklist(items: int, attempts: int, informed: bool) -> tuple[Pattern[str], str]:
    """A supervised letter that must have so many items (at most 8), and its task."""
    wanted = _ITEMS[:items]

    def complete(task: str, output: str) -> Signal:
        missing = [item for item in wanted if item not in output]
        return Signal(not missing, f"Missing: {', '.join(missing)}.")

    pattern = supervise(
        client(), workers=[_WRITER], checks=[complete], guards=(StepBudget(attempts),), informed=informed
    )
    return pattern, f"Write a letter with these items: {', '.join(wanted)}."
