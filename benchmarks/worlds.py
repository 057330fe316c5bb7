"""What a world costs without any call: pure asyncio against a bare virtual loop, and threads that sleep.

The bare loop is the least that virtual time can be: ``asyncio``'s own loop whose clock jumps to the
next timer. It captures no thread, and cannot.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any

from dissonance.harness.world import World, complete, inside

from .rows import Row, ratio, timed

__all__ = ["rows"]

TARGET = 2.0
TARGET_MS = 100.0
TASKS, STEPS = 50, 40
NODES, MINUTE = 40, 60.0


# --- pure asyncio -----------------------------------------------------------------------------


class _Jumping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


def _bare(workflow: Callable[[], Coroutine[Any, Any, float]]) -> float:
    selector = _Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(workflow())
    finally:
        loop.close()


def _in_a_world(workflow: Callable[[], Coroutine[Any, Any, float]]) -> float:
    world = World()
    with inside(world):
        return complete(world, workflow())


async def _busy() -> float:
    """Tasks that sleep, pass on items, and time out; returns the virtual seconds that it took."""
    line: asyncio.Queue[int] = asyncio.Queue()

    async def task(number: int) -> None:
        for step in range(STEPS):
            await asyncio.sleep(0.5 + number % 7)
            line.put_nowait(step)
            async with asyncio.timeout(30):
                await line.get()

    await asyncio.gather(*[task(number) for number in range(TASKS)])
    return asyncio.get_running_loop().time()


def _pure_asyncio(rounds: int) -> Row:
    expected = max(STEPS * (0.5 + number % 7) for number in range(TASKS))

    def play(how: Callable[[Callable[[], Coroutine[Any, Any, float]]], float]) -> float:
        found = 0.0

        def action() -> None:
            nonlocal found
            found = how(_busy)

        spent = timed(action)
        assert abs(found - expected) < 1e-6, found
        return spent

    row = ratio(
        "pure asyncio in a world", TARGET, lambda: play(_in_a_world), lambda: play(_bare), calls=1, rounds=rounds
    )
    return replace(row, detail=f"over a bare virtual loop; {TASKS} tasks of {STEPS} steps, {rounds} rounds")


# --- threads ----------------------------------------------------------------------------------


def _forty_nodes() -> float:
    """Real milliseconds for forty sync nodes of a minute each, side by side."""
    world = World()
    began = time.perf_counter()
    with inside(world), ThreadPoolExecutor(NODES) as pool:
        list(pool.map(time.sleep, [MINUTE] * NODES))
        assert time.monotonic() == MINUTE
    return 1000 * (time.perf_counter() - began)


def rows(rounds: int) -> Iterator[Row]:
    """Pure asyncio, as CPU time; forty threads, as real time."""
    yield _pure_asyncio(rounds)
    spent = median(_forty_nodes() for _ in range(rounds))
    yield Row(f"{NODES} sync nodes of {MINUTE:g} s", TARGET_MS, spent, "ms", f"real time, median of {rounds} rounds")
