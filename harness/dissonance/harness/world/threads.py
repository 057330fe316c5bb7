"""Captured threads: locks that park their strand, and threads that run as strands.

``threading`` builds its conditions, events, semaphores, barriers, timers and queues on one lock;
making that lock virtual makes all of them so, and with them ``concurrent.futures`` and what
frameworks build on it. A lock outlives the world it was made in: outside any world it is a plain
lock.
"""

from __future__ import annotations

import _thread
import itertools
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from ..errors import RunStopped
from .kernel import Strand, World, current_strand, current_world, to_ticks
from .patches import Patches

__all__ = ["VirtualLock", "install_threads", "retire_pool_workers"]

_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread
_join = threading.Thread.join
_is_alive = threading.Thread.is_alive
_real_future_init = Future.__init__


class VirtualLock:
    """``threading.Lock`` whose waiting parks the strand, so that another one can release it."""

    __slots__ = ("__weakref__", "_lock", "_waiters")

    def __init__(self) -> None:
        self._lock = _allocate_lock()
        self._waiters: deque[Strand] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As ``threading.Lock.acquire``; ``timeout`` is in virtual seconds."""
        if self._lock.acquire(False):
            return True
        if not blocking:
            return False
        strand = current_strand()
        if strand is None:
            return self._lock.acquire(True, timeout)
        until = None if timeout is None or timeout < 0 else strand.world.ticks + to_ticks(timeout)
        return self._wait(strand, until)

    def _wait(self, strand: Strand, until: int | None) -> bool:
        while True:
            self._waiters.append(strand)
            try:
                woken = strand.world.park(until, self)
            finally:
                if strand in self._waiters:
                    self._waiters.remove(strand)
            if self._lock.acquire(False):
                return True
            if not woken:
                return False

    def release(self) -> None:
        """As ``threading.Lock.release``."""
        self._lock.release()
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.world.wake(waiter)

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._lock.locked()

    def describe_wait(self) -> str:
        """For the deadlock's report."""
        return "a lock, queue, event or future that nobody releases"

    def _at_fork_reinit(self) -> None:
        self._lock = _allocate_lock()
        self._waiters.clear()

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _start_strand(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> int:
    """``_thread.start_new_thread``: a thread started by a strand becomes a strand of the same world."""
    world = current_world()
    if world is None:
        return _start_new_thread(function, args, kwargs or {})
    thread = getattr(function, "__self__", None)
    strand = world.spawn(thread.name if isinstance(thread, threading.Thread) else "thread")
    if isinstance(thread, threading.Thread):
        strand.thread = thread
        thread._dissonance_strand = strand  # type: ignore[attr-defined]

    def body() -> None:
        world.attach(strand)
        try:
            function(*args, **(kwargs or {}))
        except RunStopped:
            pass
        finally:
            world.finish(strand)

    return _start_new_thread(body, ())


def _strand_of(thread: threading.Thread) -> Strand | None:
    strand: Strand | None = getattr(thread, "_dissonance_strand", None)
    return strand


def _join_strand(thread: threading.Thread, timeout: float | None = None) -> None:
    strand, me = _strand_of(thread), current_strand()
    if strand is None or me is None or strand.world is not me.world or strand is me:
        return _join(thread, timeout)
    until = None if timeout is None else me.world.ticks + to_ticks(max(0.0, timeout))
    while not strand.done:
        strand.joiners.append(me)
        woken = me.world.park(until, f"the end of thread {thread.name!r}")
        if not woken:
            return None
    return _join(thread)  # the baton is ours and its last instructions need none: this takes no time


def _strand_is_alive(thread: threading.Thread) -> bool:
    strand = _strand_of(thread)
    return _is_alive(thread) if strand is None or current_strand() is None else not strand.done


def _without_run_stopped(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
    def quiet(args: Any) -> None:
        if not issubclass(args.exc_type, RunStopped):
            hook(args)

    return quiet


_future_numbers = itertools.count(1)


def _init_future(future: Future[Any]) -> None:
    _real_future_init(future)
    future._dissonance_number = next(_future_numbers)  # type: ignore[attr-defined]


def _hash_future(future: Future[Any]) -> int:
    """By creation order, so that ``wait`` and ``as_completed`` iterate their sets alike in every run."""
    return getattr(future, "_dissonance_number", id(future) >> 4)


def retire_pool_workers(strands: Iterable[Strand]) -> None:
    """Take worker threads that are about to end out of pools that outlive the run, so that the pools start new ones."""
    for strand in strands:
        thread = strand.thread
        reference = getattr(thread, "_args", (None,))[:1]
        pool = reference[0]() if reference and isinstance(reference[0], weakref.ref) else None
        if isinstance(pool, ThreadPoolExecutor):
            pool._threads.discard(thread)  # type: ignore[arg-type]
            pool._idle_semaphore.acquire(blocking=False)  # type: ignore[attr-defined]


def install_threads(patches: Patches) -> None:
    """Make the threads, locks and queues that are created from now on virtual inside the world."""
    patches.set(threading, "_allocate_lock", VirtualLock)
    patches.set(threading, "Lock", VirtualLock)
    patches.set(threading, "_CRLock", None)  # RLock() then builds on _allocate_lock
    patches.set(threading, "_start_new_thread", _start_strand)
    patches.set(_thread, "start_new_thread", _start_strand)
    patches.set(threading.Thread, "join", _join_strand)
    patches.set(threading.Thread, "is_alive", _strand_is_alive)
    patches.set(threading, "excepthook", _without_run_stopped(threading.excepthook))
    patches.set(Future, "__init__", _init_future)
    patches.set(Future, "__hash__", _hash_future)
    patches.set(queue, "SimpleQueue", queue._PySimpleQueue)  # type: ignore[attr-defined]
