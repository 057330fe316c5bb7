"""What layers cost and lose: what must hold at any size, measured at a small one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dissonance.experiments import report_of
from dissonance.experiments._layers import Arm, Hierarchies, Settings, depth_of
from dissonance.experiments.hierarchy_overhead import EXPERIMENT
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("hierarchy_overhead")  # one worker makes what these tests share

SMALL = Settings(seeds=6, shapes=((8, 2), (16, 16), (16, 4)), at_once=4)


@pytest.fixture(scope="module")
def result() -> Hierarchies:
    return EXPERIMENT.run(SMALL)


def test_each_call_is_slow(result: Hierarchies) -> None:
    assert (result.table["fired"] == result.table["calls"]).all()
    assert set(result.table["outcome"]) == {"completed"}


def test_simulated_figures_agree_with_their_closed_forms(result: Hierarchies) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 5 * len(SMALL.shapes)


def test_a_wide_lead_waits_for_its_own_bound_and_two_layers_do_not(result: Hierarchies) -> None:
    wide, deep, free = (
        result.of((16, 16))["seconds"][0],
        result.of((16, 4))["seconds"][0],
        result.of((16, 16), bounded=False)["seconds"][0],
    )
    assert (wide, deep, free) == (130.0, 50.0, 40.0)


def test_a_layer_makes_the_prompt_at_the_top_shorter_and_the_whole_dearer(result: Hierarchies) -> None:
    wide, deep = result.of((16, 16)), result.of((16, 4))
    assert deep["top"].max() < wide["top"].min()
    assert deep["overhead"].min() > wide["overhead"].max()


def test_without_checks_a_loss_is_silent_and_with_them_it_is_not(result: Hierarchies) -> None:
    missing = result.table[result.table["found"] < result.table["workers"]]
    assert set(missing[~missing["checked"]]["finished"]) == {True}
    assert not missing[missing["checked"]]["finished"].any()


def test_workers_that_fill_no_tree_are_told() -> None:
    with pytest.raises(ValueError, match=r"shapes=\(10, 4\): give workers that are a power"):
        depth_of((10, 4))


def test_an_arm_gives_the_same_row_again() -> None:
    arm = Arm(shape=(8, 2), checked=True, bounded=True, seed=1, params=SMALL)
    assert arm() == arm()


def test_the_report_says_what_was_found(result: Hierarchies, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["status"] == "pass"
    assert [finding["status"] for finding in found["findings"]] == ["fail", "fail", "fail", "pass", "pass"]
    assert sorted(path.stem for path in tmp_path.glob("figures/*")) == ["hierarchy-by-layer", "hierarchy-fidelity"]


def test_the_kept_run_is_that_of_the_deepest_tree(result: Hierarchies) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    assert kept.piece.played().calls == result.of((8, 2))["calls"][0]
