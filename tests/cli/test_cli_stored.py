"""``dissonance replay`` and ``dissonance check``: stored runs and plans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dissonance.cli.main import main
from dissonance.faults import EmptyContent, FaultPlan, RejectWork, Rule

from .conftest import TASK, Cli

pytestmark = pytest.mark.xdist_group("stored")  # one worker makes what these tests share


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, review: str) -> Path:
    """A folder in which the review loop was probed with the plan ``loop.json``, and failed."""
    folder = tmp_path_factory.mktemp("probed")
    (folder / "review.py").write_text(review)
    (folder / "loop.json").write_text(FaultPlan(rules=[Rule(fault=RejectWork())]).to_json())
    given = ["review.py:review", "--task", TASK, "--plan", "loop.json", "--seed", "3", "--limit", "calls=12"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["probe", *given]) == 1
    return folder


@pytest.fixture
def stored(folder: Path, probed: Path) -> Path:
    """A stored run that failed, in a working directory of its own."""
    shutil.copytree(probed, folder, dirs_exist_ok=True)
    (path,) = [
        run
        for run in Path("dissonance-report/runs").glob("0*")
        if (run / "plan.json").read_text().find("RejectWork") > 0
    ]
    return path


def test_a_run_is_judged_again_as_it_was(stored: Path, cli: Cli) -> None:
    ran = cli("check", stored, "--json")
    (tried,) = ran.json["plans"]
    assert (ran.code, tried["name"], [each["check"] for each in tried["verdicts"]]) == (1, "loop", ["terminates"])


def test_a_run_is_judged_by_other_checks(stored: Path, cli: Cli) -> None:
    ran = cli("check", stored, "--checks", "no_silent_damage", "--json")
    assert [each["check"] for each in ran.json["plans"][0]["verdicts"]] == ["no_silent_damage"]


def test_people_read_the_verdict_of_a_check(stored: Path, cli: Cli) -> None:
    ran = cli("check", stored)
    assert ran.out.startswith("FAIL: 0 of 1 plan held.\n")
    assert f"loop: dissonance replay {stored}\n" in ran.out


@pytest.mark.parametrize("what", ["", "plan.json"], ids=["folder", "plan in it"])
def test_a_run_is_played_again_with_its_task_seed_and_limits(stored: Path, cli: Cli, what: str) -> None:
    ran = cli("replay", stored / what, "--json")
    (tried,) = ran.json["plans"]
    about = json.loads((Path(tried["run"]) / "run.json").read_text())
    assert (ran.code, tried["remark"]) == (1, "Just as in the stored run.")
    assert (about["task"], about["seed"], about["limits"]["calls"]) == (TASK, 3, 12)
    assert tried["run"].startswith(".dissonance/runs/")


def test_another_limit_is_another_run(stored: Path, cli: Cli) -> None:
    ran = cli("replay", stored, "--limit", "calls=14", "--json")
    assert (ran.json["plans"][0]["calls"], ran.json["plans"][0]["remark"]) == (14, "")


def test_a_workflow_that_was_mended_is_told_apart(folder: Path, stored: Path, cli: Cli) -> None:
    code = (folder / "review.py").read_text()
    (folder / "review.py").write_text(code.replace("        while", "        for _ in range(2):\n         if"))
    ran = cli("replay", stored, "--json")
    assert (ran.code, ran.json["status"]) == (0, "pass")
    assert ran.json["plans"][0]["remark"].startswith("Not as in the stored run: they differ at event ")


def test_a_plan_is_played_on_a_target(stored: Path, cli: Cli) -> None:
    ran = cli("replay", "loop.json", "review.py:review", "--task", TASK, "--limit", "calls=12", "--out", "again")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "Report: again/index.html"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["loop.json"],
            "error: PLAN_OR_RUN 'loop.json': a plan names no workflow; give the TARGET after it, and --task TEXT\n",
        ),
        (["loop.json", "review.py:review"], "error: no task is given; give --task TEXT or --task-file FILE\n"),
        (
            ["no.json"],
            "error: PLAN_OR_RUN 'no.json' does not exist; give a plan's JSON file, or the folder of a stored run\n",
        ),
        (["review.py"], "error: review.py: not JSON: expected value at line 2 column 1"),
        (
            ["."],
            "error: '.' holds no run.json: give the folder of a stored run, such as .dissonance/runs/latest\n",
        ),
    ],
)
def test_what_cannot_be_played(stored: Path, cli: Cli, arguments: list[str], message: str) -> None:
    ran = cli("replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(message)


def test_a_run_of_somebody_elses_names_no_target(stored: Path, cli: Cli) -> None:
    about = json.loads((stored / "run.json").read_text())
    (stored / "run.json").write_text(json.dumps({**about, "notes": {}}))
    ran = cli("replay", stored)
    assert ran.code == 2
    assert "this run was not made by `dissonance probe`; give the TARGET after it" in ran.err


def test_a_run_without_a_history_cannot_be_judged(stored: Path, cli: Cli) -> None:
    shutil.copytree(stored, "broken")
    Path("broken", "history.jsonl").unlink()
    ran = cli("check", "broken")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: 'broken/history.jsonl' cannot be read: ")


def test_damage_is_judged_where_the_plan_damages(folder: Path, cli: Cli) -> None:
    (folder / "empty.json").write_text(FaultPlan(rules=[Rule(fault=EmptyContent())]).to_json())
    ran = cli("replay", "empty.json", "summary.py:summarise", "--task", TASK, "--json")
    assert [each["check"] for each in ran.json["plans"][0]["verdicts"]] == ["terminates", "no_silent_damage"]
    assert ran.code == 0
