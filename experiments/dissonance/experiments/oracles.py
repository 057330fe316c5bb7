"""Closed forms, and whether a simulated figure agrees with one within its own sampling error.

A figure agrees when it lies where 99.9 % of such figures lie if the closed form is true: a mean within
``Z`` standard errors, whose variance is that of the closed form's own distribution at the simulation's
n; a rate within the binomial law's own quantiles, since the normal law is wrong for rare events. No
tolerance is chosen by hand. 99.9 % and not 95, because an experiment makes several comparisons at once.
A figure without spread must be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, lgamma, log, log1p, sqrt

import pandas as pd

__all__ = [
    "Held",
    "Z",
    "attempts_mean",
    "attempts_variance",
    "give_up",
    "held_exact",
    "held_mean",
    "held_rate",
    "held_table",
    "progeny_mean",
    "progeny_variance",
]

Z = 3.2905
"""The two-sided normal quantile of 99.9 %."""

TAIL = 0.0005
"""The share of figures that may lie beyond either bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A simulated figure beside its closed form, and the bounds within which it agrees at this n."""

    figure: str
    formula: str
    expected: float
    simulated: float
    low: float
    high: float
    n: int

    @property
    def agrees(self) -> bool:
        """Whether the two agree within the sampling error."""
        return self.low - 1e-9 <= self.simulated <= self.high + 1e-9


def held_mean(figure: str, formula: str, values: Sequence[float], expected: float, variance: float) -> Held:
    """A mean against its closed form, whose distribution has this variance."""
    margin = Z * sqrt(variance / len(values))
    bounds = (expected - margin, expected + margin)
    return _held(figure, formula, expected, sum(values) / len(values), bounds, len(values))


def held_rate(figure: str, formula: str, hits: Sequence[bool], expected: float) -> Held:
    """A rate against its closed form."""
    n = len(hits)
    low, high = _binomial_bounds(n, expected)
    return _held(figure, formula, expected, sum(hits) / n, (low / n, high / n), n)


def held_exact(figure: str, formula: str, values: Sequence[float], expected: float) -> Held:
    """Deterministic values: the one furthest from the closed form must be equal to it."""
    worst = max(values, key=lambda value: abs(value - expected))
    return _held(figure, formula, expected, worst, (expected, expected), len(values))


def _held(figure: str, formula: str, expected: float, simulated: float, bounds: tuple[float, float], n: int) -> Held:
    low, high = bounds
    return Held(figure=figure, formula=formula, expected=expected, simulated=simulated, low=low, high=high, n=n)


def _binomial_bounds(n: int, p: float) -> tuple[int, int]:
    """The counts between which a binomial count lies with 99.9 %: each tail outside has at most 0.05 %.

    >>> _binomial_bounds(100, 0.5), _binomial_bounds(100, 0.001), _binomial_bounds(5, 1)
    ((34, 66), (0, 2), (5, 5))
    """
    law = [_binomial(n, p, k) for k in range(n + 1)]
    below = list(accumulate(law))
    low = next(k for k in range(n + 1) if below[k] > TAIL)
    above = list(accumulate(reversed(law)))
    return low, n - next(k for k in range(n + 1) if above[k] > TAIL)


def _binomial(n: int, p: float, k: int) -> float:
    if p in (0, 1):
        return float(k == n * p)
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p))


def held_table(held: Sequence[Held]) -> pd.DataFrame:
    """The comparisons, a row each."""
    return pd.DataFrame(
        {
            "figure": [h.figure for h in held],
            "closed form": [h.formula for h in held],
            "expected": [h.expected for h in held],
            "simulated": [h.simulated for h in held],
            "lower bound": [h.low for h in held],
            "upper bound": [h.high for h in held],
            "n": [h.n for h in held],
            "agrees": [h.agrees for h in held],
        }
    )


def attempts_mean(f: float, m: int) -> float:
    """The mean number of attempts, each failing with probability ``f``, at most ``m`` of them.

    >>> round(attempts_mean(0.3, 3), 5), round(attempts_mean(0.9, 10), 5)
    (1.39, 6.51322)
    """
    return float(m) if f == 1 else (1 - f**m) / (1 - f)


def attempts_variance(f: float, m: int) -> float:
    """The variance of that number: the sum over k of (2k + 1) f^k is its second moment."""
    second = sum((2 * k + 1) * f**k for k in range(m))
    return second - attempts_mean(f, m) ** 2


def give_up(f: float, m: int) -> float:
    """The probability that all ``m`` attempts fail; with f = 1 - q, that a loop of cap m is cut.

    >>> round(give_up(0.9, 10), 6), round(give_up(0.9, 20), 6)
    (0.348678, 0.121577)
    """
    return float(f**m)


def progeny_mean(mu: float, depth: int) -> float:
    """The mean size of a tree whose nodes have ``mu`` children on average, down to this depth: the sum of mu^i.

    >>> progeny_mean(2, 10), round(progeny_mean(1.5, 10), 3), round(progeny_mean(0.8, 10), 3)
    (2047.0, 170.995, 4.571)
    """
    return float(sum(mu**i for i in range(depth + 1)))


def progeny_variance(mu: float, variance: float, depth: int) -> float:
    """The variance of that size, for children with this variance: V_d = mu V_(d-1) + variance E_(d-1)^2."""
    total = 0.0
    for level in range(1, depth + 1):
        total = mu * total + variance * progeny_mean(mu, level - 1) ** 2
    return total
