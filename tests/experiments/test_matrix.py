"""The matrix without a framework: this project's own patterns, and the SDK's tool runner."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dissonance.experiments import again, experiments, report_of, run_experiments
from dissonance.experiments._bounds import Tripped
from dissonance.experiments._cells import DEFAULTS, GUARDED, SETTINGS, Cell, _line, task_of
from dissonance.experiments._families import FAMILIES
from dissonance.experiments._matrix import Matrix, Settings
from dissonance.experiments._matrix_advice import what_to_set
from dissonance.experiments._ported import PATTERNS, RUNTIMES, TASK
from dissonance.experiments.matrix import EXPERIMENT
from dissonance.harness.same import difference
from dissonance.reports import Grid, write_report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("matrix")]  # one worker makes what these tests share

CORE = Settings(seeds=1, runtimes=("plain", "claude_tools"))


@pytest.fixture(scope="module")
def result() -> Matrix:
    return EXPERIMENT.run(CORE)


def cell(result: Matrix, pattern: str, runtime: str, family: str, settings: str) -> dict[str, object]:
    table = result.cells
    for column, value in zip(
        ("pattern", "runtime", "family", "settings"), (pattern, runtime, family, settings), strict=True
    ):
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_no_cell_is_missing(result: Matrix) -> None:
    keys = result.cells[["pattern", "runtime", "family", "settings"]].itertuples(index=False, name=None)
    wanted = [(p, r, f, s) for p in PATTERNS for r in CORE.runtimes for f in FAMILIES for s in SETTINGS]
    assert sorted(keys) == sorted(wanted)
    assert result.missing == {}


def test_a_cell_whose_fault_reached_nobody_is_unknown(result: Matrix) -> None:
    """And only such a cell: every other one was struck, and is judged."""
    unreached = result.cells["reached"] == 0
    assert unreached.any() and not unreached.all()
    assert set(result.cells[unreached]["status"]) == {"unknown"}
    assert set(result.cells[~unreached]["status"]) == {"pass", "fail"}


def test_every_family_reaches_some_cell(result: Matrix) -> None:
    assert set(result.reached(DEFAULTS)["family"]) == set(FAMILIES) == set(result.reached(GUARDED)["family"])


@pytest.mark.parametrize(
    ("pattern", "runtime", "family"),
    [
        ("supervise", "plain", "loops"),
        ("supervise", "claude_tools", "loops"),
        ("debate", "claude_tools", "loops"),
        ("chain", "claude_tools", "transport"),
        ("fan_out", "claude_tools", "transport"),
        ("chain", "plain", "latency"),
        ("chain", "claude_tools", "latency"),
        ("human_gate", "plain", "human"),
        ("human_gate", "claude_tools", "human"),
        ("chain", "plain", "process"),
        ("human_gate", "plain", "process"),
    ],
)
def test_guards_hold_what_breaks_without_them(result: Matrix, pattern: str, runtime: str, family: str) -> None:
    found = [cell(result, pattern, runtime, family, settings)["status"] for settings in SETTINGS]
    assert found == ["fail", "pass"]


def test_a_bound_on_each_of_nested_runners_is_none_on_the_whole(result: Matrix) -> None:
    nested = cell(result, "delegate", "claude_tools", "loops", GUARDED)
    assert (nested["status"], nested["stopped_by"], nested["calls"]) == ("fail", "harness: calls", 60)


def test_the_reference_lets_no_damaged_reply_through(result: Matrix) -> None:
    """This project's agents raise where the SDK's runner takes half an answer."""
    cut = result.cells[(result.cells["family"] == "transport") & (result.cells["reached"] > 0)]
    silent = cut.groupby(["runtime", "settings"])["silent"].any()
    assert silent.to_dict() == {
        ("plain", DEFAULTS): False,
        ("plain", GUARDED): False,
        ("claude_tools", DEFAULTS): True,
        ("claude_tools", GUARDED): False,
    }


def test_a_crash_after_the_action_does_it_twice_where_nothing_is_kept(result: Matrix) -> None:
    acted = {settings: cell(result, "human_gate", "plain", "process", settings)["silent"] for settings in SETTINGS}
    assert acted == {DEFAULTS: True, GUARDED: False}


def test_nothing_went_beyond_the_bound_and_all_replays(result: Matrix) -> None:
    assert result.table["calls"].max() == CORE.calls
    assert set(result.table["tier"]) <= {"T1", "T2"}


def test_equal_parameters_give_equal_tables(result: Matrix) -> None:
    small = CORE.model_copy(update={"patterns": ("chain",), "runtimes": ("plain",)})
    first, second = (EXPERIMENT.run(small) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)


def test_a_framework_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dissonance.experiments import _ported

    monkeypatch.setattr(_ported, "find_spec", lambda name: None)
    params = Settings(seeds=1, patterns=("chain",), families=("latency",), runtimes=("plain", "crewai"))
    result = EXPERIMENT.run(params)
    line = "pip install 'dissonance[crewai]'"
    assert result.missing == {"crewai": line}
    assert result.runtimes == ["plain"]
    assert len(EXPERIMENT.pieces(params)) == 4 + 2
    section = EXPERIMENT.section(result)
    assert section.verdict is not None
    assert section.verdict.status == "unknown"
    assert f"Not installed, and not played: CrewAI ({line})." in section.verdict.sentence
    (grid,) = [block for block in section.blocks if isinstance(block, Grid)]
    assert grid.absent == {"CrewAI": line}
    html = write_report(report_of([(EXPERIMENT, params, result)]), tmp_path).read_text(encoding="utf-8")
    assert "not played: <code>pip install &#39;dissonance[crewai]&#39;</code>" in html


def test_a_cell_that_broke_is_kept_and_makes_the_same_run_again(tmp_path: Path) -> None:
    params = {"patterns": ["chain"], "runtimes": ["plain"], "families": ["latency"], "seeds": 1}
    page = run_experiments([EXPERIMENT], out=tmp_path, size="quick", changes={"matrix": params})
    folder = tmp_path / "runs" / "matrix-chain-plain-latency-defaults"
    kept, made = again(folder)
    assert difference(kept.history, made.history) is None
    assert 'href="runs/matrix-chain-plain-latency-defaults/run.json"' in page.read_text(encoding="utf-8")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [folder.name]


def test_the_bounds_of_the_sdk_are_read() -> None:
    found = {bound.setting: bound.value for bound in Tripped("claude_tools")()}
    assert found == {"tool_runner.max_iterations": None, "max_retries": 2, "timeout (s)": 600.0}


def test_every_cell_says_what_to_set() -> None:
    assert all(what_to_set(runtime, family) for runtime in RUNTIMES for family in FAMILIES)


def test_it_is_run_only_when_asked_for() -> None:
    assert "matrix" not in [one.name for one in experiments(asked=False)]
    assert "matrix" in [one.name for one in experiments()]


def test_each_seed_has_figures_of_its_own() -> None:
    assert task_of(0) == TASK
    assert len({task_of(seed) for seed in range(10)}) == 10


def test_names_of_cells_differ() -> None:
    names = [piece.name for piece in EXPERIMENT.pieces(Settings(seeds=2)) if isinstance(piece, Cell)]
    assert len(set(names)) == len(names) == 2 * 540


def test_no_row_names_a_file_of_this_machine() -> None:
    """AutoGen's errors hold a traceback."""
    assert _line("RuntimeError: no\nTraceback: Traceback (most recent call last): File /x.py") == "RuntimeError: no"
