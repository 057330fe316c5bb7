"""What ``loop_termination`` is given and gives: its parameters and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import pandas as pd
from pydantic import Field

from dissonance.harness.checks.verdict import Tier
from dissonance.harness.history import History

from .experiment import Params, Result

__all__ = ["Settings", "Termination"]


TIERS: tuple[Tier, ...] = get_args(Tier)


class Settings(Params):
    """``minutes`` of virtual time without a stop count as *not stopped*; ``samples`` runs for each closed form."""

    seeds: int = Field(default=3, ge=1)
    minutes: float = Field(default=45, gt=0)
    seconds_per_call: float = Field(default=10, gt=0)
    spread: float = Field(default=0.4, ge=0)
    steps: int = Field(default=12, ge=2)
    repeats: int = Field(default=2, ge=1)
    patience: int = Field(default=3, ge=1)
    samples: int = Field(default=100, ge=10)
    retries: tuple[tuple[float, int], ...] = ((0.3, 3), (0.5, 10), (0.9, 20))
    trees: tuple[tuple[float, int], ...] = ((2, 3), (1.5, 4), (0.8, 10))


@dataclass(frozen=True, kw_only=True)
class Termination(Result):
    """``runaways``: the history of an unguarded run of each loop, by its name; ``settings`` made it all."""

    settings: Settings
    runaways: Mapping[str, History]

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return next(tier for tier in reversed(TIERS) if (self.table["tier"] == tier).any())

    def faulty(self, control: str, loop: str | None = None) -> pd.DataFrame:
        """The runs with the fault under this control."""
        table = self.table
        chosen = table[table["faulty"] & (table["control"] == control)]
        return chosen if loop is None else chosen[chosen["loop"] == loop]
