"""Parameters from the command line and from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dissonance.experiments import changes
from dissonance.experiments.loop_termination import EXPERIMENT
from dissonance.experiments.script import main
from dissonance.harness.errors import BadInput

ONE = ["loop_termination"]
TWO = ["loop_termination", "truncation"]


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("steps=20", 20), ("trees=[[2, 3]]", [[2, 3]]), ("policy=reject", "reject"), ("name = 'a b'", "a b"), ("x=", "")],
)
def test_a_value_is_written_as_in_toml_or_is_a_text(assignment: str, value: object) -> None:
    ((_, found),) = changes(ONE, [assignment])["loop_termination"].items()
    assert found == value


def test_an_assignment_goes_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("[loop_termination]\nsteps = 20\nminutes = 90\n[truncation]\nseeds = 3\n")
    assert changes(TWO, ["loop_termination.steps=5"], file) == {
        "loop_termination": {"steps": 5, "minutes": 90},
        "truncation": {"seeds": 3},
    }


@pytest.mark.parametrize(
    ("names", "assignment", "message"),
    [
        (ONE, "steps", "--set 'steps': write PARAMETER=VALUE, as --set seeds=20"),
        (ONE, "=3", "--set '=3': write PARAMETER=VALUE"),
        (TWO, "steps=3", "--set 'steps=3': 2 experiments are run; write loop_termination.steps=3"),
        (
            TWO,
            "truncat.steps=3",
            "--set 'truncat.steps=3': 'truncat' is not run; there are loop_termination, truncation",
        ),
    ],
)
def test_a_bad_assignment_is_told_how_to_write_it(names: list[str], assignment: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        changes(names, [assignment])
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"steps = 3", "steps = 3 is not a table; write .loop_termination."),
        (b"[other]\nx = 1", ".other. is not run; its tables may be loop_termination"),
        (b"[loop", "not TOML: "),
        (b"\xff", "cannot be read: not text"),
    ],
)
def test_a_bad_file_is_told_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "params.toml"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        changes(ONE, file=file)


@pytest.mark.slow
def test_a_script_takes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "params.toml"
    file.write_text("[loop_termination]\nminutes = 1\nretries = []\ntrees = []\nsamples = 10\n")
    assert main(EXPERIMENT, ["--params", str(file), "--set", "seeds=1", "--out", str(tmp_path / "out")]) == 0
    given = json.loads((tmp_path / "out" / "report.json").read_text())["parameters"]["loop_termination"]
    assert (given["minutes"], given["seeds"]) == ("1.0", "1")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "figures",
        "index.html",
        "junit.xml",
        "report.json",
        "report.md",
        "runs",
        "tables",
    ]
    assert main(EXPERIMENT, ["--set", "seedz=1", "--out", str(tmp_path / "out")]) == 2
    assert (
        "loop_termination: seedz=1: Extra inputs are not permitted; its parameters are seeds, "
        in capsys.readouterr().err
    )
