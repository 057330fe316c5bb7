"""``dissonance replay`` of runs that ``run()`` made, for ends that are no plain result: a crash, a restart, a silent human."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli

FLOW = """
import asyncio
from dissonance.faults import *
from dissonance.harness import Ask, Restartable, ScriptedHuman, run
import anthropic

async def say(task):
    async with anthropic.AsyncAnthropic(api_key="none") as client:
        await client.messages.create(
            model="claude-sonnet-4-6", max_tokens=9, system="You are the clerk.",
            messages=[{"role": "user", "content": task}],
        )

async def plain(task):
    await say(task)

async def asks(task, human):
    await say(task)
    return (await human.ask(Ask(id="a"))).decision

async def staged(task, folder):
    if not (folder / "done").exists():
        await say(task)
        (folder / "done").touch()

goes_on = Restartable(staged, staged)
"""
ENDS = {
    "plain": ("Crash()", "crashed"),
    "asks": ("NeverAnswers()", "stopped_by_harness"),
    "goes_on": ("Crash(place='call')", "completed"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_a_run_is_replayed_just_as_it_was(folder: Path, cli: Cli, name: str) -> None:
    fault, outcome = ENDS[name]
    (folder / "flow.py").write_text(FLOW)
    space: dict[str, object] = {}
    exec(compile(FLOW, "flow.py", "exec"), space)
    when = "When(call=1)"
    stored = eval(f"run({name}, 'Hello.', human=ScriptedHuman(), plan=[Rule(when={when}, fault={fault})])", space)
    assert stored.outcome == outcome
    ran = cli("replay", str(stored.path), f"flow.py:{name}")
    assert "Just as in the stored run." in ran.out, ran.out + ran.err
