"""Thread pools that were made outside the world and are used inside it, and the futures of all pools.

A pool made outside has a queue in C, in which a worker would block with the baton in its hand.
Where it has no threads yet, it is lent a virtual queue, and its workers are strands; where it has
some, they are foreign threads: what they do is seen only by its end.

A pool that is made inside without a number of workers has ``WORKERS``: Python takes it from the machine's cores, and
what waits for a free worker would take longer on one machine than on another.
"""

from __future__ import annotations

import functools
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import thread as pool_module
from typing import Any

from .kernel import World
from .locks import VirtualLock
from .patches import Patches
from .queues import VirtualQueue
from .strand import current_world, stepping_out

__all__ = ["WORKERS", "install_pools", "lend_shutdown_lock", "pools_of", "retire_workers"]

_RealQueue = queue.SimpleQueue
_real_init = Future.__init__
_real_pool = ThreadPoolExecutor.__init__
_real_submit = ThreadPoolExecutor.submit


WORKERS = 8
"""Workers of a pool for which nobody chose a number: Python's own choice on a machine of four cores."""


def install_pools(patches: Patches) -> None:
    """Make pools virtual inside a world and of one size on all machines, and futures hash by creation."""
    patches.set(ThreadPoolExecutor, "__init__", _init_pool)
    patches.set(Future, "__init__", _init_future)
    patches.set(Future, "__hash__", _hash_future)
    patches.set(ThreadPoolExecutor, "submit", _submit)


def lend_shutdown_lock(patches: Patches) -> None:
    """For one world: a thread that it gives up may hold the lock which all pools share."""
    patches.set(pool_module, "_global_shutdown_lock", VirtualLock())


@functools.wraps(_real_pool)
def _init_pool(pool: ThreadPoolExecutor, max_workers: int | None = None, *args: Any, **options: Any) -> None:
    if max_workers is None and current_world() is not None:
        max_workers = WORKERS
    _real_pool(pool, max_workers, *args, **options)


def _init_future(future: Future[Any]) -> None:
    _real_init(future)
    world = current_world()
    if world is not None:
        future._dissonance_number = next(world.numbers)  # type: ignore[attr-defined]


def _hash_future(future: Future[Any]) -> int:
    """By creation order, so that ``wait`` and ``as_completed`` iterate their sets alike in every run."""
    number = getattr(future, "_dissonance_number", None)
    return object.__hash__(future) if number is None else number


def _submit(pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
    world = current_world()
    if world is None or not isinstance(pool._work_queue, _RealQueue):
        return _real_submit(pool, function, *args, **options)
    if not pool._threads:
        _lend(pool, world.patches)
        return _real_submit(pool, function, *args, **options)
    with stepping_out():  # what threads it starts now have to be of the same kind
        future = _real_submit(pool, function, *args, **options)
    _expect(world, pool, future)
    return future


def _lend(pool: ThreadPoolExecutor, patches: Patches) -> None:
    patches.set(pool, "_work_queue", VirtualQueue())
    patches.set(pool, "_shutdown_lock", VirtualLock())
    patches.set(pool, "_idle_semaphore", threading.Semaphore(0))


def _expect(world: World, pool: ThreadPoolExecutor, future: Future[Any]) -> None:
    """Its workers are foreign: note it, and let the clock keep step with real time until they are done."""
    names = sorted(thread.name for thread in pool._threads)
    world.escape(f"thread pool from outside the run, with threads {names[0]!r} to {names[-1]!r}")
    world.outside.add(future)
    future.add_done_callback(world.outside.arrived)


def pools_of(threads: list[threading.Thread]) -> list[ThreadPoolExecutor]:
    """The pools whose workers these live threads are."""
    found = [_pool_of(thread) for thread in threads]
    return [pool for pool in found if pool is not None]


def retire_workers(pools: list[ThreadPoolExecutor], threads: list[threading.Thread]) -> None:
    """Take threads of an ended world out of pools that may outlive it, so that these start new ones."""
    for thread in threads:
        pool_module._threads_queues.pop(thread, None)  # type: ignore[attr-defined]
    for pool in pools:
        pool._threads -= set(threads)
        pool._idle_semaphore = threading.Semaphore(0)


def _pool_of(thread: threading.Thread) -> ThreadPoolExecutor | None:
    first = getattr(thread, "_args", (None,))[:1]
    pool = first[0]() if first and isinstance(first[0], weakref.ref) else None
    return pool if isinstance(pool, ThreadPoolExecutor) else None
