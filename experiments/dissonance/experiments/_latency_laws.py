"""Laws of latency, and what follows from them for a fan-out: order statistics, a time box, hedging.

With n branches at once the makespan is the largest of n independent latencies, whose distribution is F(t)^n: that
of n exponential ones has the mean H_n times theirs and the variance sum of 1/i^2 (A. Renyi, 1953). A hedged branch,
started a second time after h, is still at work at t with S(t) S(t - h). A time box leaves S(t) of them undone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import erf, erfc, exp, gamma, inf, lgamma, log, pow, sqrt
from typing import Literal, TypeAlias, get_args

import numpy as np

from dissonance.faults import SlowReply

__all__ = [
    "LAWS",
    "RANDOM",
    "LatencyLaw",
    "harmonic",
    "latency",
    "listed",
    "max_mean",
    "max_quantile",
    "survival",
    "survival_hedged",
]

LatencyLaw: TypeAlias = Literal["constant", "exponential", "lognormal", "pareto"]
LAWS: tuple[LatencyLaw, ...] = get_args(LatencyLaw)
RANDOM: tuple[LatencyLaw, ...] = LAWS[1:]

_SIGMA = 1.0
_ALPHA = 2.5


def latency(law: LatencyLaw, mean: float, seed: int = 0) -> SlowReply:
    """The fault that makes every reply late by this law: lognormal with sigma 1, Pareto with alpha 2.5."""
    sigma = _SIGMA if law == "lognormal" else None
    return SlowReply(seconds=mean, law=law, sigma=sigma, alpha=_ALPHA if law == "pareto" else None, seed=seed)


def survival(law: LatencyLaw, mean: float, t: float) -> float:
    """The probability that a latency of this law and mean is over ``t`` seconds.

    >>> round(survival("exponential", 60, 180), 5), round(survival("pareto", 60, 180), 5)
    (0.04979, 0.01789)
    """
    if t <= 0:
        return 1.0
    if law == "exponential":
        return exp(-t / mean)
    if law == "lognormal":
        return erfc((log(t / mean) / _SIGMA + _SIGMA / 2) / sqrt(2)) / 2
    if law == "pareto":
        return min(1.0, pow(t * _ALPHA / (mean * (_ALPHA - 1)), -_ALPHA))
    return float(t < mean)


def survival_hedged(law: LatencyLaw, mean: float, t: float, after: float) -> float:
    """The same for a branch that is started a second time ``after`` so many seconds: the first to finish counts."""
    return survival(law, mean, t) * survival(law, mean, t - after)


def harmonic(n: int, power: int = 1) -> float:
    """The sum of 1 / i^power for i from 1 to n.

    >>> round(harmonic(4), 5), round(harmonic(100), 5)
    (2.08333, 5.18738)
    """
    return sum(1 / pow(i, power) for i in range(1, n + 1))


@cache
def max_mean(law: LatencyLaw, n: int) -> float:
    """The mean of the largest of n latencies whose mean is 1.

    >>> [round(max_mean(law, 16), 4) for law in LAWS]
    [1.0, 3.3807, 4.1697, 2.729]
    """
    if law == "exponential":
        return harmonic(n)
    if law == "lognormal":  # the integral of x(z) n Phi(z)^(n-1) phi(z), by the trapezoid rule
        z = np.linspace(-9, 14, 8001)
        phi = np.exp(-z * z / 2) / sqrt(2 * np.pi)
        below = np.array([(1 + erf(each / sqrt(2))) / 2 for each in z])
        return float(np.sum(np.exp(_SIGMA * z - _SIGMA**2 / 2) * n * below ** (n - 1) * phi) * (z[1] - z[0]))
    if law == "pareto":
        tail = lgamma(n + 1) - lgamma(n + 1 - 1 / _ALPHA)
        return (_ALPHA - 1) / _ALPHA * gamma(1 - 1 / _ALPHA) * exp(tail)
    return 1.0


def max_quantile(remaining: Callable[[float], float], n: int, share: float) -> float:
    """The seconds within which the largest of n latencies lies with this probability, by bisection.

    ``remaining`` is the survival function of one; of the largest the distribution is (1 - S(t))^n.

    >>> round(max_quantile(lambda t: survival("exponential", 1, t), 4, 0.5), 5)
    1.8382
    """
    low, high = 0.0, 1.0
    while (1 - remaining(high)) ** n < share:
        low, high = high, 2 * high
        if high == inf:
            raise ValueError(f"share={share!r}: no finite time is enough")
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - remaining(middle)) ** n < share else (low, middle)
    return high


def listed(durations: tuple[float, ...], at_once: int) -> float:
    """The makespan of list scheduling: each task in its order goes to the slot that is free first.

    >>> listed((1, 1, 2), 2), listed((2, 1, 1), 2)
    (3, 2)
    """
    free: list[float] = [0] * at_once
    for seconds in durations:
        free.sort()
        free[0] += seconds
    return max(free)
