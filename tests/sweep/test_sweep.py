"""A sweep's table, and what is in the way of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from swept import GRID, REVIEWS, Mortal, Wedged, measure, review_trial

from dissonance.harness import BadInput, load_run
from dissonance.harness.sweep import Case, Engine, Progress, sweep


def _swept(folder: Path, **how: Any) -> bytes:
    return sweep(measure, GRID, seeds=7, folder=folder, **how).path.read_bytes()


def test_each_case_has_its_row_in_its_order(tmp_path: Path) -> None:
    swept = sweep(measure, GRID, seeds=2, folder=tmp_path)
    table = swept.table()
    expected = [
        {"size": size, "name": name, "seed": seed}
        for size in (1.0, 2.5)
        for name in ("a", "b", None)
        for seed in (0, 1)
    ]
    assert list(table.columns) == ["case", "size", "name", "seed", "drawn", "verdict", "odd"]
    shown = table[["size", "name", "seed"]].astype(object)
    assert shown.where(shown.notna(), None).to_dict("records") == expected
    for case, row in enumerate(table.to_dict("records")):
        size, name = [(s, n) for s in GRID["size"] for n in GRID["name"]][case // 2]
        assert measure(Case(case, {"size": size, "name": name}, case % 2))["drawn"] == row["drawn"]
    assert swept.verdicts == table["verdict"].value_counts().sort_index().to_dict()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 3])
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, jobs: int) -> None:
    assert _swept(tmp_path / "many", jobs=jobs) == _swept(tmp_path / "one")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_any_engine_gives_the_same_bytes(tmp_path: Path, engine: str, module: str) -> None:
    pytest.importorskip(module)
    assert _swept(tmp_path / "many", engine=engine, jobs=2) == _swept(tmp_path / "one")


def test_an_interrupted_sweep_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _swept(tmp_path / "cut", progress=interrupt)
    done: list[int] = []
    swept = sweep(measure, GRID, seeds=7, folder=tmp_path / "cut", progress=lambda progress: done.append(progress.done))
    assert (swept.runs, swept.played, done) == (42, 32, list(range(10, 43)))
    assert swept.path.read_bytes() == _swept(tmp_path / "whole")


@pytest.mark.slow
def test_what_a_dead_worker_was_at_is_played_again(tmp_path: Path) -> None:
    trial = Mortal(5, tmp_path / "grave")
    swept = sweep(trial, GRID, seeds=7, folder=tmp_path / "died", jobs=2)
    assert (tmp_path / "grave").exists()
    assert swept.path.read_bytes() == _swept(tmp_path / "whole")


@pytest.mark.slow
def test_a_case_that_always_kills_its_worker_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a worker died 3 times without giving a single result"):
        sweep(Mortal(41), GRID, seeds=7, folder=tmp_path, jobs=2)
    swept = sweep(measure, GRID, seeds=6, folder=tmp_path / "other")
    assert swept.runs == 36


@pytest.mark.slow
@pytest.mark.parametrize("locked", [False, True], ids=["blocks in C", "holds the interpreter"])
def test_a_case_that_does_not_come_back_costs_its_worker_and_the_sweep_goes_on(tmp_path: Path, locked: bool) -> None:
    swept = sweep(Wedged((3, 41), locked), GRID, seeds=7, folder=tmp_path, jobs=2, patience=1.0)
    rows = swept.table().to_dict("records")
    whole = sweep(measure, GRID, seeds=7, folder=tmp_path / "whole").table().to_dict("records")
    others = [number for number in range(42) if number not in (3, 41)]
    assert [rows[number]["drawn"] for number in others] == [whole[number]["drawn"] for number in others]
    reason = "it did not come back within 1 s of real time, and its worker was killed; stuck/case-000003.txt says where it was"
    assert [rows[3][name] for name in ("outcome", "verdict", "reason")] == ["killed", "fail", reason]
    assert rows[41]["outcome"] == "killed"
    for number in (3, 41):
        assert "in __call__" in (tmp_path / "stuck" / f"case-{number:06d}.txt").read_text()
    assert list((tmp_path / "stuck").glob("*.stacks")) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_the_sweep_goes_on_in_any_engine(tmp_path: Path, engine: Engine, module: str) -> None:
    pytest.importorskip(module)
    swept = sweep(Wedged((3,), False), GRID, seeds=1, folder=tmp_path, engine=engine, jobs=2, patience=1.0)
    assert swept.table()["outcome"].tolist().count("killed") == 1
    assert swept.runs == 6


@pytest.mark.slow
def test_a_trial_of_a_workflow_counts_verdicts_and_keeps_what_failed(tmp_path: Path) -> None:
    swept = sweep(review_trial(tmp_path / "runs"), REVIEWS, seeds=1, folder=tmp_path / "sweep")
    table = swept.table()
    assert table[["arm", "rounds", "calls", "fired", "verdict", "terminates"]].to_dict("split")["data"] == [
        ["none", 2, 1, 0, "pass", "pass"],
        ["none", 4, 1, 0, "pass", "pass"],
        ["judge", 2, 2, 2, "pass", "pass"],
        ["judge", 4, 4, 4, "fail", "fail"],
    ]
    (kept,) = (tmp_path / "runs" / "case-000003").glob("*-reviewed")
    assert (load_run(kept).calls, load_run(kept).seed) == (4, 0)
    assert swept.verdicts == {"fail": 1, "pass": 3}


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"grid": {"n": []}}, r"grid\['n'\]=\[\]: give a list of values, with one at least"),
        ({"grid": {"n": "ab"}}, r"grid\['n'\]='ab': give a list of values"),
        ({"grid": {"n": [1, 1]}}, "a value stands there twice"),
        ({"grid": {"n": [float("nan")]}}, "nan is no value for a table"),
        ({"grid": {"seed": [1]}}, "'seed' cannot name a parameter"),
        ({"seeds": 0}, "seeds=0: give a whole number from 1"),
        ({"patience": 0}, "patience=0: give the real seconds that a case may take, such as 300"),
        ({"jobs": 0}, "jobs=0: give a number of workers from 1"),
        ({"engine": "spark"}, "engine='spark': there is none of this name; give one of local, dask, ray"),
        ({"address": "tcp://x"}, "the local engine has none"),
        ({"trial": lambda case: 3}, "the trial gave 3 for case 0; it must give a mapping"),
        ({"trial": lambda case: {"a": []}}, r"the trial gave a=\[\] for case 0"),
        ({"trial": lambda case: {"case": 1}}, "the trial gave a value 'case' for case 0; that name is taken"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_a_bad_argument_is_named(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"trial": measure, "grid": {"n": [1]}, "folder": tmp_path} | changed
    with pytest.raises(BadInput, match=message):
        sweep(given.pop("trial"), given.pop("grid"), **given)


def test_a_folder_holds_one_sweep(tmp_path: Path) -> None:
    before = _swept(tmp_path)
    with pytest.raises(BadInput, match="holds another sweep, which differs in seeds; give another one"):
        sweep(measure, GRID, seeds=8, folder=tmp_path)
    assert (tmp_path / "table.parquet").read_bytes() == before


def test_a_column_of_different_kinds_holds_json(tmp_path: Path) -> None:
    def mixed(case: Case) -> dict[str, Any]:
        return {"value": [1, "one", None][case.seed], "number": [1, 2.5, None][case.seed]}

    table = sweep(mixed, {}, seeds=3, folder=tmp_path).table()
    assert table["value"].tolist()[:2] == ["1", '"one"']
    assert table["number"].tolist()[:2] == [1.0, 2.5]
    assert [bool(pd.isna(value)) for value in table.iloc[2].tolist()] == [False, False, True, True]
