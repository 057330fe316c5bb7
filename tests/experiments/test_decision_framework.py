"""What each pattern gains and costs, and which layer of the composite holds what, at a small size."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._composite import ANY, FAULTS, LAYERS
from dissonance.experiments._framework import Framework
from dissonance.experiments._trials import ALONE, TRIALS, WITH, WITHOUT
from dissonance.experiments.decision_framework import EXPERIMENT, Settings
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("decision_framework")  # one worker makes what these tests share

SMALL = Settings(seeds=4)


@pytest.fixture(scope="module")
def result() -> Framework:
    return EXPERIMENT.run(SMALL)


def outcomes(result: Framework, fault: str) -> dict[str, str]:
    runs = result.composites[result.composites["fault"] == fault]
    return dict(zip(runs["without"], runs["outcome"], strict=True))


def test_after_a_crash_a_stored_chain_repeats_one_stage_and_another_all_so_far(result: Framework) -> None:
    assert result.arm("chain", WITH)["figure"].tolist() == [1, 1, 1, 1]
    assert result.arm("chain", WITHOUT)["figure"].tolist() == [1, 2, 3, 4]


def test_a_fan_out_takes_its_slowest_branch_and_not_the_sum(result: Framework) -> None:
    assert (
        result.arm("fan_out", WITH)["figure"].to_numpy() < result.arm("fan_out", WITHOUT)["figure"].to_numpy()
    ).all()
    assert set(result.arm("fan_out", WITH)["calls"]) == {9}


def test_a_hierarchy_shortens_the_prompts_at_the_top_for_more_calls(result: Framework) -> None:
    flat, tall = (result.arm("delegate", arm) for arm in (WITHOUT, WITH))
    assert (tall["figure"].to_numpy() < flat["figure"].to_numpy()).all()
    assert (tall["calls"].to_numpy() > flat["calls"].to_numpy()).all()


def test_signals_and_humans_let_less_that_is_wrong_through(result: Framework) -> None:
    for pattern in ("supervise", "human_gate"):
        gains = result.arm(pattern, WITH)["figure"].to_numpy() - result.arm(pattern, WITHOUT)["figure"].to_numpy()
        assert (gains <= 0).all()
    assert result.gain("human_gate").estimate < 0


def test_one_agent_costs_one_call_for_each_thing_it_is_asked(result: Framework) -> None:
    alone = {pattern: set(result.arm(pattern, ALONE)["calls"]) for pattern in TRIALS}
    assert alone == {pattern: {5} if pattern == "human_gate" else {1} for pattern in TRIALS}


def test_the_whole_composite_holds_under_every_fault_and_every_fault_strikes(result: Framework) -> None:
    whole = result.composites[result.composites["without"] == ""]
    assert whole["held"].all()
    assert whole["struck"].all()
    assert len(whole) == len(FAULTS)


def test_signals_and_human_hold_a_large_wrong_sum_each_by_itself(result: Framework) -> None:
    told = outcomes(result, "large sum wrong")
    assert (told[""], told["signals"], told["human"], told[ANY]) == (
        "all paid",
        "nothing paid",
        "all paid",
        "wrong sum paid",
    )


def test_only_signals_put_right_what_a_human_can_only_refuse(result: Framework) -> None:
    told = outcomes(result, "small sum wrong")
    assert told == {"": "all paid", "signals": "nothing paid", ANY: "wrong sum paid"} | dict.fromkeys(
        ("time box", "panel", "human"), "all paid"
    )


def test_without_a_time_box_a_slow_branch_holds_everything_up(result: Framework) -> None:
    slow = result.composites[result.composites["fault"] == "slow branch"].set_index("without")["seconds"]
    assert slow["time box"] > 1200 > slow[""]


def test_the_kept_run_is_one_that_broke(result: Framework) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    assert kept.title.startswith("The composite without ")
    assert "wrong" in kept.title or "gap" in kept.title


def test_the_section_can_be_written(result: Framework, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    assert {path.stem for path in tmp_path.glob("figures/*.png")} == {"composite-layers", "pattern-costs"}
    assert len(pd.read_csv(tmp_path / "tables" / "composites.csv")) == len(FAULTS) * (len(LAYERS) + 2)
    assert len(pd.read_csv(tmp_path / "tables" / "framework.csv")) == len(result.table)
