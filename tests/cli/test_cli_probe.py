"""``dissonance probe``: a workflow of a user's under the standard battery, or under one plan."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dissonance.cli import commands, probe
from dissonance.cli.probe import Probe
from dissonance.cli.results import Tried
from dissonance.cli.worker import HarnessBroke, Worker
from dissonance.faults import CutStream, EmptyContent, FaultPlan, RejectWork, Rule, standard_battery

from .conftest import ASK, SUMMARY, TASK, Cli, alive

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("battery")]  # one worker makes what these tests share

NAMES = [each.name for each in standard_battery()]


def plan_file(folder: Path, *rules: Rule) -> Path:
    path = folder / "plan.json"
    path.write_text(FaultPlan(rules=list(rules)).to_json())
    return path


# --- the battery ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory, review: str) -> Iterator[tuple[Path, dict[str, object]]]:
    """The review loop under the whole battery, once for all tests: the folder, and what ``--json`` printed."""
    folder = tmp_path_factory.mktemp("reviewed")
    (folder / "review.py").write_text(review)
    command = [sys.executable, "-c", "from dissonance.cli.main import main; raise SystemExit(main())"]
    arguments = ["probe", "review.py:review", "--task", TASK, "--json", "--limit", "calls=60"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    yield folder, json.loads(done.stdout)


def test_every_plan_of_the_battery_is_told(reviewed: tuple[Path, dict[str, object]]) -> None:
    _, found = reviewed
    assert [each["name"] for each in found["plans"]] == NAMES  # type: ignore[attr-defined]


def test_the_loop_is_found(reviewed: tuple[Path, dict[str, object]]) -> None:
    _, found = reviewed
    assert (found["schema"], found["status"], found["exit"], found["interrupted"]) == (1, "fail", 1, False)
    worst = found["plans"][0]  # type: ignore[index]
    assert (worst["name"], worst["status"], worst["outcome"], worst["stopped_by"]) == (
        "judge-never-accepts",
        "fail",
        "stopped_by_harness",
        "calls",
    )
    assert worst["tier"] == "T1"  # the child's own thread does not disturb its virtual time
    assert worst["fired"] == worst["faults"]["judge-never-accepts"]["fired"] > 20
    assert [sorted(verdict) for verdict in worst["verdicts"]] == [
        ["check", "demoted_by", "evidence", "next", "reason", "status", "tier"]
    ]


def test_a_plan_that_nothing_answers_to_is_not_applicable(reviewed: tuple[Path, dict[str, object]]) -> None:
    """The loop has no tools and no hand-offs, and does not stream."""
    _, found = reviewed
    plans = {each["name"]: each for each in found["plans"]}  # type: ignore[attr-defined]
    left_out = [name for name, each in plans.items() if not each["applicable"]]
    assert left_out == [
        "tool-without-end",
        "hand-off-ping-pong",
        "tool-error",
        "stream-error",
        "truncated-tool-json",
        "overconfident-score",
    ]
    assert {plans[name]["status"] for name in left_out} == {"unknown"}


def test_the_report_and_the_runs_lie_in_one_folder(reviewed: tuple[Path, dict[str, object]]) -> None:
    folder, found = reviewed
    assert found["report"] == "dissonance-report/index.html"
    page = (folder / "dissonance-report" / "index.html").read_text()
    assert "Not applicable" in page and str(folder) not in page
    runs = [each["run"] for each in found["plans"]]  # type: ignore[attr-defined]
    assert all(run.startswith("dissonance-report/runs/") and (folder / run / "run.json").is_file() for run in runs)


def test_the_replay_line_plays_the_same_run(
    reviewed: tuple[Path, dict[str, object]], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, found = reviewed
    monkeypatch.chdir(folder)
    worst = found["plans"][0]  # type: ignore[index]
    assert worst["replay"] == f"dissonance replay {worst['run']}"
    ran = cli(*worst["replay"].split()[1:], "--json")
    assert (ran.code, ran.err) == (1, "")
    again = ran.json["plans"][0]
    assert again["remark"] == "Just as in the stored run."
    assert [again[key] for key in ("name", "verdicts", "calls", "usd")] == [
        worst[key] for key in ("name", "verdicts", "calls", "usd")
    ]


# --- for people -------------------------------------------------------------------------------


def test_people_get_the_answer_first_and_the_replay_line_whole(folder: Path, cli: Cli) -> None:
    ran = cli("probe", "summary.py:summarise", "--task", TASK, "--plan", plan_file(folder, Rule(fault=EmptyContent())))
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[0] == "PASS: 1 of 1 plan held."
    assert lines[1].startswith("Without faults: completed after 1 call, ")
    assert lines[-1] == "Report: dissonance-report/index.html"


def test_what_failed_can_be_replayed_from_the_last_lines(folder: Path, cli: Cli) -> None:
    plan = plan_file(folder, Rule(fault=RejectWork()))
    ran = cli("probe", "review.py:review", "--task", TASK, "--plan", plan, "--limit", "calls=12")
    assert ran.code == 1
    assert ran.out.startswith("FAIL: 0 of 1 plan held.\n")
    assert "plan: dissonance replay dissonance-report/runs/" in ran.out


def test_a_task_file_is_the_task(folder: Path, cli: Cli) -> None:
    (folder / "task.txt").write_text(TASK)
    plan = plan_file(folder, Rule(fault=EmptyContent()))
    ran = cli("probe", "summary.py:summarise", "--task-file", "task.txt", "--plan", plan, "--json")
    assert json.loads(Path(ran.json["plans"][0]["run"], "run.json").read_text())["task"] == TASK


# --- what cannot be told ----------------------------------------------------------------------


def test_a_plan_of_which_nothing_fires_is_unknown(folder: Path, cli: Cli) -> None:
    plan = plan_file(folder, Rule.model_validate({"at": {"agent": "nobody"}, "fault": EmptyContent()}))
    ran = cli("probe", "summary.py:summarise", "--task", TASK, "--plan", plan, "--json")
    assert (ran.code, ran.json["status"], ran.json["plans"][0]["applicable"]) == (3, "unknown", True)
    assert ran.json["plans"][0]["verdicts"][0]["reason"].startswith("nothing fired")


def test_a_workflow_that_makes_no_call_is_unknown(folder: Path, cli: Cli) -> None:
    (folder / "flow.py").write_text("def main(task): return task\n")
    ran = cli("probe", "flow.py:main", "--task", TASK, "--json")
    assert (ran.code, ran.json["status"]) == (3, "unknown")
    assert ran.json["reason"].endswith("nothing happened: the workflow called no model and asked no human")


def test_a_workflow_that_fails_by_itself_is_unknown_and_shows_its_error(folder: Path, cli: Cli) -> None:
    (folder / "flow.py").write_text("def main(task): raise ValueError('no database')\n")
    ran = cli("probe", "flow.py:main", "--task", TASK)
    assert ran.code == 3
    assert ran.out.startswith(
        "UNKNOWN: baseline broken: without any fault the workflow failed (ValueError: no database).\n"
    )
    assert (folder / "dissonance-report" / "index.html").is_file()


# --- processes --------------------------------------------------------------------------------

HANGS = (
    ASK
    + """
def main(task):
    import asyncio, itertools
    try:
        return asyncio.run(ask("You summarise.", task))
    except RuntimeError:
        print("spinning", flush=True)
        sum(itertools.repeat(0))
"""
)
"""It ends in C without ever letting another thread run."""


def test_a_run_that_does_not_come_back_is_killed_and_fails(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "GRACE", 0.5)
    (folder / "flow.py").write_text(HANGS)
    plan = plan_file(folder, Rule(fault=EmptyContent()))
    ran = cli("probe", "flow.py:main", "--task", TASK, "--plan", plan, "--limit", "real_seconds=6", "--json")
    assert ran.code == 1, ran.json["reason"]
    (tried,) = ran.json["plans"]
    assert (tried["outcome"], tried["stopped_by"], tried["fired"]) == ("stopped_by_harness", "real_seconds", 1)
    verdict = tried["verdicts"][0]
    assert (verdict["status"], verdict["check"], verdict["tier"]) == ("fail", "terminates", "T3")
    assert "in main, and its process was killed" in verdict["reason"]


def test_the_battery_goes_on_in_a_new_process(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the process under one plan does not keep the others from being tried."""
    two = [each for each in standard_battery() if each.name in ("empty-content", "refusal")]
    monkeypatch.setattr(commands, "plans_to_try", lambda *_: two)
    dies = SUMMARY.replace(
        "if not message.content or",
        "if message.stop_reason == 'end_turn' and not message.content:\n        import os; os._exit(3)\n    if",
    )
    (folder / "flow.py").write_text(dies)
    ran = cli("probe", "flow.py:summarise", "--task", TASK, "--json")
    assert (ran.code, [each["name"] for each in ran.json["plans"]]) == (3, ["empty-content", "refusal"])
    empty, refusal = ran.json["plans"]
    assert (empty["outcome"], empty["status"], refusal["status"]) == ("crashed", "unknown", "pass")
    assert "the workflow ended its process (exit code 3)" in empty["verdicts"][0]["reason"]


def test_what_a_workflow_prints_goes_to_standard_error(folder: Path, cli: Cli) -> None:
    (folder / "flow.py").write_text(ASK + "async def main(task):\n    print('here')\n    return await ask('A', task)\n")
    plan = plan_file(folder, Rule(fault=CutStream()))
    ran = cli("probe", "flow.py:main", "--task", TASK, "--plan", plan, "--json")
    assert ran.json["schema"] == 1
    assert set(ran.err.splitlines()) == {"here"}


def test_an_interrupt_keeps_what_there_is(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Probe.attempt_all

    def interrupted(self: Probe, plans: list[object]) -> Iterator[Tried]:
        yield next(attempts(self, plans))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(Probe, "attempt_all", interrupted)
    ran = cli("probe", "review.py:review", "--task", TASK, "--json", "--limit", "calls=12")
    assert (ran.code, ran.json["exit"], ran.json["interrupted"]) == (130, 130, True)
    assert [each["name"] for each in ran.json["plans"]] == NAMES[:1]
    assert "The probe was interrupted" in Path(ran.json["report"]).read_text()


@pytest.mark.slow
def test_an_import_that_does_not_end_is_bad_input(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "IMPORT_SECONDS", 6.0)  # the process of the workflow starts in them, too
    (folder / "flow.py").write_text("while True:\n    pass\n")
    ran = cli("probe", "flow.py:main", "--task", TASK)
    assert (ran.code, ran.out) == (2, "")
    assert (
        "error: TARGET 'flow.py:main' cannot be imported: it did not come back within 6 s; it was at flow.py:"
        in ran.err
    )


def test_no_key_is_needed(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the address of a gateway lead away from the simulated API."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example")
    (folder / "flow.py").write_text(SUMMARY.replace('api_key="none"', ""))
    plan = plan_file(folder, Rule(fault=EmptyContent()))
    assert cli("probe", "flow.py:summarise", "--task", TASK, "--plan", plan, "--json").code == 0


def test_a_harness_that_fails_is_unknown(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: Worker, request: dict[str, object], seconds: float) -> dict[str, object]:
        if request["do"] == "load":
            return {}
        raise HarnessBroke("Traceback (most recent call last):\nZeroDivisionError: division by zero\n")

    monkeypatch.setattr(Worker, "ask", ask)
    ran = cli("probe", "summary.py:summarise", "--task", TASK, "--json")
    assert (ran.code, ran.json["report"]) == (3, None)
    assert ran.json["reason"] == ("baseline broken: the harness failed: ZeroDivisionError: division by zero")
    assert "ZeroDivisionError: division by zero\n" in ran.err


def test_ctrl_c_kills_the_child(folder: Path, python: Callable[..., subprocess.Popen[str]]) -> None:
    (folder / "flow.py").write_text("import os\nprint(os.getpid(), flush=True)\nwhile True:\n    pass\n")
    process = python(
        "from dissonance.cli.main import main; raise SystemExit(main(['probe', 'flow.py:main', '--task', 'x']))"
    )
    assert process.stderr is not None
    child = int(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert not alive(child)
