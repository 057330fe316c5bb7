"""How a chain's context grows: what must hold at any size, measured at a small one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dissonance.experiments import report_of
from dissonance.experiments._growing import ARMS, FULL, LEDGER, PROJECTION, Arm, Growing, Settings
from dissonance.experiments.context_growth import EXPERIMENT
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("context_growth")  # one worker makes what these tests share

SMALL = Settings(seeds=4, task=400, said=2_500, stages=16, uneven=6, much=2_000)


@pytest.fixture(scope="module")
def result() -> Growing:
    return EXPERIMENT.run(SMALL)


def test_every_plan_takes_effect(result: Growing) -> None:
    """The task grows once, and so does each reply."""
    assert (result.table["fired"] >= result.table["done"] + 1).all()
    assert set(result.table["outcome"]) == {"completed"}


def test_a_chain_that_passes_on_all_is_refused_and_the_others_are_not(result: Growing) -> None:
    done = {arm: (int(run["done"]), str(run["failed"])) for arm in ARMS for run in [result.of("long", arm).iloc[0]]}
    assert done == {FULL: (13, "stage14"), LEDGER: (16, ""), PROJECTION: (16, "")}


def test_what_a_ledger_pins_is_in_the_last_request_and_no_request_is_over_its_limit(result: Growing) -> None:
    run = result.of("long", LEDGER).iloc[0]
    assert run["fact"]
    assert run["largest"] <= 0.8 * SMALL.window
    assert run["calls"] > run["done"]


def test_projection_keeps_requests_at_one_size(result: Growing) -> None:
    lean = result.carried["long", PROJECTION]
    assert set(lean[2:]) == {lean[2]}
    assert result.of("long", PROJECTION).iloc[0]["fact"]


def test_stages_of_one_seed_have_one_size_under_each_arm() -> None:
    arms = [Arm(study="uneven", name=arm, seed=3, params=SMALL) for arm in (FULL, PROJECTION)]
    assert [arms[0].said(stage) for stage in range(6)] == [arms[1].said(stage) for stage in range(6)]
    assert len({arms[0].said(stage) for stage in range(6)}) == 6


def test_simulated_figures_agree_with_their_closed_forms(result: Growing) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert [held.n for held in result.held] == [14, 1, SMALL.seeds, 3, 13]


def test_a_sum_that_is_off_by_two_tokens_a_stage_is_not_held(result: Growing) -> None:
    law = result.held[0]
    assert not replace(law, simulated=law.expected + 2 * law.n).agrees


def test_the_report_says_what_was_found(result: Growing, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["status"] == "pass"
    assert [finding["status"] for finding in found["findings"]] == ["fail", "fail", "pass", "pass", "pass"]
    assert sorted(path.stem for path in tmp_path.glob("figures/*")) == ["context-by-stage", "context-of-three"]


def test_the_kept_run_shows_the_compactor_at_work(result: Growing) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    assert "compactor" in {call.agent for call in kept.piece.played().history.calls()}
