"""What stragglers and time boxes do to a fan-out: what must hold at any size, measured at a small one."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest

from dissonance.experiments import report_of
from dissonance.experiments._fan_outs import BOTH, BOX, CONTROLS, HEDGE, NONE, STRAGGLER, Arm, FanOuts, Settings
from dissonance.experiments._latency_laws import LAWS, RANDOM, harmonic, listed, max_mean, survival_hedged
from dissonance.experiments.fanout_latency import EXPERIMENT
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("fanout_latency")  # one worker makes what these tests share

SMALL = Settings(seeds=12, widths=(1, 4), panel=4, companies=6, slots=(1, 4), bounds=(2, 3), equal=4)


@pytest.fixture(scope="module")
def result() -> FanOuts:
    return EXPERIMENT.run(SMALL)


@pytest.mark.parametrize(
    ("law", "scale", "expected"),
    [
        ("exponential", 1.0, {4: 2.08333, 16: 3.38073, 100: 5.18738}),
        ("lognormal", 1.6487213, {4: 3.6406, 16: 6.8747, 100: 13.5946}),
        ("pareto", 5 / 3, {4: 2.6709, 16: 4.5483, 100: 9.4074}),
    ],
)
def test_the_mean_of_the_largest_is_that_of_order_statistics(
    law: str, scale: float, expected: dict[int, float]
) -> None:
    """Laws of scale 1, whose means are ``scale``; computed independently, by quadrature."""
    named = next(each for each in LAWS if each == law)
    assert {n: round(max_mean(named, n) * scale, 4) for n in expected} == {n: round(e, 4) for n, e in expected.items()}


def test_a_copy_that_never_starts_changes_nothing() -> None:
    assert survival_hedged("exponential", 60, 100, inf) == pytest.approx(0.18887, abs=1e-5)


def test_a_list_is_scheduled_in_its_order() -> None:
    assert listed((1, 1, 1, 1, 1, 1, 3), 3) == 5  # the worst case of three slots: 2 - 1/3 times the optimum of 3


def test_every_plan_takes_effect(result: FanOuts) -> None:
    assert (result.table["fired"] > 0).all()
    assert set(result.table["outcome"]) == {"completed"}


def test_simulated_figures_agree_with_their_closed_forms(result: FanOuts) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    figures = len(SMALL.widths) * (1 + len(RANDOM) + 1) + 4 * len(RANDOM) + 1 + len(SMALL.bounds) + len(SMALL.slots)
    assert len(result.held) == figures


def test_each_comparison_of_rates_can_fail(result: FanOuts) -> None:
    rates = [held for held in result.held if held.figure.startswith("share over the median")]
    assert all(held.low > 0 and held.high < 1 for held in rates)


def test_a_time_box_bounds_the_whole_and_names_what_is_missing(result: FanOuts) -> None:
    for control in (BOX, BOTH):
        assert result.of("control", control=control)["makespan"].max() <= SMALL.box + 1e-6
    late = result.of("control", control=BOX, law=STRAGGLER).iloc[0]
    assert (late["gaps"], late["makespan"]) == (1, SMALL.box)


def test_a_copy_of_a_slow_branch_is_as_slow(result: FanOuts) -> None:
    bare, copied = (result.of("control", control=c, law=STRAGGLER).iloc[0] for c in (NONE, HEDGE))
    assert copied["makespan"] >= bare["makespan"]
    assert copied["calls"] > bare["calls"]


def test_arms_of_one_seed_draw_the_same_latencies(result: FanOuts) -> None:
    for seed in range(SMALL.seeds):
        work = result.of("slots", seed=seed)["work"]
        assert work.max() - work.min() < 1e-6


def test_no_schedule_beats_the_bound(result: FanOuts) -> None:
    runs = result.table[~result.table["control"].isin([HEDGE, BOTH]) & (result.table["study"] != "serial")]
    ideal = runs[["slowest"]].assign(shared=runs["work"] / runs["at_once"]).max(axis=1)
    assert (runs["makespan"] >= ideal - 1e-6).all()
    assert (runs["makespan"] <= (2 - 1 / runs["at_once"]) * ideal + 1e-6).all()


def test_an_arm_gives_the_same_row_again() -> None:
    arm = Arm(study="control", law="pareto", control=HEDGE, branches=6, at_once=6, seed=3, params=SMALL, shown="x")
    assert arm() == arm()


def test_the_report_says_what_was_found(result: FanOuts, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["status"] == "pass"
    assert found["findings"][0]["sentence"].startswith(
        "A fan-out takes as long as its slowest branch: one of 4 that came 20 min"
    )
    assert sorted(path.stem for path in tmp_path.glob("figures/*")) == [
        "fanout-controls",
        "fanout-gantt",
        "fanout-speedup",
        "makespan-by-width",
    ]


def test_the_sum_of_reciprocals_is_exact() -> None:
    assert (harmonic(2), harmonic(2, 2), len(CONTROLS)) == (1.5, 1.25, 4)


def test_the_kept_run_is_that_of_the_straggler(result: FanOuts) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    run = kept.piece.played()
    assert run.seconds == result.of("late", control=NONE)["makespan"].iloc[0]
