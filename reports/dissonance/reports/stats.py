"""Intervals: what stands beside each rate and each mean.

A rate gets Wilson's score interval (E. B. Wilson, *Journal of the American Statistical
Association* 22, 1927), which stays inside 0..1 and is honest at 0 of n. A mean gets the bootstrap
percentile interval (B. Efron, *Annals of Statistics* 7, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, log, nan, sqrt
from statistics import NormalDist

import numpy as np

from dissonance.harness.errors import BadInput

__all__ = ["Interval", "bootstrap_mean", "runs_to_see", "wilson", "z_score"]


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
    z_score(confidence)
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return Interval(nan, nan, nan, 0)
    mean = float(data.mean())
    if data.size == 1:
        return Interval(mean, nan, nan, 1)
    if np.all(data == data[0]):
        return Interval(float(data[0]), float(data[0]), float(data[0]), int(data.size))
    draws = np.random.Generator(np.random.PCG64(seed)).integers(0, data.size, size=(resamples, data.size))
    tail = (1 - confidence) / 2
    low, high = np.quantile(data[draws].mean(axis=1), [tail, 1 - tail])
    return Interval(mean, float(low), float(high), int(data.size))


def runs_to_see(rate: float, confidence: float = 0.95) -> int:
    """How many runs show a failure of this rate at least once, with this confidence.

    >>> [runs_to_see(rate) for rate in (0.5, 0.1, 0.05, 0.01)]
    [5, 29, 59, 299]
    """
    if not 0 < rate < 1:
        raise BadInput(f"rate={rate!r}: give a number between 0 and 1")
    return ceil(log(1 - confidence) / log(1 - rate))
