"""Which wrong actions never reach a human: what must hold at any size, measured at a small one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._desk import CALIBRATED, CERTAIN, LARGE, SURE, VISIBLE, asked, case_of, is_wrong, missed
from dissonance.experiments._escalation import Escalation, Settings
from dissonance.experiments.silent_escalation import EXPERIMENT
from dissonance.harness.checks.escalates import escalates
from dissonance.harness.errors import BadInput
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("silent_escalation")  # one worker makes what these tests share

SMALL = Settings(seeds=1, batch=30, thresholds=(0.7,))


@pytest.fixture(scope="module")
def result() -> Escalation:
    return EXPERIMENT.run(SMALL)


def test_an_agent_that_is_certain_asks_nobody(result: Escalation) -> None:
    cases = result.arm(CERTAIN, SMALL.chief, False)
    assert set(cases["confidence"]) == {0.97}
    assert (cases["fired"] == SMALL.batch).all()
    assert not cases["asked"].any()
    assert (cases["silent"] == cases["wrong"]).all()
    assert cases["wrong"].any()


def test_signals_see_what_shows_and_nothing_else(result: Escalation) -> None:
    cases = result.arm(CERTAIN, SMALL.chief, True)
    assert set(cases[cases["asked"]]["kind"]) <= {"amount", "note", "large"}
    assert cases[cases["kind"].isin(["amount", "note"])]["asked"].all()
    assert cases[cases["kind"] == "payee"]["silent"].all()


def test_whoever_is_asked_stops_what_is_wrong(result: Escalation) -> None:
    asked_about = result.table[result.table["asked"]]
    assert (asked_about["done"] == ~asked_about["wrong"]).all()
    assert not asked_about["silent"].any()


def test_below_the_threshold_a_human_is_asked_and_above_it_none(result: Escalation) -> None:
    cases = result.table[~result.table["signals"]]
    assert (cases["asked"] == (cases["confidence"] < cases["threshold"])).all()


def test_a_calibrated_agent_misses_less_than_one_that_is_too_sure() -> None:
    for threshold in (0.7, 0.85, 0.9):
        assert missed(CALIBRATED, threshold, False) < missed(SURE, threshold, False)
        assert asked(CALIBRATED, threshold, False) > asked(SURE, threshold, False)


def test_the_cases_are_as_likely_as_the_closed_forms_say() -> None:
    cases = [case_of(number) for number in range(4000)]
    wrong = [case for case in cases if is_wrong(case.proposed)]
    right = [case for case in cases if not is_wrong(case.proposed)]
    for hits, n, p in (
        (len(wrong), len(cases), 0.5),
        (sum(case.kind != "payee" for case in wrong), len(wrong), VISIBLE),
        (sum(case.kind == "large" for case in right), len(right), LARGE),
    ):
        assert abs(hits / n - p) < 3.29 * (p * (1 - p) / n) ** 0.5


def test_simulated_figures_agree_with_their_closed_forms(result: Escalation) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 2 * len(SMALL.arms()) + 1


def test_the_kept_run_fails_the_check_of_escalations(result: Escalation) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    verdict = escalates(recall=0.5, actions=is_wrong)(kept.piece.played(store=None))
    assert verdict.status == "fail"
    assert verdict.reason.startswith("0 of ") or "0 %" in verdict.reason


def test_a_threshold_that_is_no_confidence_is_refused() -> None:
    with pytest.raises(BadInput, match="give confidences between 0 and 1"):
        EXPERIMENT.params(thresholds=(0.7, 1.5))


def test_the_section_can_be_written(result: Escalation, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    names = {path.stem for path in tmp_path.glob("figures/*.png")}
    assert names == {"asked", "reliability", "wrong-and-unasked"}
    assert len(pd.read_csv(tmp_path / "tables" / "escalations.csv")) == len(result.table)
