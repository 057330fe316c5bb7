"""Entering a world, and leaving nothing of it behind."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import ctypes
import inspect
import logging
from asyncio import events
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from dissonance.harness.errors import BusyError, RunStopped

from .clocks import install_clocks
from .insist import untraced
from .kernel import World
from .loop import VirtualLoop, VirtualPolicy, every_task
from .ordered import install_order
from .patches import Patches, Standing
from .pools import install_pools, lend_shutdown_lock, pools_of, retire_workers
from .processes import install_processes
from .report import tasks_of
from .strand import Strand
from .threads import forget_thread, install_threads
from .watchdog import OutOfRealTime, Watchdog

__all__ = ["STANDING", "complete", "inside", "refuse_if_taken"]

T = TypeVar("T")

_one_world = _thread.allocate_lock()


def _install(patches: Patches) -> None:
    install_clocks(patches)
    install_threads(patches)
    install_pools(patches)
    install_order(patches)
    install_processes(patches)


STANDING = Standing(_install)
"""What every world needs, and code outside of any does not notice. Who makes many worlds holds it meanwhile."""


_TAKEN = "a process holds one world at a time: another run is going on in it; wait for its end"


def refuse_if_taken() -> None:
    """Raise BusyError where a thread of this process is in a world."""
    if _one_world.locked():
        raise BusyError(_TAKEN)


@contextlib.contextmanager
def inside(world: World) -> Iterator[Patches]:
    """Run the block as the main strand of ``world``; everything is put back on the way out.

    Yields the patches, so that a caller may add its own for the same span. What the watchdog
    raised to end the block becomes ``world.ending``. Raises :class:`BusyError` where another
    thread is in a world.
    """
    if not _one_world.acquire(False):
        raise BusyError(_TAKEN)
    try:
        with STANDING, world.patches as patches:
            lend_shutdown_lock(patches)
            patches.set(events, "_event_loop_policy", VirtualPolicy(world, asyncio.get_event_loop_policy()))
            with untraced(), _watched(world):
                yield patches
    finally:
        _one_world.release()


@contextlib.contextmanager
def _watched(world: World) -> Iterator[None]:
    watchdog = Watchdog(world)
    world.enter()
    try:
        watchdog.start()
        try:
            try:
                yield
            finally:
                _end_threads(world)
        finally:
            watchdog.stop()
    except (KeyboardInterrupt, OutOfRealTime) as error:
        if isinstance(error, KeyboardInterrupt) and not watchdog.interrupted:
            raise
        raise world.ending or error from None
    finally:
        world.leave()


def _end_threads(world: World) -> None:
    threads = [strand.thread for strand in world.strands if strand.thread is not None and strand is not world.main]
    pools = pools_of(threads)
    with _quiet_pools():
        stubborn = world.unwind()
    retire_workers(pools, threads)
    for strand in stubborn:
        world.abandoned.append(_described(strand))
        if strand.thread is not None:
            forget_thread(strand.thread)
    _forget_tasks(world)


@contextlib.contextmanager
def _quiet_pools() -> Iterator[None]:
    """``concurrent.futures`` logs what ends its workers."""
    logger = logging.getLogger("concurrent.futures")
    former, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = former


def _described(strand: Strand) -> str:
    return f"thread {strand.name!r}" + (f", last seen at {strand.waits_for}" if strand.outside else "")


def complete(world: World, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, and end the tasks that it left behind."""
    loop = VirtualLoop(world)
    events.set_event_loop(loop)
    task = loop.create_task(coroutine, name="workflow")
    try:
        return loop.run_until_complete(task)
    finally:
        try:
            if world.ending is None or not world.ending.abrupt:
                _end_tasks(loop)
            else:
                _bury_tasks(world)
        finally:
            events.set_event_loop(None)
            loop.close()


def _end_tasks(loop: VirtualLoop) -> None:
    tasks = tasks_of(loop)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(RunStopped), loop.world.cleaning_up():
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        if loop._asyncgens:  # type: ignore[attr-defined]
            loop.run_until_complete(loop.shutdown_asyncgens())
        if loop._default_executor is not None:  # type: ignore[attr-defined]
            loop.run_until_complete(loop.shutdown_default_executor())
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # seen: asyncio need not complain of it


def _forget_tasks(world: World) -> None:
    """Name the tasks that did not end, and let nobody complain when they are collected."""
    pending = {task for task in every_task() if not task.done()}
    for task in sorted((task for task in pending if _is_of(world, task)), key=hash):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        if not _is_housekeeping(task):
            world.abandoned.append(f"task {task.get_name()!r}")
        _close(task.get_coro())


def _bury_tasks(world: World) -> None:
    """Nobody is left to see what ended them."""
    for task in every_task():
        if _is_of(world, task) and not task.done():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _close(task.get_coro())
        elif _is_of(world, task) and not task.cancelled():
            task.exception()


def _is_of(world: World, task: asyncio.Task[Any]) -> bool:
    loop = task.get_loop()
    return isinstance(loop, VirtualLoop) and loop.world is world


def _is_housekeeping(task: asyncio.Task[Any]) -> bool:
    name = getattr(task.get_coro(), "__qualname__", "")
    return name == "wait" or name.startswith("BaseEventLoop.")


def _close(coroutine: Any) -> None:
    """One that never began ends silently. Another one could run on for ever as it is closed: it becomes immortal.

    To collect it is to close it, be it at the interpreter's end: a reference is added that nobody takes back.
    """
    if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        coroutine.close()
    else:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
