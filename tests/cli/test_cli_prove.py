"""``--prove``: two processes, in which strings hash otherwise, must record the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOWS = """
from anthropic import AsyncAnthropic
client = AsyncAnthropic(api_key="none")
async def ask(who):
    return await client.messages.create(model="claude-sonnet-4-6", max_tokens=50, system=f"You are the {who}.",
        messages=[{"role": "user", "content": "Hello."}])
async def ordered(task):
    for who in ("writer", "judge", "editor", "lawyer"):
        await ask(who)
async def unordered(task):
    for who in {"writer", "judge", "editor", "lawyer"}:
        await ask(who)
"""
PLAN = {"schema": 1, "rules": [{"at": {"agent": "judge"}, "fault": {"kind": "SlowReply", "seconds": 9}}]}
DISSONANCE = [sys.executable, "-c", "import sys; from dissonance.cli.main import main; sys.exit(main())"]


def probed(folder: Path, workflow: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "flows.py").write_text(WORKFLOWS)
    (folder / "plan.json").write_text(json.dumps(PLAN))
    arguments = ["probe", f"flows.py:{workflow}", "--task", "x", "--plan", "plan.json", "--json", "--prove", *more]
    return subprocess.run([*DISSONANCE, *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_a_workflow_that_repeats_is_proved(tmp_path: Path) -> None:
    done = probed(tmp_path, "ordered")
    (plan,) = json.loads(done.stdout)["plans"]
    assert (done.returncode, plan["status"]) == (0, "pass")
    assert plan["remark"] == "Proved: the same history in two processes."


@pytest.mark.slow
def test_a_workflow_that_iterates_a_set_of_strings_is_not(tmp_path: Path) -> None:
    """In one process its order is the same each time; nothing but another hash seed shows it."""
    done = probed(tmp_path, "unordered")
    found = json.loads(done.stdout)
    assert (done.returncode, found["status"]) == (3, "unknown")
    assert (
        "the history of a second process, in which strings hash otherwise, differs at event 1: call agent="
        in done.stdout
    )


@pytest.mark.slow
def test_an_experiment_is_proved_by_its_tables(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DISSONANCE, "run", "loop_termination", "--quick", "--seeds", "1", "--prove"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (
        done.stdout.splitlines()[-2]
        == "proved: a second process, in which strings hash otherwise, made the same tables"
    )
