"""Two ways to wait for several coroutines that leave none of them behind, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

__all__ = ["all_of", "first_of"]

T = TypeVar("T")


async def all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order. The first exception is raised as it is (not as a group), after all others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancelled(tasks)


async def first_of(start: Callable[[], Coroutine[Any, Any, T]], *, after: float) -> T:
    """A hedged request: ``start`` is called again if the first is not done ``after`` seconds; the first result counts.

    One that fails leaves it to the other; where both fail, the first one's exception is raised.
    """
    tasks = [asyncio.ensure_future(start())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=after)
        if done:
            return tasks[0].result()
        tasks.append(asyncio.ensure_future(start()))
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if waiting and all(task.cancelled() or task.exception() is not None for task in done):
            await asyncio.wait(waiting)
        good = (task for task in tasks if task.done() and not task.cancelled() and task.exception() is None)
        return next(good, tasks[0]).result()
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Sequence[asyncio.Future[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
