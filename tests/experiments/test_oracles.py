"""The closed forms against known values, and against their laws spelled out."""

from __future__ import annotations

from itertools import product
from math import comb, sqrt

import pytest

from dissonance.experiments.oracles import (
    Z,
    attempts_mean,
    attempts_variance,
    give_up,
    held_exact,
    held_mean,
    held_rate,
    held_table,
    progeny_mean,
    progeny_variance,
)


@pytest.mark.parametrize(
    ("f", "m", "mean", "cut"),
    [(0.3, 3, 1.39, 0.027), (0.5, 10, 1.998047, 0.000977), (0.9, 10, 6.513216, 0.348678), (1, 7, 7, 1)],
)
def test_retries(f: float, m: int, mean: float, cut: float) -> None:
    assert (round(attempts_mean(f, m), 6), round(give_up(f, m), 6)) == (mean, cut)


@pytest.mark.parametrize(("q", "cap", "hit"), [(0.1, 20, 0.121577), (0.2, 20, 0.011529)])
def test_a_review_loops_cap(q: float, cap: int, hit: float) -> None:
    assert round(give_up(1 - q, cap), 6) == hit


@pytest.mark.parametrize(("f", "m"), [(0.3, 3), (0.9, 10)])
def test_the_variance_of_attempts_is_that_of_their_law(f: float, m: int) -> None:
    law = {k: f ** (k - 1) * (1 - f) for k in range(1, m)} | {m: f ** (m - 1)}
    mean = sum(k * p for k, p in law.items())
    assert attempts_mean(f, m) == pytest.approx(mean)
    assert attempts_variance(f, m) == pytest.approx(sum((k - mean) ** 2 * p for k, p in law.items()))


@pytest.mark.parametrize(("mu", "depth", "size"), [(2, 10, 2047), (1.5, 10, 170.995), (0.8, 10, 4.571)])
def test_recursion(mu: float, depth: int, size: float) -> None:
    assert round(progeny_mean(mu, depth), 3) == size


def test_the_variance_of_a_tree_is_that_of_its_law() -> None:
    """One or two children with equal chance, two levels down: all 8 draws, the last of which counts only with two children."""
    sizes = [1 + first + a + (b if first == 2 else 0) for first, a, b in product((1, 2), repeat=3)]
    mean = sum(sizes) / 8
    assert progeny_mean(1.5, 2) == mean
    assert progeny_variance(1.5, 0.25, 2) == pytest.approx(sum((size - mean) ** 2 for size in sizes) / 8)


def test_a_tree_without_chance_has_no_variance() -> None:
    assert progeny_variance(2, 0, 6) == 0


def test_a_mean_agrees_within_its_own_sampling_error_alone() -> None:
    margin = Z * sqrt(4 / 16)
    near = held_mean("m", "f", [10 + margin - 0.01] * 16, 10, 4)
    far = held_mean("m", "f", [10 + margin + 0.01] * 16, 10, 4)
    assert (near.low, near.high) == (10 - margin, 10 + margin)
    assert (near.agrees, far.agrees) == (True, False)


@pytest.mark.parametrize(
    ("n", "p", "inside", "outside"),
    [(100, 0.5, (34, 66), (33, 67)), (100, 0.001, (0, 2), (3,)), (1000, 0.001, (0, 6), (7,)), (30, 1.0, (30,), (29,))],
    ids=["even", "rare", "many", "sure"],
)
def test_a_rate_agrees_within_the_binomial_law(
    n: int, p: float, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    def agrees(hits: int) -> bool:
        return held_rate("r", "f", [True] * hits + [False] * (n - hits), p).agrees

    assert all(agrees(hits) for hits in inside)
    assert not any(agrees(hits) for hits in outside)


def test_the_binomial_bounds_leave_a_thousandth_outside() -> None:
    held = held_rate("r", "f", [False] * 40, 0.3)
    inside = sum(comb(40, k) * 0.3**k * 0.7 ** (40 - k) for k in range(round(held.low * 40), round(held.high * 40) + 1))
    assert 0.999 <= inside < 0.9999


def test_what_has_no_spread_must_be_equal() -> None:
    assert held_exact("n", "n", [12, 12, 12], 12).agrees
    assert held_exact("n", "n", [12, 13, 12], 12).simulated == 13
    assert not held_exact("n", "n", [12, 13, 12], 12).agrees


def test_the_table_shows_where_each_figure_must_lie() -> None:
    assert held_table([held_exact("steps", "n", [13.0], 12)]).iloc[0].tolist() == [
        "steps",
        "n",
        12,
        13,
        12,
        12,
        1,
        False,
    ]
