"""Looks at a world from outside, in real time: what runs too long, and what blocks where the clock can't see it.

One raw thread for all worlds of a process, which come one after the other: it costs more to start one than to
make a run, so it ends only when there has been no world for a while. It looks at the running strand while it
holds the world's guard, so that no strand enters, leaves or ends meanwhile.

A strand that gets no processor, because the machine has other work, or waits for a disk does not block: it goes on by
itself, and nothing else should run before. Linux tells; elsewhere its processor time has to.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import threading
import time

from dissonance.harness.errors import RunStopped

from .insist import insist
from .kernel import World
from .places import place_of_thread
from .strand import Strand

__all__ = ["OutOfRealTime", "Watchdog"]

_INTERVAL = 0.05
_RAISE_EVERY = 20  # looks: a second for a strand to unwind before it is told again
_TELLS = 10  # to who was given up, after its world
_IDLE_LOOKS = 20
_IDLE_SHARE = 0.05  # of the processor, below which a strand counts as blocked

_monotonic = time.monotonic
_process_time = time.process_time
_allocate_lock = _thread.allocate_lock
_start = _thread.start_new_thread
_get_ident = _thread.get_ident
_open, _read, _close = os.open, os.read, os.close  # no file objects: one could start the collector in this thread
_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc


class OutOfRealTime(RunStopped):
    """Raised asynchronously into a strand that never enters the world."""

    def __init__(self) -> None:
        super().__init__("real_seconds", "the run used up its real time without returning to the harness")


class OutOfPatience(OutOfRealTime):
    """The same, where it was swallowed: made in the strand that is to end, in the handler that catches it."""

    def __init__(self) -> None:
        super().__init__()
        insist(self)


class Watchdog:
    """Watches one world from :meth:`start` to :meth:`stop`. ``interrupted``: it sent the main thread a Ctrl-C."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._looks = self._asleep = 0
        self._switches = self._breaths = -1  # two numbers: a tuple could start the collector in this thread
        self._since = self._cpu = 0.0
        self._until_next = 0
        self._lost: list[Strand] = []
        self._told: set[int] = set()
        self._raised_in_main = False
        self.interrupted = False

    def start(self) -> None:
        """Begin to watch."""
        _thread_of_all.watch(self)

    def stop(self) -> None:
        """Watch no more; tell who was given up again, and take back what has not been raised in the calling strand."""
        _thread_of_all.watch(None)
        self._raise(None)
        _thread_of_all.pursue(self._lost)
        if self._raised_in_main:
            _take_back(self._world.main)

    def look(self) -> None:
        """Look once; in the watching thread."""
        with self._world.guard:
            self._look()

    def _look(self) -> None:
        world, running = self._world, self._world.running
        if running is None:
            return
        self._compare(running)
        if world.real_time_is_up():
            self._end_the_world()
        elif self._asleep * _INTERVAL >= world.blocked_seconds and self._is_blocked(running):
            world.evict(_monotonic() - self._since, place_of_thread(running.ident))

    def _compare(self, running: Strand) -> None:
        world = self._world
        if world.switches != self._switches or world.breaths != self._breaths or world.outside.listening:
            self._switches, self._breaths, self._looks = world.switches, world.breaths, 0
            self._asleep = 0
            self._since, self._cpu = _monotonic(), _cpu_seconds(running)
        else:
            self._looks += 1
            self._asleep = 0 if _goes_on(running) else self._asleep + 1

    def _is_blocked(self, running: Strand) -> bool:
        return _cpu_seconds(running) - self._cpu < _IDLE_SHARE * (_monotonic() - self._since)

    def _end_the_world(self) -> None:
        running, main = self._world.running, self._world.main
        if running is None or (self._looks == 0 and not main.outside):
            return  # it enters the world by itself, and is told there
        who = main if main.outside else running
        place = place_of_thread(who.ident)
        self._world.end(self._world.out_of_real_time(f"at {place} in thread {who.name!r}"))
        if self._looks > 0 and running is not main:
            self._give_up(running, place)
        if self._until_next == 0:
            self._raise(main if who is main else None)
        self._until_next = (self._until_next + 1) % _RAISE_EVERY

    def _give_up(self, strand: Strand, place: str) -> None:
        if self._world.seize(strand, place):
            self._lost.append(strand)
            self._until_next = 0

    def _raise(self, main: Strand | None) -> None:
        for strand in self._lost:
            if not strand.done:
                self._raise_in(strand)
        if main is not None:
            self._stop_main(main)

    def _stop_main(self, main: Strand) -> None:
        if (main.outside or self._is_blocked(main)) and _takes_interrupts(main):
            self.interrupted = True
            if main.ident in self._told:
                self._raise_in(main)  # it swallowed the interrupt
            self._told.add(main.ident)
            signal.pthread_kill(main.ident, signal.SIGINT)
        else:
            self._raised_in_main = True
            self._raise_in(main)

    def _raise_in(self, strand: Strand) -> None:
        """Politely at first, so that its ``finally`` blocks can do their work."""
        _raise_in(strand, OutOfPatience if strand.ident in self._told else OutOfRealTime)
        self._told.add(strand.ident)


class _Thread:
    """The thread: at most one, started when there is something to watch."""

    def __init__(self) -> None:
        self._turn = _allocate_lock()  # held while it looks, so that none is being watched who has stopped
        self._tick = _allocate_lock()
        self._tick.acquire()  # for ever: to wait for it is to sleep, on a lock that no world replaces
        self._watched: Watchdog | None = None
        self._pursued: list[tuple[Strand, int]] = []
        self._running = False

    def watch(self, watchdog: Watchdog | None) -> None:
        with self._turn:
            self._watched = watchdog
            if watchdog is not None and not self._running:
                self._running = True
                _start(self._run, ())

    def pursue(self, lost: list[Strand]) -> None:
        """Tell them again now and then, after their world: what is raised in the midst of a handler may be lost there."""
        with self._turn:
            self._pursued += [(strand, _TELLS * _RAISE_EVERY) for strand in lost]

    def _pursue(self) -> None:
        self._pursued = [(strand, left - 1) for strand, left in self._pursued if left > 0 and _lives(strand)]
        for strand, left in self._pursued:
            if left % _RAISE_EVERY == 0:
                _raise_in(strand, OutOfPatience)

    def _run(self) -> None:
        idle = 0
        while True:
            self._tick.acquire(timeout=_INTERVAL)
            with self._turn:
                idle = 0 if self._watched is not None else idle + 1
                self._pursue()
                if idle > _IDLE_LOOKS and not self._pursued:
                    self._running = False
                    return
                if self._watched is not None:
                    self._watched.look()


def _begin_anew() -> None:
    global _thread_of_all
    _thread_of_all = _Thread()


_thread_of_all = _Thread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)  # a child has none of its parent's threads


def _takes_interrupts(main: Strand) -> bool:
    """Whether a SIGINT ends what it blocks in: Python's own handler, or that of ``asyncio.run`` (at the second one)."""
    if main.ident != threading.main_thread().ident:
        return False
    handler = signal.getsignal(signal.SIGINT)
    function = getattr(handler, "func", handler)
    return function is signal.default_int_handler or getattr(function, "__name__", "") == "_on_sigint"


def _cpu_seconds(strand: Strand) -> float:
    """Processor time of the strand's thread; of the whole process where the platform cannot tell."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(strand.ident))
    except (OSError, AttributeError):
        return _process_time()


def _lives(strand: Strand) -> bool:
    """Whether the strand's thread runs code of its own; its number may be another thread's by now."""
    return not strand.done and threading._active.get(strand.ident) is strand.thread is not None  # type: ignore[attr-defined]


def _goes_on(strand: Strand) -> bool:
    """Whether Linux says that the strand's thread runs, waits for a processor (both R), or for a disk (D)."""
    try:
        file = _open(f"/proc/self/task/{strand.native}/stat", os.O_RDONLY)
    except OSError:
        return False
    try:
        line = _read(file, 256)
    finally:
        _close(file)
    return line[line.rfind(b")") + 2 :][:1] in (b"R", b"D")


class _Nothing(BaseException):
    """Raised in the place of what nobody is to see."""


def _raise_in(strand: Strand, error: type[BaseException]) -> None:
    """Raise it at the strand's next instruction.

    CPython 3.11 notes for the interpreter, not for the thread, that there is something to raise, and a traced
    function does not begin while the note stands, be it for a thread that blocks. So the calling thread takes the
    note down by raising nothing in itself; the strand's thread puts it up again when its turn comes. No function
    may be called in between.
    """
    try:
        _set_async_exc(ctypes.c_ulong(strand.ident), ctypes.py_object(error))
        _set_async_exc(ctypes.c_ulong(_get_ident()), ctypes.py_object(_Nothing))
        for _ in range(1000):  # it is looked for where a loop begins anew
            pass
    except _Nothing:
        pass


def _take_back(me: Strand) -> None:
    """Let what is still to be raised in the calling strand be raised here, as nothing."""
    _raise_in(me, _Nothing)
