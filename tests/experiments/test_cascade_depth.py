"""How far a planted falsehood goes: what must hold at any size, measured at a small one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._cascade import Cascades, Settings
from dissonance.experiments._cascades import CONTROLS, NONE, PATTERNS, claim_of
from dissonance.experiments._spread import taint
from dissonance.experiments.cascade_depth import EXPERIMENT
from dissonance.harness.checks.cascade import cascade
from dissonance.reports import write_report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cascade_depth")]  # one worker makes what these tests share

SMALL = Settings(seeds=1, alone=0.0, samples=10, lines=((0.3, 0.2),), planted=(0.0, 0.5), hops=2, elaborations=(2,))
NAMED = {"citations": "citation_gate", "cross-check": "cross_check"}


@pytest.fixture(scope="module")
def result() -> Cascades:
    return EXPERIMENT.run(SMALL)


def test_every_claim_is_planted_unless_the_workflow_was_stopped_before(result: Cascades) -> None:
    table = result.table
    assert (table["planted"] == (table["fired"] > 0)).all()
    assert set(table[~table["planted"]]["control"]) == {"quarantine"}


def test_without_a_control_a_claim_goes_to_the_end_true_or_false(result: Cascades) -> None:
    for twin in ("false", "true"):
        runs = result.arm(NONE, twin)
        assert runs[runs["pattern"] != "debate"]["delivered"].all()


def test_in_a_chain_it_goes_as_deep_as_there_are_agents_left(result: Cascades) -> None:
    runs = result.arm(NONE, "false", "chain").sort_values("hop")
    assert runs["depth"].tolist() == [3, 2, 1, 0]
    assert runs["infected"].tolist() == [4, 3, 2, 1]


@pytest.mark.parametrize("control", NAMED)
def test_what_is_held_against_the_register_is_caught_and_not_lost(result: Cascades, control: str) -> None:
    assert not result.arm(control, "false")["delivered"].any()
    assert result.arm(control, "true")["delivered"].all()
    assert (result.arm(control, "false", "chain")["stopped_by"] == NAMED[control]).all()


def test_a_checker_that_recognises_nothing_stops_nothing(result: Cascades) -> None:
    runs = result.arm("fresh context", "false")
    assert runs["delivered"].all()
    assert (runs["calls"] > 1).all()


def test_a_quarantine_without_a_verifier_loses_what_is_true_as_well(result: Cascades) -> None:
    for twin in ("false", "true"):
        assert not result.arm("quarantine", twin)["delivered"].any()


def test_a_consensus_outvotes_one_voice_and_not_a_reducer(result: Cascades) -> None:
    runs = result.arm("consensus", "false").set_index(["pattern", "agent"])["delivered"]
    assert not runs["chain"].any()
    assert not runs[("fan_out", "researcher")]
    assert runs[("fan_out", "editor")]


def test_simulated_figures_agree_with_their_closed_forms(result: Cascades) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert {held.formula for held in result.held} == {
        "(1 - c)^n",
        "(1 + k)^d",
        "e / (e + c) (1 - (1 - e - c)^n)",
        "sum of (b p)^i",
    }


def test_without_correction_nothing_of_what_was_planted_is_lost(result: Cascades) -> None:
    assert all(all(holds) for holds in result.taints[0.0, 0.0, True])
    assert taint(7, 0.0, 0.0, 1.0) == 1.0


def test_a_claim_cites_the_register_in_both_forms() -> None:
    claim = claim_of(3)
    assert claim.true != claim.false
    assert claim.true.endswith("[register].")
    assert claim.false.endswith("[register].")


def test_the_kept_run_fails_the_check_of_cascades(result: Cascades) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    assert cascade(depth=1)(kept.piece.played(store=None)).status == "fail"


def test_the_section_can_be_written(result: Cascades, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    names = {path.stem for path in tmp_path.glob("figures/*.png")}
    assert names == {"cascade-matrix", "delivered-by-control", "elaboration", "taint-by-hop"}
    table = pd.read_csv(tmp_path / "tables" / "cascades.csv")
    assert len(table) == len(result.table) == 2 * (9 * len(CONTROLS) + 1)
    assert set(table["pattern"]) == set(PATTERNS)
