"""A panel of voters with known odds, the ways in which it comes to an answer, and the closed forms of both.

Each question has two answers. A voter is right with the same probability, drawn by a hash of (seed, voter); the
fault ``Groupthink`` makes all of them say what the first one said in a share of the questions, so that their
being right is correlated pairwise by exactly this. What a voter does with the others' positions is drawn, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from typing import Any

import numpy as np

from dissonance.faults import At, FaultPlan, Groupthink, Rule, When
from dissonance.faults.draw import uniform
from dissonance.harness import Call, Reply
from dissonance.harness.call import Json, Pace
from dissonance.harness.history import History
from dissonance.patterns import ARBITRATOR, Agent, Pattern, debate, solo
from dissonance.patterns.positions import Position

from ._loops import client

__all__ = [
    "ARBITRATED",
    "DEBATE",
    "ONE",
    "PROTOCOLS",
    "REFLECT",
    "VOTE",
    "Voting",
    "after_a_round",
    "arbitrated",
    "correct",
    "correlation_bounds",
    "effective",
    "majority",
    "panel",
    "shared_errors",
    "truth",
    "voted",
]

ONE, VOTE, REFLECT, DEBATE, ARBITRATED = "one agent", "vote", "reflection", "debate", "arbitrator"
PROTOCOLS = (ONE, VOTE, REFLECT, DEBATE, ARBITRATED)

_FRAMINGS = ("Attack it.", "Defend it.", "Look for what is missing.", "Check each figure.", "Think of who pays.")
_OTHER = {"YES": "NO", "NO": "YES"}


def truth(seed: int) -> str:
    """The right answer to the question of this seed."""
    return "YES" if uniform("truth", seed) < 0.5 else "NO"


def correct(question: str, answer: str) -> bool:
    """Whether an answer to a question is right."""
    seed = re.search(r"Question (\d+)", question)
    return seed is not None and truth(int(seed[1])) in answer


def panel(protocol: str, voters: int) -> Pattern[Any]:
    """The pattern that answers a question by this protocol."""
    agents = [Agent(f"voter{n + 1}", _FRAMINGS[n % len(_FRAMINGS)]) for n in range(voters)]
    if protocol == ONE:
        return solo(client(), agents[0], Position)
    return debate(
        client(),
        agents,
        arbitrator=ARBITRATOR if protocol == ARBITRATED else None,
        rounds=1 if protocol in (REFLECT, DEBATE) else 0,
        mode="reflect" if protocol == REFLECT else "debate",
    )


def shared_errors(correlation: float, seed: int) -> FaultPlan:
    """The first answers of all voters correlate by this much."""
    if not correlation:
        return FaultPlan()
    fault = Groupthink(correlation=correlation, seed=seed)
    return FaultPlan(rules=(Rule(id="alike", at=At(agent="voter*"), when=When(call=1), fault=fault),))


@dataclass(frozen=True)
class Voting:
    """Voters and an arbitrator who answer a yes-or-no question by chance.

    A voter is right with probability ``right``. Asked again, it changes its mind for no reason with probability
    ``doubt``; else, where most of the others hold the other answer, it gives in with probability ``conformity``.
    The arbitrator finds the right one of two disputed answers with probability ``insight``.
    """

    seed: int
    right: float
    doubt: float
    conformity: float
    insight: float

    def reply(self, call: Call, past: History) -> Reply:
        """A position."""
        answer = self._ruling() if call.agent == ARBITRATOR.name else self._vote(call)
        position = {"reasoning": f"{call.agent} weighed what there is.", "conclusion": answer}
        return Reply.say(json.dumps(position), pace=Pace())

    def _ruling(self) -> str:
        right = truth(self.seed)
        return right if uniform("ruling", self.seed) < self.insight else _OTHER[right]

    def _vote(self, call: Call) -> str:
        right = truth(self.seed)
        said = re.findall(r"<(your_position|position)\b.*?Conclusion: (YES|NO)", call.text, re.DOTALL)
        if not said:
            return right if uniform("vote", self.seed, call.agent) < self.right else _OTHER[right]
        own = next(answer for whose, answer in said if whose == "your_position")
        if uniform("doubt", self.seed, call.agent, call.ordinal) < self.doubt:
            return _OTHER[own]
        others = [answer for whose, answer in said if whose == "position"]
        outvoted = 2 * others.count(_OTHER[own]) > len(others)
        gives_in = uniform("conform", self.seed, call.agent, call.ordinal) < self.conformity
        return _OTHER[own] if outvoted and gives_in else own

    def describe(self) -> Json:
        """Its odds."""
        return {"name": "Voting", **vars(self)}


# --- closed forms -----------------------------------------------------------------------------


def majority(p: float, n: int) -> float:
    """P(most of ``n`` independent voters are right), n odd (Condorcet 1785).

    >>> round(majority(0.7, 5), 5), round(majority(0.4, 5), 5)
    (0.83692, 0.31744)
    """
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))


def voted(p: float, n: int, correlation: float) -> float:
    """The same where in this share of the questions all copy one draw.

    >>> round(voted(0.7, 5, 0.3), 5), round(voted(0.7, 5, 0.6), 5)
    (0.79584, 0.75477)
    """
    return correlation * p + (1 - correlation) * majority(p, n)


def correlation_bounds(p: float, n: int, correlation: float, questions: int, tail: float) -> tuple[float, float]:
    """Between which the correlation estimated from so many questions lies, but for ``tail`` on either side.

    Its law is not normal at few questions, nor does it know its own spread: panels that happen to agree little
    show little spread. So it is drawn, 20,000 times, from how many of a panel are right on a question.

    >>> [round(bound, 2) for bound in correlation_bounds(0.7, 5, 0.3, 800, 0.0005)]
    [0.23, 0.37]
    """
    odds = np.array([(1 - correlation) * comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
    odds[[0, n]] += correlation * (1 - p), correlation * p
    counts = np.random.default_rng(0).multinomial(questions, odds, size=20_000)
    k, pairs = np.arange(n + 1), questions * comb(n, 2)
    right = counts @ k / (n * questions)
    shared = counts @ (k * (k - 1) / 2) - right * (counts @ (k * (n - 1))) + right**2 * pairs
    spread = right * (1 - right)
    estimates = np.divide(shared / pairs, spread, out=np.zeros_like(spread), where=spread > 0)
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return float(low), float(high)


def effective(n: int, correlation: float) -> float:
    """The number of independent voters that ``n`` correlated ones are worth.

    >>> round(effective(5, 0.3), 3), round(effective(101, 0.3), 3)
    (2.273, 3.258)
    """
    return n / (1 + (n - 1) * correlation)


def arbitrated(p: float, n: int, correlation: float, insight: float) -> float:
    """P(right) where an arbitrator decides what is disputed; on what all agree on it is not asked."""
    agreed, disputed = p**n, 1 - p**n - (1 - p) ** n
    return correlation * p + (1 - correlation) * (agreed + disputed * insight)


def after_a_round(p: float, n: int, correlation: float, doubt: float, conformity: float) -> float:
    """P(most are right) after one round, over all first answers and all moves; ``conformity`` 0: nobody hears the others."""
    shock = correlation * p  # all alike: they agree at once, and there is no round
    total = 0.0
    for first in product((True, False), repeat=n):
        odds = prod(p if right else 1 - p for right in first)
        if len(set(first)) == 1:
            total += odds * first[0]
            continue
        stays = [_right_again(first, voter, doubt, conformity) for voter in range(n)]
        total += odds * sum(
            prod(stay if right else 1 - stay for stay, right in zip(stays, then, strict=True))
            for then in product((True, False), repeat=n)
            if 2 * sum(then) > n
        )
    return shock + (1 - correlation) * total


def _right_again(first: Sequence[bool], voter: int, doubt: float, conformity: float) -> float:
    """P(this voter is right after the round)."""
    own = first[voter]
    others = [each for place, each in enumerate(first) if place != voter]
    outvoted = 2 * others.count(not own) > len(others)
    moves = doubt + (1 - doubt) * conformity * outvoted
    return 1 - moves if own else moves
