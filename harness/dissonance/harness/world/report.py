"""Who waits for what, and who is busy: the texts that end a world."""

from __future__ import annotations

import _thread
import asyncio
from asyncio import events
from typing import TYPE_CHECKING, Any

from .places import place_of_task, place_of_thread, waits_in
from .strand import current_strand

if TYPE_CHECKING:
    from .kernel import World
    from .strand import Strand

__all__ = ["describe_busy", "describe_deadlock", "tasks_of"]


def tasks_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """Its unfinished tasks, in the order of their creation."""
    return sorted(asyncio.all_tasks(loop), key=hash)


def describe_deadlock(world: World) -> str:
    """One line a strand or task, each with what it waits for."""
    waits = [line for strand in world.strands if not strand.done for line in _describe_strand(strand)]
    return "deadlock: nothing can run and nothing is due; " + "; ".join(waits)


def describe_busy(world: World) -> str:
    """What runs without end: the main strand if it blocks outside, else the calling one's tasks, or its line."""
    if world.main.outside:
        return f"at {place_of_thread(world.main.ident)} in thread {world.main.name!r}"
    loop = events._get_running_loop()
    handles = list(getattr(loop, "_ready", ()))
    tasks = [owner for handle in handles if isinstance(owner := _owner(handle), asyncio.Task)]
    if tasks:
        return "busy with " + ", ".join(f"task {task.get_name()!r} at {place_of_task(task)}" for task in tasks)
    strand = current_strand()
    return f"at {place_of_thread(_thread.get_ident())} in thread {(strand or world.main).name!r}"


def _owner(handle: asyncio.Handle) -> Any:
    return getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]


def _describe_strand(strand: Strand) -> list[str]:
    from .loop import VirtualLoop

    who = f"thread {strand.name!r}"
    if isinstance(strand.waits_for, VirtualLoop):
        tasks = tasks_of(strand.waits_for)
        return [_describe_task(task) for task in tasks] or [f"{who} waits in an event loop without tasks"]
    return [f"{who} waits for {_describe_wait(strand)} at {place_of_thread(strand.ident)}"]


def _describe_wait(strand: Strand) -> str:
    if strand.outside:
        return "something outside the world"
    if isinstance(strand.waits_for, str):
        return strand.waits_for
    method = waits_in(strand.ident)
    if method and not method.startswith("_RLock."):
        return method
    return str(strand.waits_for.describe_wait(strand))


def _describe_task(task: asyncio.Task[Any]) -> str:
    who = f"task {task.get_name()!r} at {place_of_task(task)}"
    return f"{who} waits for {_describe_waiter(getattr(task, '_fut_waiter', None), waits_in(task))}"


def _describe_waiter(waiter: Any, method: str) -> str:
    if waiter is None:
        return "its turn"
    if isinstance(waiter, asyncio.Task):
        return f"task {waiter.get_name()!r}"
    children = getattr(waiter, "_children", None)
    if children:
        return "all of " + ", ".join(_describe_waiter(child, "") for child in children)
    return method or "a future that nobody completes"
