"""Virtual time: everything that waits inside a world takes no real time and repeats exactly.

``kernel`` has the clock and the baton; ``loop`` puts asyncio on them, ``threads`` captures
threads and locks, ``clocks`` the readings of time; ``watchdog`` watches from outside.
:func:`inside` puts a world on and takes it off; :func:`complete` runs a coroutine in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio import events
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from ..errors import RunStopped
from .clocks import EPOCH, install_clocks
from .kernel import World, current_world
from .loop import VirtualLoop, VirtualPolicy
from .patches import Patches
from .threads import install_threads, retire_pool_workers
from .watchdog import watch, watch_no_more

__all__ = ["EPOCH", "Patches", "VirtualLoop", "World", "complete", "current_world", "inside"]

T = TypeVar("T")


@contextlib.contextmanager
def inside(world: World) -> Iterator[Patches]:
    """Run the block as the main strand of ``world``; everything is put back on the way out.

    Yields the patches, so that a caller may add its own for the same span.
    """
    with Patches() as patches:
        install_clocks(patches)
        install_threads(patches)
        patches.set(events, "_event_loop_policy", VirtualPolicy(world, asyncio.get_event_loop_policy()))
        world.enter()
        watch(world)
        try:
            yield patches
        finally:
            watch_no_more()
            _end_threads(world)
            world.leave()


def _end_threads(world: World) -> None:
    if len(world.strands) > 1:
        retire_pool_workers(world.strands)
        with Patches() as patches:
            patches.set(logging.getLogger("concurrent.futures"), "disabled", True)
            world.abandoned.extend(f"thread {name!r}" for name in world.unwind())


def complete(world: World, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, and end the tasks that it left behind."""
    loop = VirtualLoop(world)
    events.set_event_loop(loop)
    task = loop.create_task(coroutine, name="workflow")
    try:
        return loop.run_until_complete(task)
    finally:
        try:
            _end_tasks(loop)
        finally:
            events.set_event_loop(None)
            loop.close()


def _end_tasks(loop: VirtualLoop) -> None:
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(RunStopped):
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    for task in sorted(asyncio.all_tasks(loop), key=hash):
        loop.world.abandoned.append(f"task {task.get_name()!r}")
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # seen: asyncio need not complain of it


