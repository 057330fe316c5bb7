"""Experiments by name, their parameters, and their command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissonance.experiments import NAMES, experiments, find, run_experiments
from dissonance.experiments.script import main
from dissonance.harness.errors import BadInput


def test_each_name_is_that_of_its_experiment() -> None:
    assert [experiment.name for experiment in experiments()] == list(NAMES)
    assert all(experiment.question.endswith("?") for experiment in experiments())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "loop_terminaton",
            "experiment 'loop_terminaton' does not exist; did you mean 'loop_termination'? there are: ",
        ),
        ("x", "experiment 'x' does not exist; there are: "),
    ],
)
def test_an_unknown_name_is_told_what_there_is(name: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        find(name)
    assert str(error.value) == message + ", ".join(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_presets_grow(name: str) -> None:
    quick, default, full = (find(name).params(size).seeds for size in ("quick", "default", "full"))
    assert quick < default < full


def test_a_parameter_can_be_changed() -> None:
    assert find("loop_termination").params("quick", seeds=7, steps=None).seeds == 7


def test_a_replay_line_says_the_size_and_what_differs_from_it() -> None:
    one = find("hierarchy_overhead")
    lines = [
        one.replay(one.params("default")),
        one.replay(one.params("quick", seeds=7)),
        one.replay(one.params("default", shapes=[[8, 2]])),
    ]
    assert lines == [
        "dissonance run hierarchy_overhead",
        "dissonance run hierarchy_overhead --quick --seeds 7",
        "dissonance run hierarchy_overhead --set 'shapes=[[8, 2]]'",
    ]


@pytest.mark.parametrize(
    ("changes", "start"),
    [({"seeds": 0}, "loop_termination: seeds=0: "), ({"sedes": 3}, "loop_termination: sedes=3: ")],
    ids=["range", "unknown"],
)
def test_a_bad_parameter_is_named(changes: dict[str, int], start: str) -> None:
    with pytest.raises(BadInput) as error:
        find("loop_termination").params("default", **changes)
    assert str(error.value).startswith(start)
    assert "its parameters are seeds, " in str(error.value)


def test_no_experiment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no experiment is chosen"):
        run_experiments([], out=tmp_path)


def test_bad_input_on_the_command_line_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(find("loop_termination"), ["--seeds", "0", "--out", str(tmp_path / "r")])
    assert code == 2
    assert capsys.readouterr().err.startswith("error: loop_termination: seeds=0: ")
    assert not (tmp_path / "r").exists()
