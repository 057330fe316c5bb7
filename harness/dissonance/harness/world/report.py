"""Who waits for what: the text of a deadlock's report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kernel import Strand, World

__all__ = ["describe_deadlock", "describe_task"]


def describe_deadlock(world: World) -> str:
    """One line a strand or task, each with what it waits for."""
    waits = [line for strand in world.strands if not strand.done for line in _describe_strand(strand)]
    return "deadlock: nothing can run and nothing is due; " + "; ".join(waits)


def _describe_strand(strand: Strand) -> list[str]:
    from .loop import VirtualLoop

    if isinstance(strand.waits_for, VirtualLoop):
        tasks = sorted(asyncio.all_tasks(strand.waits_for), key=hash)
        if tasks:
            return [describe_task(task) for task in tasks]
        return [f"thread {strand.name!r} waits in an event loop without tasks"]
    what = strand.waits_for
    return [f"thread {strand.name!r} waits for {what.describe_wait() if hasattr(what, 'describe_wait') else what}"]


def describe_task(task: asyncio.Task[Any]) -> str:
    """A task's name, its coroutine, the line where it waits, and for what."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    frames = task.get_stack()
    where = f" at {frames[-1].f_code.co_filename.rsplit('/', 1)[-1]}:{frames[-1].f_lineno}" if frames else ""
    return f"task {task.get_name()!r} ({name}{where}) waits for {_describe_waiter(getattr(task, '_fut_waiter', None))}"


def _describe_waiter(waiter: Any) -> str:
    if waiter is None:
        return "its turn"
    if isinstance(waiter, asyncio.Task):
        return f"task {waiter.get_name()!r}"
    children = getattr(waiter, "_children", None)
    if children:
        return "all of " + ", ".join(_describe_waiter(child) for child in children)
    return "a future that nobody completes"
