"""Intervals: what stands beside each rate, each mean and each quantile, and what may be said of them.

A rate gets Wilson's score interval (E. B. Wilson, *Journal of the American Statistical
Association* 22, 1927), which stays inside 0..1 and is honest at 0 of n. Means, quantiles and differences
get the bootstrap percentile interval (B. Efron, *Annals of Statistics* 7, 1979). Arms that ran under the
same seeds are compared pair by pair: what a seed does to both drops out of the difference.

The rule for every statement: it is made where the whole interval lies on one side of the bound, and is
*unknown* where the bound lies inside (:func:`at_most`, :func:`at_least`). How many runs that takes is
asked before they are made: :func:`runs_to_see` for a failure of a given rate, :func:`runs_to_tell` for a
difference of rates, :func:`runs_for_margin` for a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, isnan, log, nan, sqrt
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

from dissonance.harness.checks.verdict import Status
from dissonance.harness.errors import BadInput

__all__ = [
    "Interval",
    "at_least",
    "at_most",
    "bootstrap_mean",
    "bootstrap_quantile",
    "paired_difference",
    "runs_for_margin",
    "runs_to_see",
    "runs_to_tell",
    "wilson",
    "z_score",
]

_Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate from ``n`` observations, and where the true value may lie; nan bounds: nothing can be said.

    ``percent``: people read it in per cent.
    """

    estimate: float
    low: float
    high: float
    n: int
    percent: bool = field(default=False, repr=False)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def z_score(confidence: float) -> float:
    """The two-sided normal quantile: 1.96 for a confidence of 0.95."""
    if not 0 < confidence < 1:
        raise BadInput(f"confidence={confidence!r}: give a number between 0 and 1, as 0.95")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a rate; without an observation the estimate is nan and the interval 0..1.

    >>> interval = wilson(9, 10)
    >>> round(interval.low, 5), round(interval.high, 5)
    (0.59585, 0.98212)
    """
    if not 0 <= successes <= n:
        raise BadInput(f"successes={successes!r}, n={n!r}: give 0 <= successes <= n")
    if n == 0:
        return Interval(nan, 0.0, 1.0, 0, percent=True)
    z2 = z_score(confidence) ** 2
    rate = successes / n
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2) * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(rate, low, high, n, percent=True)


def bootstrap_mean(
    values: Sequence[float], *, seed: int = 0, confidence: float = 0.95, resamples: int = 2000
) -> Interval:
    """The mean with its bootstrap percentile interval; the same values and seed give the same interval.

    One observation has no interval (nan bounds). Equal observations have one of width 0.

    >>> bootstrap_mean([12.0, 12.0, 12.0])
    Interval(estimate=12.0, low=12.0, high=12.0, n=3)
    """
    return _bootstrap(values, lambda drawn: drawn.mean(axis=-1), seed, confidence, resamples)


def bootstrap_quantile(
    values: Sequence[float], q: float, *, seed: int = 0, confidence: float = 0.95, resamples: int = 2000
) -> Interval:
    """The ``q`` quantile (0..1, interpolated as NumPy does by default) with its bootstrap percentile interval.

    The bounds are nan where the sample is too small to show what lies beyond the quantile: fewer than five
    observations are expected on its shorter side.

    >>> bootstrap_quantile([float(x) for x in range(1, 101)], 0.5).estimate
    50.5
    """
    if not 0 <= q <= 1:
        raise BadInput(f"q={q!r}: give a number from 0 to 1, as 0.95")
    found = _bootstrap(values, lambda drawn: np.quantile(drawn, q, axis=-1), seed, confidence, resamples)
    if found.low != found.high and len(values) * min(q, 1 - q) < 5:
        return Interval(found.estimate, nan, nan, found.n)
    return found


def paired_difference(
    treated: Sequence[float],
    control: Sequence[float],
    *,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
    percent: bool = False,
) -> Interval:
    """The mean of ``treated - control``, each pair made under one seed; n counts pairs.

    Of two rates give 0 and 1, and ``percent``.

    >>> paired_difference([5.0, 7.0, 9.0], [3.0, 5.0, 7.0])
    Interval(estimate=2.0, low=2.0, high=2.0, n=3)
    """
    if len(treated) != len(control):
        raise BadInput(f"{len(treated)} treated, {len(control)} control: give one of each for every seed")
    apart = [float(one) - float(other) for one, other in zip(treated, control, strict=True)]
    found = bootstrap_mean(apart, seed=seed, confidence=confidence, resamples=resamples)
    return Interval(found.estimate, found.low, found.high, found.n, percent)


def _bootstrap(
    values: Sequence[float], statistic: Callable[[_Array], Any], seed: int, confidence: float, resamples: int
) -> Interval:
    z_score(confidence)
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return Interval(nan, nan, nan, 0)
    estimate = float(statistic(data))
    if data.size == 1:
        return Interval(estimate, nan, nan, 1)
    if np.all(data == data[0]):
        return Interval(float(data[0]), float(data[0]), float(data[0]), int(data.size))
    draws = np.random.Generator(np.random.PCG64(seed)).integers(0, data.size, size=(resamples, data.size))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(data[draws]), [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), int(data.size))


def at_most(interval: Interval, bound: float) -> Status:
    """*pass* where all of the interval lies at or below the bound, *fail* where all lies above, else *unknown*.

    >>> at_most(wilson(0, 50), 0.1), at_most(wilson(30, 50), 0.1), at_most(wilson(0, 5), 0.1)
    ('pass', 'fail', 'unknown')
    """
    if isnan(interval.low) or isnan(interval.high):
        return "unknown"
    if interval.high <= bound:
        return "pass"
    return "fail" if interval.low > bound else "unknown"


def at_least(interval: Interval, bound: float) -> Status:
    """*pass* where all of the interval lies at or above the bound, *fail* where all lies below, else *unknown*."""
    if isnan(interval.low) or isnan(interval.high):
        return "unknown"
    if interval.low >= bound:
        return "pass"
    return "fail" if interval.high < bound else "unknown"


def runs_to_see(rate: float, confidence: float = 0.95) -> int:
    """How many runs show a failure of this rate at least once, with this confidence.

    >>> [runs_to_see(rate) for rate in (0.5, 0.1, 0.05, 0.01)]
    [5, 29, 59, 299]
    """
    if not 0 < rate < 1:
        raise BadInput(f"rate={rate!r}: give a number between 0 and 1")
    return ceil(log(1 - confidence) / log(1 - rate))


def runs_to_tell(rate: float, other: float, *, confidence: float = 0.95, power: float = 0.8) -> int:
    """How many runs of each of two arms tell these rates apart, with this power (two-sided, unpooled normal law).

    n = (z_confidence + z_power)^2 (p(1-p) + q(1-q)) / (p - q)^2; pairs need fewer where they go together.

    >>> [runs_to_tell(p, q) for p, q in ((0.9, 0.1), (0.5, 0.25), (0.1, 0.05))]
    [3, 55, 432]
    """
    for name, value in (("rate", rate), ("other", other)):
        if not 0 <= value <= 1:
            raise BadInput(f"{name}={value!r}: give a number from 0 to 1")
    if rate == other:
        raise BadInput(
            f"rate={rate!r}, other={other!r}: rates that are equal cannot be told apart by any number of runs"
        )
    if not 0.5 <= power < 1:
        raise BadInput(f"power={power!r}: give a number from 0.5 to below 1, as 0.8")
    z = z_score(confidence) + NormalDist().inv_cdf(power)
    return max(2, ceil(z * z * (rate * (1 - rate) + other * (1 - other)) / (rate - other) ** 2))


def runs_for_margin(spread: float, margin: float, confidence: float = 0.95) -> int:
    """How many runs put a mean within ``margin`` to either side, for values of this standard deviation.

    n = (z spread / margin)^2, the normal law's.

    >>> runs_for_margin(10.0, 2.0)
    97
    """
    if not spread >= 0 or not margin > 0:
        raise BadInput(f"spread={spread!r}, margin={margin!r}: give a spread of 0 or more and a margin above 0")
    return max(2, ceil((z_score(confidence) * spread / margin) ** 2))
