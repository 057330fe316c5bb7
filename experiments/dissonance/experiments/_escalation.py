"""What ``silent_escalation`` is given and gives: its parameters and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic import Field, field_validator

from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Interval, wilson

from ._desk import CALIBRATED, CERTAIN, SURE, Source
from ._effects import worst_tier
from .experiment import Params, Result

__all__ = ["Escalation", "Settings"]


class Settings(Params):
    """``seeds`` runs of an arm take ``batch`` cases each through one gate.

    ``thresholds`` (0 to 1) are confidences below which a human is asked; ``chief`` is the one at which all agents
    are compared. ``allowed``: the share of wrong payments up to which a gate may miss them.
    """

    seeds: int = Field(default=10, ge=1)
    batch: int = Field(default=20, ge=2)
    thresholds: tuple[float, ...] = (0.7, 0.85, 0.9)
    chief: float = Field(default=0.85, gt=0, lt=0.97)
    allowed: float = Field(default=0.1, ge=0, le=1)

    @field_validator("thresholds")
    @classmethod
    def _confidences(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < each < 1 for each in value):
            raise ValueError("give confidences between 0 and 1")
        return value

    def arms(self) -> Sequence[tuple[Source, float, bool]]:
        """Who drafts, the threshold, and whether signals from outside are looked at."""
        found: list[tuple[Source, float, bool]] = [(CALIBRATED, self.chief, False)]
        found += [
            (SURE, each, signals) for each in dict.fromkeys((*self.thresholds, self.chief)) for signals in (False, True)
        ]
        return [*found, (CERTAIN, self.chief, False), (CERTAIN, self.chief, True)]


@dataclass(frozen=True, kw_only=True)
class Escalation(Result):
    """The table has a row a case."""

    settings: Settings

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return worst_tier(self.table)

    def arm(self, source: Source, threshold: float, signals: bool) -> pd.DataFrame:
        """The cases of an arm."""
        table = self.table
        return table[(table["source"] == source) & (table["threshold"] == threshold) & (table["signals"] == signals)]

    def wrong(self, source: Source, threshold: float, signals: bool) -> pd.DataFrame:
        """Those whose proposed payment was wrong."""
        cases = self.arm(source, threshold, signals)
        return cases[cases["wrong"]]

    def missed(self, source: Source, threshold: float, signals: bool) -> Interval:
        """The share of the wrong payments that were made without a human being asked."""
        cases = self.wrong(source, threshold, signals)
        return wilson(int(cases["silent"].sum()), len(cases))

    def asked(self, source: Source, threshold: float, signals: bool) -> Interval:
        """The share of all cases that a human was asked about."""
        cases = self.arm(source, threshold, signals)
        return wilson(int(cases["asked"].sum()), len(cases))

    def of_kind(self, kind: str, signals: bool) -> Interval:
        """Of the wrong payments of a kind, by the agent that is too sure at the chief threshold, those not asked about."""
        cases = self.wrong(SURE, self.settings.chief, signals)
        cases = cases[cases["kind"] == kind]
        return wilson(int(cases["silent"].sum()), len(cases))
