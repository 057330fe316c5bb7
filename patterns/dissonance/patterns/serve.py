"""Tasks that arrive one by one, done by a pattern that is already running.

**When to use it.** Tasks come from a queue, a mailbox, another pattern, and their number is not known. Around
``supervise`` it is a pool with a dispatcher: each task goes to the worker that has least in hand. **When not.** All
tasks are known (``fan_out`` bounds and reduces them).

**What it costs.** What the pattern costs. No task is taken before there is a slot for it, so what waits, waits in
the source, where a queue can be bounded and watched.

**How it fails.** A task that raises comes back as one that failed, and the next is taken. Where the source raises,
what is running is cancelled and the error is passed on. Work that never ends holds its slot: give the pattern a
``TimeBox``. Guards hold for each task; put those of the whole around the loop that serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .outcome import Outcome, Pattern
from .question import Halted

__all__ = ["Served", "arriving", "serve"]

T = TypeVar("T")


@dataclass(frozen=True)
class Served(Generic[T]):
    """A task and what became of it: an outcome, or the error that its pattern raised. ``index`` counts arrivals, from 1."""

    index: int
    task: str
    outcome: Outcome[T] | None = None
    error: Exception | None = None


async def serve(pattern: Pattern[T], tasks: AsyncIterable[str], *, at_once: int = 4) -> AsyncGenerator[Served[T], None]:
    """Do tasks as they arrive, ``at_once`` (from 1) at a time; gives each as it ends, and ends when the tasks do.

    Close it (``contextlib.aclosing``) where you leave it early: what is running is then cancelled.
    """
    if at_once < 1:
        raise ValueError(f"at_once={at_once!r}: give 1 or more")
    source = aiter(tasks)
    running: list[asyncio.Future[Served[T]]] = []
    awaited: asyncio.Future[str | None] | None = asyncio.ensure_future(_next(source))
    index = 0
    try:
        while running or awaited is not None:
            ready = awaited is not None and len(running) < at_once
            waiting: list[asyncio.Future[Any]] = [*running, *([awaited] if awaited is not None and ready else [])]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for ended in [each for each in running if each.done()]:
                running.remove(ended)
                yield ended.result()
            if ready and awaited is not None and awaited.done():
                task, awaited = awaited.result(), None
                if task is not None:
                    index += 1
                    running.append(asyncio.ensure_future(_done(pattern, index, task)))
                    awaited = asyncio.ensure_future(_next(source))
    finally:
        left: list[asyncio.Future[Any]] = [*running, *([awaited] if awaited is not None else [])]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def arriving(queue: asyncio.Queue[str | None]) -> AsyncIterator[str]:
    """The tasks of a queue, up to the first None that somebody puts there."""
    while (task := await queue.get()) is not None:
        yield task


async def _next(source: AsyncIterator[str]) -> str | None:
    return await anext(source, None)


async def _done(pattern: Pattern[T], index: int, task: str) -> Served[T]:
    try:
        return Served(index, task, await pattern(task))
    except Halted:
        raise
    except Exception as error:
        return Served(index, task, error=error)
