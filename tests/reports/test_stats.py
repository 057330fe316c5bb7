"""Intervals against published and computed values."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from dissonance.harness.errors import BadInput
from dissonance.reports.stats import Interval, bootstrap_mean, runs_to_see, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (9, 10, 0.59585, 0.98212),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (50, 100, 0.40383, 0.59617),
        (88, 1199, 0.05996, 0.08956),
        (18, 58, 0.20622, 0.43803),
    ],
)
def test_wilson_gives_the_known_bounds(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert (round(interval.low, 5), round(interval.high, 5)) == (low, high)
    assert (interval.estimate, interval.n) == (successes / n, n)


def test_without_an_observation_a_rate_may_be_anything() -> None:
    interval = wilson(0, 0)
    assert isnan(interval.estimate)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_wilson_covers_the_true_rate_about_as_often_as_it_says() -> None:
    """Coverage at n = 40, p = 0.1, over every outcome, by the binomial law itself."""
    from math import comb

    covered = sum(comb(40, k) * 0.1**k * 0.9 ** (40 - k) for k in range(41) if 0.1 in wilson(k, 40))
    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(("rate", "runs"), [(0.5, 5), (0.1, 29), (0.05, 59), (0.01, 299)], ids=lambda value: str(value))
def test_runs_to_see_a_failure(rate: float, runs: int) -> None:
    assert runs_to_see(rate) == runs


def test_the_bootstrap_repeats_and_covers_the_mean() -> None:
    """95 % intervals of 200 samples of 40 exponentials hold the true mean in about 95 % of them."""
    samples = np.random.Generator(np.random.PCG64(7)).exponential(2.0, size=(200, 40))
    intervals = [bootstrap_mean(sample.tolist(), seed=1) for sample in samples]
    assert intervals[0] == bootstrap_mean(samples[0].tolist(), seed=1)
    assert 0.87 <= sum(2.0 in interval for interval in intervals) / 200 <= 0.98


def test_one_observation_has_no_interval() -> None:
    interval = bootstrap_mean([3.0])
    assert interval.estimate == 3.0
    assert isnan(interval.low)
    assert isnan(interval.high)


def test_equal_observations_have_an_interval_of_no_width() -> None:
    assert bootstrap_mean([4.0] * 5) == Interval(4.0, 4.0, 4.0, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "successes=3, n=2: give 0 <= successes <= n"),
        (lambda: wilson(1, 2, confidence=95), "confidence=95: give a number between 0 and 1, as 0.95"),
        (lambda: runs_to_see(0), "rate=0: give a number between 0 and 1"),
    ],
    ids=["too-many", "percent", "rate-0"],
)
def test_bad_arguments_are_named(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(BadInput) as error:
        call()
    assert str(error.value) == message
