"""What a judging model lets through: what must hold at any size, measured at a small one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._acceptance import Acceptance, Settings
from dissonance.experiments._judges import BOTH, GATES, JUDGE_ALONE, NO_GATE, SIGNALS, STACK
from dissonance.experiments.false_acceptance import EXPERIMENT
from dissonance.faults.facts import facts
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("false_acceptance")  # one worker makes what these tests share

SMALL = Settings(seeds=24, others=(0.5,), coverage=1.0)


@pytest.fixture(scope="module")
def result() -> Acceptance:
    return EXPERIMENT.run(SMALL)


def test_every_attempt_has_a_planted_claim(result: Acceptance) -> None:
    assert (result.table["fired"] == result.table["attempts"]).all()


def test_all_gates_see_the_same_first_attempts(result: Acceptance) -> None:
    firsts = [result.arm(gate)["first_right"].tolist() for gate in GATES]
    assert all(first == firsts[0] for first in firsts)
    assert 0 < sum(firsts[0]) < SMALL.seeds


def test_without_a_gate_what_is_wrong_is_delivered(result: Acceptance) -> None:
    runs = result.arm(NO_GATE)
    assert (runs["wrong"] == ~runs["first_right"]).all()
    assert runs["delivered"].all()


def test_signals_that_know_all_claims_let_nothing_wrong_through(result: Acceptance) -> None:
    for gate in (SIGNALS, BOTH):
        assert not result.arm(gate)["wrong"].any()
    assert result.arm(JUDGE_ALONE)["wrong"].any()


def test_a_judge_is_not_asked_about_what_signals_reject(result: Acceptance) -> None:
    assert result.arm(BOTH)["judged_wrong"].sum() == 0
    assert result.arm(BOTH)["judged_right"].sum() > 0


def test_a_judge_of_a_stack_sees_what_the_one_before_it_accepted(result: Acceptance) -> None:
    runs = result.arm(STACK)
    assert (runs["calls"] >= 2 * runs["attempts"]).all()
    assert (runs["calls"] <= 4 * runs["attempts"]).all()


def test_signals_without_knowledge_are_no_gate() -> None:
    blind = EXPERIMENT.run(Settings(seeds=8, others=(), coverage=0.0))
    assert blind.arm(SIGNALS)["wrong"].tolist() == blind.arm(NO_GATE)["wrong"].tolist()


def test_informed_retries_are_fewer(result: Acceptance) -> None:
    blind, told = (result.retried(informed)["attempts"] for informed in (False, True))
    assert told.mean() < blind.mean()
    assert blind.tolist()[0] >= 1


def test_simulated_figures_agree_with_their_closed_forms(result: Acceptance) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 13


def test_the_measured_judge_removes_a_sixth_of_the_error(result: Acceptance) -> None:
    assert round(result.accepts(JUDGE_ALONE, 0.7), 4) == 0.897
    assert round(result.posterior(JUDGE_ALONE, 0.7), 4) == 0.2508


def test_the_kept_run_is_one_in_which_wrong_work_was_delivered(result: Acceptance) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    made = kept.piece.played(store=None)
    assert made.result.accepted_by == "judge1"
    assert any(claim.false in made.result.output for claim in facts())


def test_few_runs_are_called_too_few() -> None:
    few = EXPERIMENT.run(Settings(seeds=3, others=()))
    assert {finding.status for finding in EXPERIMENT.findings(few)[1:3]} == {"unknown"}


def test_the_section_can_be_written(result: Acceptance, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    names = {path.stem for path in tmp_path.glob("figures/*.png")}
    assert names == {"informed-retries", "wrong-by-gate", "wrong-by-prior"}
    assert len(pd.read_csv(tmp_path / "tables" / "gates.csv")) == len(result.table)
