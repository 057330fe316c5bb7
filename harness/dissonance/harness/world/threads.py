"""Captured threads: a thread that is started by a strand becomes a strand of the same world."""

from __future__ import annotations

import _thread
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

from dissonance.harness.errors import RunStopped

from .locks import VirtualLock
from .patches import Patches
from .queues import VirtualQueue
from .strand import Strand, current_strand, current_world, to_ticks

__all__ = ["forget_thread", "install_threads"]

_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread
_join = threading.Thread.join
_is_alive = threading.Thread.is_alive


def _start(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> int:
    """``_thread.start_new_thread``."""
    world = current_world()
    if world is None:
        return _start_new_thread(function, args, kwargs or {})
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread):
        return _start_thread(thread, world.spawn(thread.name), function)
    return _start_new_thread(_live, (world.spawn("thread"), lambda: function(*args, **(kwargs or {}))))


def _start_thread(thread: threading.Thread, strand: Strand, bootstrap: Callable[..., Any]) -> int:
    """Let the new thread register itself at once, and wait for the baton just before its ``run``.

    ``Thread.start`` waits for that registration; were it to park there, a pool would hold its
    global lock while other strands run.
    """
    strand.thread = thread
    thread._dissonance_strand = strand  # type: ignore[attr-defined]
    registered = _allocate_lock()
    registered.acquire()
    own = vars(thread).get("run")

    def run() -> None:
        if own is None:
            del thread.run
        else:
            thread.run = own  # type: ignore[method-assign]
        registered.release()
        if strand.world.attach(strand):
            with contextlib.suppress(RunStopped):  # here: a thread that was given up may end after its world
                thread.run()

    def live() -> None:
        try:
            bootstrap()
        finally:
            if thread._dissonance_strand is strand and not strand.ident:  # type: ignore[attr-defined]
                registered.release()  # it failed before its run
            strand.world.finish(strand)

    thread.run = run  # type: ignore[method-assign]
    ident = _start_new_thread(live, ())
    registered.acquire()
    return ident


def _live(strand: Strand, function: Callable[..., Any]) -> None:
    try:
        if strand.world.attach(strand):
            function()
    except RunStopped:
        pass
    finally:
        strand.world.finish(strand)


def _strand_of(thread: threading.Thread) -> Strand | None:
    strand: Strand | None = getattr(thread, "_dissonance_strand", None)
    return strand


def _join_strand(thread: threading.Thread, timeout: float | None = None) -> None:
    strand, me = _strand_of(thread), current_strand()
    if strand is None or me is None or strand.world is not me.world or strand is me:
        return _join(thread, timeout)
    until = None if timeout is None else me.world.ticks + to_ticks(max(0.0, timeout))
    me.world.come_in()
    while not strand.done:
        strand.joiners.append(me)
        try:
            woken = me.world.park(until, f"the end of thread {thread.name!r}")
        finally:
            strand.joiners.remove(me)
        if not woken:
            return None
    return _join(thread)  # the baton is ours and its last instructions need none: this takes no time


def _strand_is_alive(thread: threading.Thread) -> bool:
    strand = _strand_of(thread)
    return _is_alive(thread) if strand is None or current_strand() is None else not strand.done


def forget_thread(thread: threading.Thread) -> None:
    """Nobody is to wait for a thread that does not end, least of all the interpreter when it exits."""
    locks: set[Any] = getattr(threading, "_shutdown_locks", set())
    locks.discard(getattr(thread, "_tstate_lock", None))


def install_threads(patches: Patches) -> None:
    """Make the threads, locks and queues that are created from now on virtual inside the world."""
    patches.set(threading, "_allocate_lock", VirtualLock)
    patches.replace(threading, "Lock", VirtualLock)
    patches.set(threading, "_CRLock", None)  # RLock() then builds on _allocate_lock
    patches.set(threading, "_start_new_thread", _start)
    patches.replace(_thread, "start_new_thread", _start)
    patches.set(threading.Thread, "join", _join_strand)
    patches.set(threading.Thread, "is_alive", _strand_is_alive)
    patches.replace(queue, "SimpleQueue", VirtualQueue)
