"""Interleavings: a race is found by the seed of a schedule, and replayed by it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from doubles import Says, request

from dissonance.faults import FaultPlan
from dissonance.harness import BadInput, Run, agent, load_run, run

client = AsyncAnthropic(api_key="k")


async def counter(task: str) -> int:
    """Two clerks count: bob reads in the same moment in which ann writes, and one update is lost if he comes first."""
    total = 0

    async def ann() -> None:
        nonlocal total
        read = total
        await asyncio.sleep(0)
        total = read + 1
        await tell("ann")

    async def bob() -> None:
        nonlocal total
        await asyncio.sleep(0)
        read = total
        await asyncio.sleep(0)
        total = read + 1
        await tell("bob")

    async def tell(name: str) -> None:
        with agent(name):
            await client.messages.create(**request(f"{total} done"))

    await asyncio.gather(ann(), bob())
    return total


def played(schedule: int | None, **options: Any) -> Run:
    return run(counter, "count", plan=FaultPlan(schedule=schedule), model=Says(), **{"store": None, **options})


def test_some_schedules_lose_an_update_and_some_do_not() -> None:
    assert {played(seed).result for seed in range(20)} == {1, 2}


def test_a_schedule_replays_its_race() -> None:
    for seed in range(10):
        first, again = played(seed), played(seed)
        assert (first.result, first.history) == (again.result, again.history)


def test_without_a_schedule_the_order_is_first_come_first_served() -> None:
    assert [call.agent for call in played(None).history.calls()] == ["ann", "bob"]
    assert played(None).result == 2


def test_the_schedule_is_part_of_the_stored_plan(tmp_path: Path) -> None:
    done = played(7, store=tmp_path)
    assert done.path is not None
    assert json.loads((done.path / "plan.json").read_text()) == {"schema": 1, "rules": [], "schedule": 7}
    assert load_run(done.path).schedule == 7
    replayed = run(counter, "count", plan=FaultPlan.load(done.path / "plan.json"), model=Says(), store=None)
    assert replayed.history == done.history


def test_a_schedule_that_is_none() -> None:
    class Odd:
        rules = ()
        schedule = "soon"

    with pytest.raises(BadInput, match=r"^plan\.schedule='soon': give a whole number, or None$"):
        run(counter, "count", plan=Odd())
