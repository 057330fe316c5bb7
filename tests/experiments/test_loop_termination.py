"""Which control stops which loop: what must hold at any size, measured at a small one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._loops import ALL, CONTROLS, LOOPS, NONE, SELF_REPORTED, task_of
from dissonance.experiments.loop_termination import EXPERIMENT, Settings, Termination
from dissonance.reports import write_report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("loop_termination")]  # one worker makes what these tests share

SMALL = Settings(seeds=2, minutes=8, steps=8, samples=20, retries=((0.3, 3), (0.9, 20)), trees=((2, 2), (1.5, 3)))
NAMES = [loop.name for loop in LOOPS]


@pytest.fixture(scope="module")
def result() -> Termination:
    return EXPERIMENT.run(SMALL)


def ended(result: Termination, control: str) -> dict[str, bool]:
    return {name: bool(result.faulty(control, name)["stopped"].all()) for name in NAMES}


def test_every_plan_takes_effect(result: Termination) -> None:
    faulty = result.table[result.table["faulty"]]
    assert (faulty["fired"] > 0).all()
    assert (result.table.loc[~result.table["faulty"], "fired"] == 0).all()


def test_without_a_control_nothing_stops(result: Termination) -> None:
    assert ended(result, NONE) == dict.fromkeys(NAMES, False)
    assert set(result.faulty(NONE)["outcome"]) == {"stopped_by_harness"}
    assert result.faulty(NONE)["seconds"].between(8 * 60 - 60, 8 * 60 + 60).all()


def test_a_step_budget_stops_every_loop_at_exactly_its_last_step(result: Termination) -> None:
    runs = result.faulty("step budget")
    assert set(runs["stopped_by"]) == {"step_budget"}
    assert set(runs["stopped_at_step"]) == {SMALL.steps}


@pytest.mark.parametrize(("name", "calls"), [("RepeatToolCall", 1), ("PingPong", 1)])
def test_a_step_costs_what_its_pattern_says(result: Termination, name: str, calls: int) -> None:
    assert set(result.faulty("step budget", name)["calls"]) == {calls * SMALL.steps}


def test_a_budget_that_agents_report_stops_nothing(result: Termination) -> None:
    assert ended(result, SELF_REPORTED) == dict.fromkeys(NAMES, False)


def test_a_cycle_detector_does_not_see_a_paraphrase_and_progress_does(result: Termination) -> None:
    assert not ended(result, "cycle detector")["Paraphrase"]
    assert set(result.faulty("cycle detector", "RepeatToolCall")["stopped_by"]) == {"cycle_detector"}
    assert set(result.faulty("monotonic progress", "Paraphrase")["stopped_by"]) == {"monotonic_progress"}


def test_a_debate_in_other_words_fools_all_but_the_budget(result: Termination) -> None:
    """Each paraphrase is a position that nobody had before, which passes for progress."""
    stopped = {control: ended(result, control)["Paraphrase in a debate"] for control in CONTROLS}
    assert [control for control, held in stopped.items() if held] == ["step budget", ALL]


def test_all_three_stop_every_loop_no_later_than_each_alone(result: Termination) -> None:
    assert ended(result, ALL) == dict.fromkeys(NAMES, True)
    for name in NAMES:
        alone = [result.faulty(control, name)["calls"].max() for control in CONTROLS[1:4]]
        assert result.faulty(ALL, name)["calls"].max() <= min(alone)


def test_honest_work_is_never_cut(result: Termination) -> None:
    honest = result.table[~result.table["faulty"]]
    assert set(honest["outcome"]) == {"completed"}
    assert set(honest["stopped_by"]) == {""}
    assert honest["calls"].max() <= 6


def test_simulated_figures_agree_with_their_closed_forms(result: Termination) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 1 + 2 * len(SMALL.retries) + len(SMALL.trees) + 1


def test_equal_parameters_give_equal_results() -> None:
    tiny = Settings(seeds=1, minutes=1, steps=4, samples=10, retries=((0.5, 4),), trees=())
    first, second = EXPERIMENT.run(tiny), EXPERIMENT.run(tiny)
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.held == second.held
    assert first.runaways == second.runaways


def test_progress_counts_every_run_once() -> None:
    ticks: list[tuple[int, int]] = []
    tiny = Settings(seeds=1, minutes=1, steps=4, samples=10, retries=(), trees=())
    EXPERIMENT.run(tiny, lambda done, total: ticks.append((done, total)))
    total = len(LOOPS) * len(CONTROLS) * 2 + 10
    assert ticks == [(done, total) for done in range(1, total + 1)]


def test_seeds_differ_in_task_and_pace(result: Termination) -> None:
    assert task_of(0) != task_of(1)
    seconds = result.faulty("step budget", "RejectWork")["seconds"]
    assert seconds.nunique() == SMALL.seeds


def test_the_report_is_small_and_says_what_was_found(result: Termination, tmp_path: Path) -> None:
    page = write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["status"] == "pass"
    assert [
        (finding["status"], finding["sentence"].partition(" stopped")[0]) for finding in found["findings"][1:4]
    ] == [
        ("fail", "A cycle detector alone"),
        ("fail", "A progress check alone"),
        ("fail", "A budget that the agents keep themselves"),
    ]
    assert page.stat().st_size < 700_000
    assert sorted(path.name for path in tmp_path.glob("figures/*")) == [
        "loop-control-matrix.png",
        "runaway-costs.png",
    ]
    assert len(pd.read_csv(tmp_path / "tables" / "loop-arms.csv")) == len(result.table)
