"""What ``false_acceptance`` is given and gives: its parameters, its result, and the closed forms of both."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from pydantic import Field

from dissonance.faults.facts import facts
from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Interval, wilson

from ._effects import worst_tier
from ._judges import BOTH, JUDGE_ALONE, NO_GATE, SIGNALS, STACK, known
from .experiment import Params, Result

__all__ = ["Acceptance", "Settings"]


class Settings(Params):
    """Probabilities are from 0 to 1.

    * ``right``: that an attempt is right; ``others``: more values of it, for the judge and the signals alone.
    * ``tpr``, ``tnr``: that the judge accepts right, and rejects wrong work. ``coverage``: the share of claims that
      the register of the signals knows. ``attempts``: how often the writer may try.
    * ``items``, ``overlooks``, ``tries``: of the retries: items that a letter must have, the probability that a
      mention is overlooked, and attempts.
    * ``allowed``: the share of wrong work among the delivered up to which a gate holds.
    """

    seeds: int = Field(default=200, ge=1)
    right: float = Field(default=0.7, gt=0, lt=1)
    others: tuple[float, ...] = (0.5, 0.9)
    tpr: float = Field(default=0.96, ge=0, le=1)
    tnr: float = Field(default=0.25, ge=0, le=1)
    coverage: float = Field(default=0.9, ge=0, le=1)
    attempts: int = Field(default=3, ge=1)
    items: int = Field(default=4, ge=1, le=8)
    overlooks: float = Field(default=0.2, ge=0, lt=1)
    tries: int = Field(default=10, ge=2)
    allowed: float = Field(default=0.1, ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class Acceptance(Result):
    """``retries``: a row a run of the second part."""

    settings: Settings
    retries: pd.DataFrame

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return worst_tier(self.table)

    def arm(self, gate: str, right: float | None = None) -> pd.DataFrame:
        """The runs of a gate, at the chief share of right work unless said otherwise."""
        right = self.settings.right if right is None else right
        return self.table[(self.table["gate"] == gate) & (self.table["right"] == right)]

    def wrong(self, gate: str, right: float | None = None) -> Interval:
        """The share of wrong work among what the gate delivered."""
        delivered = self.arm(gate, right)
        delivered = delivered[delivered["delivered"]]
        return wilson(int(delivered["wrong"].sum()), len(delivered))

    def retried(self, informed: bool) -> pd.DataFrame:
        """The runs with informed, or with blind retries."""
        return self.retries[self.retries["informed"] == informed]

    # --- closed forms -------------------------------------------------------------------------

    def rates(self, gate: str) -> tuple[float, float]:
        """P(accept | right) and P(accept | wrong) of a gate."""
        params = self.settings
        judge = (params.tpr, 1 - params.tnr)
        missed = 1 - len(known(params.coverage)) / len(facts())
        return {
            NO_GATE: (1.0, 1.0),
            JUDGE_ALONE: judge,
            STACK: (judge[0] ** 3, judge[1] ** 3),
            SIGNALS: (1.0, missed),
            BOTH: (judge[0], missed * judge[1]),
        }[gate]

    def accepts(self, gate: str, right: float) -> float:
        """P(accept) of one attempt."""
        if_right, if_wrong = self.rates(gate)
        return right * if_right + (1 - right) * if_wrong

    def posterior(self, gate: str, right: float) -> float:
        """P(wrong | accepted), by Bayes; trying again until it is accepted does not change it."""
        return (1 - right) * self.rates(gate)[1] / self.accepts(gate, right)

    def failing(self) -> tuple[float, float]:
        """P(a letter is incomplete): of a first attempt, and of one that was told what was missing."""
        params = self.settings
        return 1 - (1 - params.overlooks) ** params.items, 1 - (1 - params.overlooks**2) ** params.items

    def attempts(self, informed: bool) -> tuple[float, float]:
        """Mean and variance of the attempts: P(more than k) is f g^(k-1), with g = f where retries are blind."""
        f, g = self.failing()
        beyond = [1.0, *(f * (g if informed else f) ** k for k in range(self.settings.tries - 1))]
        mean = sum(beyond)
        return mean, sum((2 * k + 1) * each for k, each in enumerate(beyond)) - mean**2
