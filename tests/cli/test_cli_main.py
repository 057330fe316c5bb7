"""The command itself: bad input, the lists, the experiments, and that it starts quickly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dissonance.cli.main import main
from dissonance.cli.results import EXIT
from dissonance.cli.show import show_exit
from dissonance.experiments import NAMES
from dissonance.experiments.loop_termination import LoopTermination, Settings
from dissonance.faults import fault_types

from .conftest import TASK, Cli

GOOD = ("summary.py:summarise", "--task", TASK)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["probe", "sumary.py:summarise", "--task", "x"], "error: TARGET 'sumary.py:summarise': the file "),
        (["probe", "summary.py:sumarise", "--task", "x"], "error: TARGET 'summary.py:sumarise': summary.py has no "),
        (["probe", "sumary:summarise", "--task", "x"], "error: TARGET 'sumary:summarise': there is no module "),
        (["probe", "raises.py:main", "--task", "x"], "error: TARGET 'raises.py:main': raises.py cannot be imported"),
        (["probe", "summary.py:summarise"], "error: no task is given; "),
        (["probe", "summary.py:summarise", "--task-file", "binary"], "error: --task-file 'binary' is not text: "),
        (["probe", *GOOD, "--plan", "no.json"], "error: 'no.json': cannot be read: "),
        (["probe", *GOOD, "--plan", "broken.json"], "error: broken.json: not JSON: "),
        (["probe", *GOOD, "--plan", "unknown.json"], "error: unknown.json: rule 1: fault: unknown fault 'RejectWrk'; "),
        (["probe", *GOOD, "--checks", "terminate"], "error: --checks 'terminate': there is no check of this name; "),
        (["probe", *GOOD, "--out", "summary.py"], "error: --out 'summary.py': 'summary.py' is not a folder; "),
        (["probe", *GOOD, "--limit", "calls=0"], "error: Limits(calls=0): give a whole number above 0"),
        (["run", "loop_terminaton"], "error: experiment 'loop_terminaton' does not exist; did you mean "),
        (["run", "--seeds", "0"], "error: loop_termination: seeds=0: "),
        (["run", "--out", "summary.py"], "error: --out 'summary.py': 'summary.py' is not a folder; "),
        (["check", "no-run"], "error: 'no-run' does not exist: give the folder of a stored run"),
        (["run", "--quick", "--full"], "Usage: dissonance run "),
        (["probe", *GOOD, "--seed", "x"], "Usage: dissonance probe "),
        (["prob"], "Usage: dissonance "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_told_and_writes_nothing(folder: Path, cli: Cli, arguments: list[str], start: str) -> None:
    (folder / "raises.py").write_text("1 / 0\n")
    (folder / "binary").write_bytes(b"\0\1\2")
    (folder / "broken.json").write_text("{")
    (folder / "unknown.json").write_text('{"schema": 1, "rules": [{"fault": {"kind": "RejectWrk"}}]}')
    before = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(start)
    assert sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts) == before


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("faults", list(fault_types())),
        (
            "checks",
            """cascade context_growth costs degrades_gracefully escalates false_acceptance independence makespan
            no_silent_damage no_silent_truncation overhead recovers terminates""".split(),
        ),
        ("patterns", ["supervise"]),
        ("experiments", list(NAMES)),
    ],
)
def test_a_list_has_a_line_for_each(cli: Cli, kind: str, names: list[str]) -> None:
    ran = cli("list", kind)
    lines = [line.split(maxsplit=1) for line in ran.out.splitlines()[1:] if not line.startswith(" ")]
    assert ran.code == 0
    assert set(names) <= {line[0] for line in lines}
    assert all(len(line) == 2 for line in lines)


def test_a_list_of_everything(cli: Cli) -> None:
    ran = cli("list")
    titles = [line.strip() for line in ran.out.splitlines()]
    assert [title for title in titles if title in ("faults", "checks", "patterns", "experiments")] == [
        "faults",
        "checks",
        "patterns",
        "experiments",
    ]


@pytest.mark.slow
def test_an_experiment_is_run_and_says_where_its_report_lies(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is that of the report's status: 0 where the answer holds, 1 where it does not."""
    small = Settings(seeds=1, minutes=5, samples=10, retries=((0.3, 3),), trees=((1.5, 2),))
    monkeypatch.setattr(LoopTermination, "preset", lambda self, size: small)
    ran = cli("run", "loop_termination", "--out", "found")
    report = json.loads((folder / "found" / "report.json").read_text())
    assert ran.code == EXIT[report["status"]]
    assert ran.out.splitlines()[-2:] == ["Report: found/index.html", "Exit code 0: held: loop-termination."]
    assert ran.out.startswith("broke     Without a control 10 of 10 loops were still running")
    assert (folder / "found" / "index.html").is_file()


def test_help_needs_nothing_heavy(python: Callable[..., subprocess.Popen[str]]) -> None:
    heavy = "('pandas', 'matplotlib', 'anthropic', 'pydantic', 'tiktoken')"
    process = python(
        f"from dissonance.cli.main import main; import sys; main(['--help']); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out, _ = process.communicate()
    assert out.splitlines()[-1] == "[]"


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--help"]) == 0
    assert "Usage: dissonance probe" in capsys.readouterr().out


def test_the_last_line_says_what_the_exit_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    show_exit(1, {"a": "pass", "b": "fail", "c": "unknown", "d": "fail"})
    assert capsys.readouterr().out == (
        "Exit code 1: broke: b, d; not known: c; held: a; "
        "the experiments ran to their end; what breaks is what they look for.\n"
    )
