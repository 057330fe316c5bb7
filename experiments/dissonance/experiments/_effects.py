"""What a sample says of a rate or of a control: held, broke, or too few runs to tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pandas as pd

from dissonance.harness.checks.verdict import Status, Tier
from dissonance.reports import Finding, Interval, bootstrap_mean
from dissonance.reports.words import joined

from .oracles import Held

__all__ = ["agreement", "at_most", "effect", "percent", "share", "worst_tier"]


def at_most(rate: Interval, bound: float) -> Status:
    """Whether a rate is at most ``bound``: *unknown* where its interval has the bound within.

    >>> from dissonance.reports import wilson
    >>> [at_most(wilson(hits, 40), 0.1) for hits in (0, 3, 20)]
    ['pass', 'unknown', 'fail']
    """
    if rate.n == 0 or rate.low <= bound < rate.high:
        return "unknown"
    return "pass" if rate.high <= bound else "fail"


def effect(without: Sequence[float], with_it: Sequence[float]) -> Interval:
    """The mean change that a control makes, over runs paired by their seeds; its interval is the bootstrap's.

    >>> effect([1, 1, 1], [0, 0, 0])
    Interval(estimate=-1.0, low=-1.0, high=-1.0, n=3)
    """
    return bootstrap_mean([b - a for a, b in zip(without, with_it, strict=True)])


def percent(interval: Interval, signed: bool = False) -> str:
    """An interval of shares in a sentence.

    >>> percent(Interval(0.25, 0.2, 0.31, 200)), percent(Interval(-0.05, -0.11, 0.01, 200), signed=True)
    ('25 % (20 to 31, n 200)', '-5 points (-11 to +1, n 200)')
    """
    if interval.n == 0:
        return "nothing (n 0)"
    sign, unit = ("+", "points") if signed else ("", "%")
    estimate, low, high = (f"{100 * v + 0.0:{sign}.0f}" for v in (interval.estimate, interval.low, interval.high))
    return f"{estimate} {unit} ({low} to {high}, n {interval.n})"


def share(hits: int, n: int) -> str:
    """A count of a whole.

    >>> share(3, 40)
    '3 of 40'
    """
    return f"{hits:,} of {n:,}"


def agreement(held: Sequence[Held], tier: Tier | None) -> Finding:
    """Whether the figures that have a closed form agree with it."""
    off = [each.figure for each in held if not each.agrees]
    said = (
        f"{len(held) - len(off)} of {len(held)} simulated figures agree with their closed forms within sampling error"
    )
    return Finding(
        status="fail" if off else "pass", sentence=f"{said}{': not ' + joined(off) if off else ''}.", tier=tier
    )


def worst_tier(table: pd.DataFrame) -> Tier:
    """The worst tier of all runs, which stand a row each with a column ``tier``."""
    tiers: tuple[Tier, ...] = get_args(Tier)
    return next(tier for tier in reversed(tiers) if (table["tier"] == tier).any())
