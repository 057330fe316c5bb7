"""What ``matrix`` is given and gives: its parameters and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import pandas as pd
from pydantic import Field

from dissonance.faults import Family
from dissonance.harness.checks.verdict import Tier

from ._bounds import Bound
from .experiment import Params, Result

__all__ = ["Matrix", "PatternName", "RuntimeName", "Settings"]

PatternName: TypeAlias = Literal["chain", "fan_out", "supervise", "delegate", "debate", "human_gate"]
RuntimeName: TypeAlias = Literal["plain", "langgraph", "crewai", "autogen", "claude_tools"]
_TIERS: tuple[Tier, ...] = get_args(Tier)


class Settings(Params):
    """``patterns``, ``runtimes`` and ``families``: the cells; ``calls``: after so many the harness stops a run."""

    seeds: int = Field(default=3, ge=1)
    patterns: tuple[PatternName, ...] = Field(default=get_args(PatternName), min_length=1)
    runtimes: tuple[RuntimeName, ...] = Field(default=get_args(RuntimeName), min_length=1)
    families: tuple[Family, ...] = Field(default=get_args(Family), min_length=1)
    calls: int = Field(default=60, ge=20)


@dataclass(frozen=True, kw_only=True)
class Matrix(Result):
    """``table`` has a row a run, ``cells`` the worst run of each cell; ``bounds`` are the frameworks' own.

    ``missing`` has the line that installs it for each runtime that is not here: its cells were not played.
    """

    settings: Settings
    cells: pd.DataFrame
    bounds: Sequence[Bound]
    missing: dict[str, str]

    @property
    def tier(self) -> Tier:
        """The worst tier of all runs."""
        return next((tier for tier in reversed(_TIERS) if (self.table["tier"] == tier).any()), "T1")

    @property
    def runtimes(self) -> list[RuntimeName]:
        """Those that were played."""
        return [each for each in self.settings.runtimes if each not in self.missing]

    def reached(self, settings: str, **where: str) -> pd.DataFrame:
        """The cells with these settings, and of these names, in which a fault reached somebody."""
        cells = self.cells[(self.cells["settings"] == settings) & (self.cells["reached"] > 0)]
        for column, value in where.items():
            cells = cells[cells[column] == value]
        return cells
