"""A seed shuffles who runs next: interleavings are found by seeds, and replayed by them."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import succeed

SEEDS = range(60)


async def three_tasks() -> tuple[str, ...]:
    order: list[str] = []

    async def step(name: str) -> None:
        for _ in range(2):
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(*(step(name) for name in "abc"))
    return tuple(order)


def three_threads() -> tuple[str, ...]:
    order: list[str] = []

    def step(name: str) -> None:
        for _ in range(2):
            time.sleep(1)
            order.append(name)

    threads = [threading.Thread(target=step, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(order)


@pytest.mark.parametrize("workflow", [three_tasks, three_threads], ids=["tasks", "threads"])
def test_seeds_explore_and_each_replays(workflow: Any) -> None:
    orders = {seed: succeed(workflow, shuffle=seed).result for seed in SEEDS}
    assert len(set(orders.values())) > 10
    assert {seed: succeed(workflow, shuffle=seed).result for seed in SEEDS} == orders


@pytest.mark.parametrize("workflow", [three_tasks, three_threads], ids=["tasks", "threads"])
def test_without_a_seed_it_is_first_come_first_served(workflow: Any) -> None:
    assert {succeed(workflow).result for _ in range(20)} == {tuple("abcabc")}


def deposits() -> int:
    """Two threads add to a balance without a lock, and one of them may be overtaken between read and write."""
    balance = {"amount": 0}

    def deposit() -> None:
        seen = balance["amount"]
        time.sleep(0)
        balance["amount"] = seen + 10

    first, second = threading.Thread(target=deposit), threading.Thread(target=deposit)
    first.start()
    time.sleep(0)
    second.start()
    first.join()
    second.join()
    return balance["amount"]


def test_a_lost_update_is_found_by_some_seed_and_replayed_by_it() -> None:
    balances = {seed: succeed(deposits, shuffle=seed).result for seed in SEEDS}
    assert set(balances.values()) == {10, 20}
    losing = next(seed for seed, balance in balances.items() if balance == 10)
    assert {succeed(deposits, shuffle=losing).result for _ in range(20)} == {10}


# --- random programs ------------------------------------------------------------------------------

TIMES = st.sampled_from([0, 0.1, 0.5, 1, 1, 2, 60])
STEPS = st.recursive(
    st.tuples(st.just("sleep"), TIMES)
    | st.tuples(st.just("thread"), TIMES)
    | st.tuples(st.just("put"), st.integers(0, 2))
    | st.tuples(st.just("get"), TIMES),
    lambda steps: st.tuples(st.just("gather"), st.lists(st.lists(steps, max_size=3), min_size=1, max_size=3)),
    max_leaves=12,
)


def program(steps: list[Any]) -> Any:
    """A workflow that does these steps and returns what it saw, with the moment of each."""

    async def workflow() -> list[Any]:
        seen: list[Any] = []
        line: queue.Queue[int] = queue.Queue()
        loop = asyncio.get_running_loop()

        def in_thread(seconds: float) -> str:
            time.sleep(seconds)
            return "worked"

        def get(seconds: float) -> Any:
            try:
                return line.get(timeout=seconds)
            except queue.Empty:
                return "nothing"

        async def do(path: str, action: str, argument: Any) -> None:
            result: Any = None
            if action == "sleep":
                await asyncio.sleep(argument)
            elif action == "thread":
                result = await asyncio.to_thread(in_thread, argument)
            elif action == "put":
                line.put(argument)
            elif action == "get":
                result = await asyncio.to_thread(get, argument)
            else:
                await asyncio.gather(*(do_all(f"{path}.{n}", branch) for n, branch in enumerate(argument)))
            seen.append((loop.time(), path, action, result))

        async def do_all(path: str, todo: list[Any]) -> None:
            for n, (action, argument) in enumerate(todo):
                await do(f"{path}.{n}", action, argument)

        await do_all("", steps)
        return seen

    return workflow


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=5), seed=st.none() | st.integers(0, 99))
def test_a_random_program_has_the_same_history_twice(steps: list[Any], seed: int | None) -> None:
    first, second = (succeed(program(steps), shuffle=seed) for _ in range(2))
    assert first.result == second.result
    assert (first.seconds, first.world.tier) == (second.seconds, second.world.tier)
    assert first.world.escapes == []
