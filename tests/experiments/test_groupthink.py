"""What a panel of voters is worth: what must hold at any size, measured at a small one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import report_of
from dissonance.experiments._panel import ARBITRATED, DEBATE, ONE, REFLECT, VOTE, after_a_round, majority, voted
from dissonance.experiments._thinking import Settings, Thinking
from dissonance.experiments.groupthink import EXPERIMENT
from dissonance.harness.errors import BadInput
from dissonance.reports import write_report

pytestmark = pytest.mark.xdist_group("groupthink")  # one worker makes what these tests share

SMALL = Settings(seeds=30, panels=(3,), correlations=(0.0, 1.0))


@pytest.fixture(scope="module")
def result() -> Thinking:
    return EXPERIMENT.run(SMALL)


def test_the_fault_fires_only_where_answers_shall_correlate(result: Thinking) -> None:
    fired = result.table.groupby("correlation")["fired"]
    assert fired.max()[0.0] == 0
    assert fired.min()[1.0] == 3


def test_a_wholly_correlated_panel_is_one_voter(result: Thinking) -> None:
    runs = result.arm(VOTE, 3, 1.0)
    assert runs["alike"].all()
    assert runs["right"].tolist() == result.one()["right"].tolist()
    worth = result.worth(3, 1.0)
    assert worth is not None
    assert worth.correlation == pytest.approx(1.0)
    assert worth.effective == pytest.approx(1.0)


def test_independent_voters_are_worth_more(result: Thinking) -> None:
    worth = result.worth(3, 0.0)
    assert worth is not None
    assert worth.low > 1.5


def test_all_protocols_begin_with_the_same_votes(result: Thinking) -> None:
    firsts = [result.protocol(name)["right_at_first"].tolist() for name in (VOTE, REFLECT, DEBATE, ARBITRATED)]
    assert all(first == firsts[0] for first in firsts)


def test_a_vote_costs_its_voters_and_a_debate_twice_as_much_where_they_differ(result: Thinking) -> None:
    assert set(result.protocol(ONE)["calls"]) == {1}
    assert set(result.protocol(VOTE)["calls"]) == {3}
    debated = result.protocol(DEBATE)
    assert (debated["calls"] == debated["alike"].map({True: 3, False: 6})).all()
    arbitrated = result.protocol(ARBITRATED)
    assert (arbitrated["calls"] == arbitrated["alike"].map({True: 3, False: 4})).all()


def test_minds_change_only_where_there_is_a_round(result: Thinking) -> None:
    assert result.protocol(VOTE)["to_wrong"].sum() == 0
    assert result.protocol(DEBATE)["to_wrong"].sum() > result.protocol(REFLECT)["to_wrong"].sum() > 0


def test_nobody_doubts_and_nobody_conforms_then_a_round_changes_nothing() -> None:
    assert after_a_round(0.7, 3, 0.0, 0.0, 0.0) == pytest.approx(majority(0.7, 3))
    assert after_a_round(0.7, 5, 0.6, 0.0, 0.0) == pytest.approx(voted(0.7, 5, 0.6))
    assert after_a_round(0.7, 3, 0.0, 0.0, 1.0) == pytest.approx(majority(0.7, 3))


def test_simulated_figures_agree_with_their_closed_forms(result: Thinking) -> None:
    assert [held.figure for held in result.held if not held.agrees] == []
    assert len(result.held) == 1 + 3 * 3 + 3


def test_the_kept_run_agreed_on_an_error(result: Thinking) -> None:
    (kept,) = EXPERIMENT.worst(SMALL, result)
    outcome = kept.piece.played(store=None).result
    assert (outcome.decided_by, outcome.rounds) == ("agreement", 0)


def test_an_even_panel_is_refused() -> None:
    with pytest.raises(BadInput, match="give odd numbers of voters from 3"):
        EXPERIMENT.params(panels=(4,))


def test_the_section_can_be_written(result: Thinking, tmp_path: Path) -> None:
    write_report(report_of([(EXPERIMENT, SMALL, result)]), tmp_path)
    names = {path.stem for path in tmp_path.glob("figures/*.png")}
    assert names == {"condorcet", "effective-voters", "protocols"}
    assert len(pd.read_csv(tmp_path / "tables" / "protocol-costs.csv")) == len(result.table)
