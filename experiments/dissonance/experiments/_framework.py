"""What ``decision_framework`` gives."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Interval, bootstrap_mean, wilson

from ._effects import effect, worst_tier
from ._trials import ALONE, TRIALS, WITH, WITHOUT, Arm
from .experiment import Result

__all__ = ["Framework"]


@dataclass(frozen=True, kw_only=True)
class Framework(Result):
    """``composites``: a row a run of the composite, by ``fault`` and the layer that it was ``without``."""

    seeds: int
    composites: pd.DataFrame

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return worst_tier(pd.concat([self.table, self.composites]))

    def arm(self, pattern: str, arm: Arm) -> pd.DataFrame:
        """The runs of an arm."""
        return self.table[(self.table["pattern"] == pattern) & (self.table["arm"] == arm)]

    def figure(self, pattern: str, arm: Arm) -> Interval:
        """What the pattern is bought for, in this arm."""
        values = self.arm(pattern, arm)["figure"].tolist()
        if TRIALS[pattern].rate and set(values) <= {0.0, 1.0}:
            return wilson(int(sum(values)), len(values))
        found = bootstrap_mean(values)
        return Interval(found.estimate, found.low, found.high, found.n, percent=TRIALS[pattern].rate)

    def gain(self, pattern: str) -> Interval:
        """The change that the pattern makes, over paired seeds."""
        return effect(self.arm(pattern, WITHOUT)["figure"].tolist(), self.arm(pattern, WITH)["figure"].tolist())

    def times(self, pattern: str, column: str) -> Interval:
        """The cost against one agent asked once: the mean of the ratios, seed by seed."""
        alone, with_it = (self.arm(pattern, arm)[column].tolist() for arm in (ALONE, WITH))
        return bootstrap_mean([b / a for a, b in zip(alone, with_it, strict=True)])
