"""What every experiment says in the same way: its tier, its closed forms, and whether they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pandas as pd

from dissonance.harness.checks.verdict import Tier
from dissonance.reports import Finding, Interval, Table
from dissonance.reports.words import joined, number

from .oracles import Held, held_table

__all__ = ["between", "closed_forms", "percent", "tier_of", "trusted"]

_TIERS: tuple[Tier, ...] = get_args(Tier)


def tier_of(table: pd.DataFrame) -> Tier:
    """The worst tier of the runs in a table with a column ``tier``."""
    return next(tier for tier in reversed(_TIERS) if (table["tier"] == tier).any())


def percent(share: float) -> str:
    """A share for a sentence.

    >>> [percent(share) for share in (0, 0.0349, 0.5, 1)]
    ['0 %', '3.5 %', '50 %', '100 %']
    """
    return f"{share * 100:.2g} %" if share < 0.995 else f"{share * 100:.0f} %"


def between(value: Interval) -> str:
    """An estimate with its bounds, for a sentence that gives n.

    >>> between(Interval(2.0, 1.5, 2.25, 30)), between(Interval(0.5, 0.25, 0.75, 30, percent=True))
    ('2 (1.5 to 2.25)', '50 % (25 % to 75 %)')
    """
    said = [(percent if value.percent else number)(each) for each in (value.estimate, value.low, value.high)]
    return "{} ({} to {})".format(*said)


def trusted(held: Sequence[Held], tier: Tier | None = None, *, of: str = "") -> Finding:
    """Whether the figures that have a closed form agree with it; ``of`` says whose figures they are."""
    off = [each.figure for each in held if not each.agrees]
    said = (
        f"{len(held) - len(off)} of {len(held)} simulated figures{of and ' of ' + of} agree with their closed forms "
        "within sampling error"
    )
    sentence = f"{said}{': not ' + joined(off) if off else ''}."
    return Finding(status="fail" if off else "pass" if held else "unknown", sentence=sentence, tier=tier)


def closed_forms(name: str, held: Sequence[Held], of: str) -> Table:
    """The figures that have a closed form, beside it; ``of`` says what they are of."""
    return Table(
        name=name,
        frame=held_table(held),
        caption=(
            f"{of} against closed forms. At this n, 99.9 % of such figures lie between the two bounds if the closed "
            "form is true."
        ),
    )
