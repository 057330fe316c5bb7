"""What ``groupthink`` is given and gives: its parameters and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic import Field, field_validator

from dissonance.harness.checks.independence import Ballot, Independence, measure_independence
from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Interval, wilson

from ._effects import worst_tier
from ._panel import ONE, VOTE, after_a_round, arbitrated, voted
from .experiment import Params, Result

__all__ = ["Settings", "Thinking"]


class Settings(Params):
    """Probabilities are from 0 to 1; ``seeds`` is the number of questions.

    * ``right``: that a voter is right. ``panels``: sizes, odd. ``correlations``: of the voters' being right.
    * ``trio``: the size of the panel whose protocols are compared, at ``shared`` correlation.
    * ``doubt``: that a voter who reconsiders changes its mind for no reason; ``conformity``: that it gives in to
      most of the others; ``insight``: that the arbitrator finds the right one of two answers. All three are assumptions.
    * ``needed``: the effective number of voters from which a panel holds.
    """

    seeds: int = Field(default=150, ge=3)
    right: float = Field(default=0.7, gt=0, lt=1)
    panels: tuple[int, ...] = (3, 5)
    correlations: tuple[float, ...] = (0.0, 0.3, 0.6)
    trio: int = Field(default=3, ge=3, le=7)
    shared: float = Field(default=0.3, ge=0, le=1)
    doubt: float = Field(default=0.1, ge=0, le=1)
    conformity: float = Field(default=0.7, ge=0, le=1)
    insight: float = Field(default=0.8, ge=0, le=1)
    needed: float = Field(default=2.0, gt=0)

    @field_validator("panels", "trio")
    @classmethod
    def _odd(cls, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        sizes = (value,) if isinstance(value, int) else value
        if not sizes or any(size < 3 or size % 2 == 0 for size in sizes):
            raise ValueError("give odd numbers of voters from 3, so that a vote is never tied")
        return value

    @field_validator("correlations")
    @classmethod
    def _shares(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 <= each <= 1 for each in value):
            raise ValueError("give one or more correlations from 0 to 1")
        return value


@dataclass(frozen=True, kw_only=True)
class Thinking(Result):
    """``ballots``: the first votes by (voters, correlation)."""

    settings: Settings
    ballots: Mapping[tuple[int, float], Sequence[Ballot]]

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return worst_tier(self.table)

    def arm(self, protocol: str, voters: int, correlation: float) -> pd.DataFrame:
        """The runs of an arm."""
        table = self.table
        chosen = (table["protocol"] == protocol) & (table["voters"] == voters) & (table["correlation"] == correlation)
        return table[chosen]

    def one(self) -> pd.DataFrame:
        """The runs of one agent."""
        return self.arm(ONE, 1, 0.0)

    def protocol(self, name: str) -> pd.DataFrame:
        """The runs of a protocol of the trio; one agent's where that is asked for."""
        return self.one() if name == ONE else self.arm(name, self.settings.trio, self.settings.shared)

    def right(self, runs: pd.DataFrame) -> Interval:
        """The share of runs that were right."""
        return wilson(int(runs["right"].sum()), len(runs))

    def worth(self, voters: int, correlation: float) -> Independence | None:
        """What a panel is worth; None where the votes say nothing."""
        return measure_independence(self.ballots[voters, correlation])

    def expected(self, protocol: str) -> float:
        """P(right) of a protocol of the trio, by its closed form."""
        s = self.settings
        odds = (s.right, s.trio, s.shared)
        return {
            "one agent": s.right,
            VOTE: voted(*odds),
            "reflection": after_a_round(*odds, s.doubt, 0.0),
            "debate": after_a_round(*odds, s.doubt, s.conformity),
            "arbitrator": arbitrated(*odds, s.insight),
        }[protocol]
