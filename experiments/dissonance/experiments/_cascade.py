"""What ``cascade_depth`` is given and gives: its parameters and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from pydantic import Field

from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Interval, wilson

from ._effects import worst_tier
from .experiment import Params, Result

__all__ = ["Cascades", "Settings"]


class Settings(Params):
    """``seeds`` claims are planted at each place of each pattern, under each control, false and true.

    * ``alone``, ``shown``: probabilities (0 to 1) that a checker recognises a false claim, in a fresh context without
      evidence and with it.
    * ``samples``: runs for each closed form. ``lines``: (correction, invention) by hop; ``hops`` in a line;
      ``children``, ``correction`` and ``depth`` of the trees; ``elaborations``: derived claims that each hop adds.
    """

    seeds: int = Field(default=5, ge=1)
    alone: float = Field(default=0.87, ge=0, le=1)
    shown: float = Field(default=1.0, ge=0, le=1)
    samples: int = Field(default=60, ge=10)
    lines: tuple[tuple[float, float], ...] = ((0.3, 0.05), (0.1, 0.1))
    planted: tuple[float, ...] = (0.0, 0.2, 0.5)
    hops: int = Field(default=5, ge=2)
    children: int = Field(default=3, ge=1)
    correction: float = Field(default=0.5, ge=0, le=1)
    depth: int = Field(default=2, ge=1)
    elaborations: tuple[int, ...] = (1, 2)
    elaborated_hops: int = Field(default=3, ge=1, le=5)


@dataclass(frozen=True, kw_only=True)
class Cascades(Result):
    """``taints``: by (correction, invention, planted), of each sample, whether each hop was tainted; ``trees``: tainted
    agents; ``copies``: by elaboration, the claims after each hop."""

    settings: Settings
    taints: Mapping[tuple[float, float, bool], Sequence[Sequence[bool]]]
    trees: Sequence[float]
    copies: Mapping[int, Sequence[float]]

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return worst_tier(self.table)

    def arm(self, control: str, twin: str, pattern: str | None = None) -> pd.DataFrame:
        """The runs under a control in which this twin was planted: not those that were stopped before."""
        chosen = self._arms.get((control, twin), self.table[:0])
        return chosen if pattern is None else chosen[chosen["pattern"] == pattern]

    @cached_property
    def _arms(self) -> Mapping[object, pd.DataFrame]:
        return dict(list(self.table[self.table["planted"]].groupby(["control", "twin"])))

    def delivered(self, control: str, twin: str, pattern: str | None = None) -> Interval:
        """How often what was planted stood in what the workflow delivered."""
        runs = self.arm(control, twin, pattern)
        return wilson(int(runs["delivered"].sum()), len(runs))
