"""``dissonance probe --search``: the smallest plan that breaks a workflow, for each check."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissonance.cli import probe
from dissonance.faults import At, FaultPlan, RejectWork, Rule

from .conftest import TASK, Cli

pytestmark = pytest.mark.slow


def test_the_smallest_plan_is_told_with_the_line_that_replays_it(folder: Path, cli: Cli) -> None:
    ran = cli("probe", "review.py:review", "--task", TASK, "--search", "300", "--checks", "terminates")
    lines = ran.out.splitlines()
    assert (ran.code, lines[0]) == (1, "FAIL: a plan breaks it (terminates).")
    assert "r1: on every call of agent 'judge', the model rejects the work." in ran.out
    assert "    Rule(id='r1', at=At(agent='judge'), fault=RejectWork())," in ran.out
    assert "Worst calls seen: 500" in ran.out
    replay = next(line.removeprefix("Replay: dissonance ") for line in lines if line.startswith("Replay: "))
    again = cli(*replay.split(), "--json")
    assert (again.code, again.json["plans"][0]["outcome"]) == (1, "stopped_by_harness")


def test_the_json_has_the_plan_of_each_check(folder: Path, cli: Cli) -> None:
    limit = ["--limit", "calls=60"]
    ran = cli("probe", "review.py:review", "--task", TASK, "--search", "200", "--json", *limit)
    found = ran.json["search"]
    assert (ran.code, list(found)) == (1, ["terminates", "no_silent_damage"])
    expected = FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork())])
    assert FaultPlan.from_data(found["terminates"]["plan"]) == expected
    assert ran.json["plans"][0]["status"] == "fail"
    assert Path(ran.json["report"]).is_file()


def test_what_holds_passes(folder: Path, cli: Cli) -> None:
    ran = cli("probe", "summary.py:summarise", "--task", TASK, "--search", "120", "--checks", "terminates", "--json")
    assert (ran.code, ran.json["search"]["terminates"]["plan"]) == (0, None)
    assert ran.json["reason"] == "no plan was found in 120 runs (every single fault, and others)"


def test_a_broken_baseline_is_not_searched(folder: Path, cli: Cli) -> None:
    (folder / "flow.py").write_text("def main(task): raise ValueError('no database')\n")
    ran = cli("probe", "flow.py:main", "--task", TASK, "--search", "10", "--json")
    assert (ran.code, ran.json["status"], ran.json["search"]) == (3, "unknown", {})


def test_a_run_of_a_search_that_does_not_come_back_is_killed(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "GRACE", 1.0)
    summary = (folder / "summary.py").read_text()
    hangs = summary.replace("    return await ask(", "    try:\n        return await ask(").rstrip() + HANG
    (folder / "flow.py").write_text(hangs)
    ran = cli("probe", "flow.py:summarise", "--task", TASK, "--search", "10", "--limit", "real_seconds=2", "--json")
    assert ran.code == 1
    assert "its process was killed" in ran.json["plans"][0]["verdicts"][0]["reason"]


HANG = """
    except Exception:
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--search", "0"], "--search 0: give the number of runs that may be made, such as 1000"),
        (["--search", "5", "--prove"], "--search 5 and --prove are both given; give one of them"),
    ],
    ids=["zero", "prove"],
)
def test_a_bad_search_is_named(cli: Cli, options: list[str], message: str) -> None:
    ran = cli("probe", "review.py:review", "--task", TASK, *options)
    assert (ran.code, ran.err.strip()) == (2, f"error: {message}")
