"""What is lost when a state outgrows its window: what must hold at any size, measured at a small one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dissonance.experiments import report_of
from dissonance.experiments._overflowing import LEDGER, NONE, POLICIES, SHAPES, Arm, Settings, Truncation, sizes
from dissonance.experiments.truncation import EXPERIMENT
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("truncation")  # one worker makes what these tests share

WINDOW = 12_000
SMALL = Settings(seeds=1, windows=(WINDOW,), shares=(0.5, 1.5), tokens=(), ledger=0)
SILENT = {"drop_oldest", "keep_half", "keep_tail", "summarise", "clear_tool_results"}


@pytest.fixture(scope="module")
def result() -> Truncation:
    return EXPERIMENT.run(SMALL)


def test_each_policy_takes_effect_on_the_shape_that_it_is_for(result: Truncation) -> None:
    over = result.of(tokens=18_000, shape="tool results").set_index("policy")
    assert {policy: bool(over.loc[policy, "fired"]) for policy in POLICIES} == dict.fromkeys(POLICIES, True)


def test_the_silent_policies_answer_and_the_others_do_not(result: Truncation) -> None:
    over = result.of(tokens=18_000, shape="tool results")
    assert set(over[over["answered"]]["policy"]) == SILENT
    assert (over[over["answered"]]["kept"] < 1).all()


def test_what_fits_is_kept_whole(result: Truncation) -> None:
    fits = result.of(tokens=6_000)
    answered = fits[fits["answered"]]
    assert set(answered["kept"]) == {1.0}
    assert set(fits[~fits["answered"]]["policy"]) == {"message_window"}  # it counts messages, whatever their size


def test_a_result_that_is_cleared_takes_no_instruction_with_it(result: Truncation) -> None:
    run = result.of(tokens=18_000, shape="tool results", policy="clear_tool_results").iloc[0]
    assert (run["instruction"], run["fact"], run["tool_result"]) == ("+" * 10, "+" * 10, "-" * 7 + "+" * 3)


def test_cutting_at_the_front_keeps_the_end_of_one_message(result: Truncation) -> None:
    for policy in ("keep_half", "keep_tail"):
        marks = result.of(tokens=18_000, shape="one message", policy=policy).iloc[0]["fact"]
        assert marks == "".join(sorted(marks, reverse=True))  # "-" sorts after "+": what is lost comes first
        assert 0 < marks.count("+") < 10


def test_the_check_finds_every_silent_loss_and_nothing_else(result: Truncation) -> None:
    lost = result.table["answered"] & (result.table["kept"] < 1)
    assert set(result.table[lost]["check"]) == {"fail"}
    assert "fail" not in set(result.table[~lost]["check"])


def test_simulated_figures_agree_with_their_laws(result: Truncation) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 5


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_ledger_pins_reaches_the_model(shape: str) -> None:
    named = next(each for each in SHAPES if each == shape)
    bare, guarded = (
        Arm(shape=named, window=32_768, tokens=44_000, policy="keep_half", control=c, seed=0, params=Settings())()
        for c in (NONE, LEDGER)
    )
    assert (bare["instruction"][0], bare["system"], bare["check"]) == ("-", False, "fail")
    assert (guarded["instruction"][0], guarded["fact"][0], guarded["system"]) == ("+", "+", True)
    assert guarded["fired"] == 0


def test_sizes_are_shares_of_the_window_and_absolute_ones() -> None:
    assert sizes(Settings(shares=(0.5, 2.0)), 200_000) == (100_000, 200_000, 400_000)
    assert sizes(Settings(shares=(0.5,), most=4), 32_768) == (16_384, 100_000)


def test_the_report_says_what_was_found(result: Truncation, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert [finding["status"] for finding in found["findings"]] == ["fail", "unknown", "pass", "pass"]
    assert sorted(path.stem for path in tmp_path.glob("figures/*")) == [
        "truncation-by-depth",
        "truncation-by-size",
        "truncation-detectors",
    ]


def test_the_kept_run_lost_most_in_silence(result: Truncation) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    silent = result.table[result.table["answered"]]
    assert isinstance(kept.piece, Arm)
    assert kept.piece()["kept"] == silent["kept"].min()
