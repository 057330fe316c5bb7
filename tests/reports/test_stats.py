"""Intervals against published and computed values."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from dissonance.harness.errors import BadInput
from dissonance.reports.stats import (
    Interval,
    at_least,
    at_most,
    bootstrap_mean,
    bootstrap_quantile,
    paired_difference,
    runs_for_margin,
    runs_to_see,
    runs_to_tell,
    wilson,
)


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


def test_wilson_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(7, 31).proportion_ci(0.9, method="wilson")
    mine = wilson(7, 31, confidence=0.9)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))


def test_the_bootstrap_is_that_of_scipy_within_its_own_noise() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.Generator(np.random.PCG64(3)).exponential(2.0, size=60)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=4).confidence_interval
    mine = bootstrap_mean(values.tolist(), resamples=20_000)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_a_quantiles_interval_covers_the_true_one() -> None:
    """The median of an exponential law of mean 2 is 2 ln 2."""
    samples = np.random.Generator(np.random.PCG64(11)).exponential(2.0, size=(200, 60))
    covered = sum(2 * np.log(2) in bootstrap_quantile(sample.tolist(), 0.5, resamples=500) for sample in samples)
    assert 0.89 <= covered / 200 <= 0.99


def test_a_sample_too_small_for_a_quantile_gives_it_no_bounds() -> None:
    interval = bootstrap_quantile([float(x) for x in range(40)], 0.95)
    assert interval.estimate == pytest.approx(37.05)
    assert isnan(interval.low) and isnan(interval.high)


def test_pairs_take_out_what_the_seed_does_to_both() -> None:
    """Seeds vary by 100, the treatment does 1: unpaired means could not tell it, pairs tell it exactly."""
    control = [float(x) for x in np.random.Generator(np.random.PCG64(5)).normal(0, 100, size=10)]
    found = paired_difference([value + 1 for value in control], control)
    assert found.estimate == pytest.approx(1.0)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))
    assert at_least(found, 0) == "pass"


@pytest.mark.parametrize(
    ("interval", "most", "least"),
    [
        (Interval(0.2, 0.1, 0.3, 9), "pass", "fail"),
        (Interval(0.5, 0.3, 0.7, 9), "unknown", "unknown"),
        (Interval(0.8, 0.6, 0.9, 9), "fail", "pass"),
        (Interval(0.8, float("nan"), float("nan"), 1), "unknown", "unknown"),
    ],
    ids=["below", "across", "above", "one-run"],
)
def test_a_statement_is_made_where_the_whole_interval_lies_on_one_side(
    interval: Interval, most: str, least: str
) -> None:
    assert (at_most(interval, 0.4), at_least(interval, 0.4)) == (most, least)


def test_so_many_runs_tell_two_rates_apart_as_often_as_the_rule_says() -> None:
    """At the n of the rule, 0.5 against 0.25, the difference's z score is beyond 1.96 in about 80 % of draws."""
    n = runs_to_tell(0.5, 0.25)
    rng = np.random.Generator(np.random.PCG64(2))
    p, q = rng.binomial(n, 0.5, 4000) / n, rng.binomial(n, 0.25, 4000) / n
    z = (p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / n)
    assert 0.77 < float(np.mean(np.abs(z) > 1.96)) < 0.85


def test_so_many_runs_give_the_margin() -> None:
    n = runs_for_margin(10.0, 2.0)
    means = np.random.Generator(np.random.PCG64(1)).normal(0, 10, size=(2000, n)).mean(axis=1)
    assert 0.93 < float(np.mean(np.abs(means) <= 2.0)) < 0.97


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "successes=3, n=2: give 0 <= successes <= n"),
        (lambda: wilson(1, 2, confidence=95), "confidence=95: give a number between 0 and 1, as 0.95"),
        (lambda: runs_to_see(0), "rate=0: give a number between 0 and 1"),
        (lambda: bootstrap_quantile([1.0], 95), "q=95: give a number from 0 to 1, as 0.95"),
        (lambda: paired_difference([1], [1, 2]), "1 treated, 2 control: give one of each for every seed"),
        (lambda: runs_to_tell(0.5, 1.5), "other=1.5: give a number from 0 to 1"),
        (
            lambda: runs_to_tell(0.5, 0.5),
            "rate=0.5, other=0.5: rates that are equal cannot be told apart by any number of runs",
        ),
        (lambda: runs_to_tell(0.5, 0.1, power=80), "power=80: give a number from 0.5 to below 1, as 0.8"),
        (
            lambda: runs_for_margin(1, 0),
            "spread=1, margin=0: give a spread of 0 or more and a margin above 0",
        ),
    ],
    ids=["too-many", "percent", "rate-0", "quantile", "pairs", "range", "equal", "power", "margin"],
)
def test_bad_arguments_are_named(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(BadInput) as error:
        call()
    assert str(error.value) == message
