"""Looks at a world from outside, in real time: what runs too long, and what blocks where the clock can't see it.

One raw thread a world, which ends with it. It looks at the running strand while it holds the
world's guard, so that no strand enters, leaves or ends meanwhile.
"""

from __future__ import annotations

import _thread
import ctypes
import signal
import threading
import time

from dissonance.harness.errors import RunStopped

from .kernel import World
from .places import place_of_thread
from .strand import Strand

__all__ = ["OutOfRealTime", "Watchdog"]

_INTERVAL = 0.05
_RAISE_EVERY = 20  # looks: a second for a strand to unwind before it is told again
_IDLE_SHARE = 0.05  # of the processor, below which a strand counts as blocked

_monotonic = time.monotonic
_process_time = time.process_time
_allocate_lock = _thread.allocate_lock
_start = _thread.start_new_thread


class OutOfRealTime(RunStopped):
    """Raised asynchronously into a strand that never enters the world."""

    def __init__(self) -> None:
        super().__init__("real_seconds", "the run used up its real time without returning to the harness")


class Watchdog:
    """Watches one world from :meth:`start` to :meth:`stop`. ``interrupted``: it sent the main thread a Ctrl-C."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop = _allocate_lock()
        self._ended = _allocate_lock()
        self._looks = 0
        self._switches = self._breaths = -1  # two numbers: a tuple could start the collector in this thread
        self._since = self._cpu = 0.0
        self._until_next = 0
        self._lost: list[Strand] = []
        self.interrupted = False

    def start(self) -> None:
        """Begin to watch."""
        self._stop.acquire()
        self._ended.acquire()
        _start(self._run, ())

    def stop(self) -> None:
        """Watch no more, and take back what has not been raised yet. Called by the main strand."""
        self._stop.release()
        self._ended.acquire()
        _raise_in(self._world.main, None)

    def _run(self) -> None:
        try:
            while not self._stop.acquire(timeout=_INTERVAL):
                with self._world.guard:
                    self._look()
        finally:
            self._ended.release()

    def _look(self) -> None:
        world, running = self._world, self._world.running
        if running is None:
            return
        self._compare(running)
        if world.real_time_is_up():
            self._end_the_world()
        elif self._looks * _INTERVAL >= world.blocked_seconds and self._is_blocked(running):
            world.evict(_monotonic() - self._since, place_of_thread(running.ident))

    def _compare(self, running: Strand) -> None:
        world = self._world
        if world.switches != self._switches or world.breaths != self._breaths or world.outside.listening:
            self._switches, self._breaths, self._looks = world.switches, world.breaths, 0
            self._since, self._cpu = _monotonic(), _cpu_seconds(running)
        else:
            self._looks += 1

    def _is_blocked(self, running: Strand) -> bool:
        return _cpu_seconds(running) - self._cpu < _IDLE_SHARE * (_monotonic() - self._since)

    def _end_the_world(self) -> None:
        if self._looks == 0:
            return  # it enters the world by itself, and is told there
        running = self._world.running
        place = "" if running is None else place_of_thread(running.ident)
        where = "" if running is None else f"at {place} in thread {running.name!r}"
        culprit = self._world.seize(self._world.out_of_real_time(where), place)
        if culprit is not None and culprit is not self._world.main:
            self._lost.append(culprit)
            self._until_next = 0
        if self._until_next == 0:
            self._raise(culprit)
        self._until_next = (self._until_next + 1) % _RAISE_EVERY

    def _raise(self, culprit: Strand | None) -> None:
        for strand in self._lost:
            if not strand.done:
                _raise_in(strand, OutOfRealTime)
        if culprit is self._world.main:
            self._stop_main(culprit)

    def _stop_main(self, main: Strand) -> None:
        if self._is_blocked(main) and _takes_interrupts(main):
            self.interrupted = True
            signal.pthread_kill(main.ident, signal.SIGINT)
        else:
            _raise_in(main, OutOfRealTime)


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


def _raise_in(strand: Strand, error: type[BaseException] | None) -> None:
    """Raise it at the strand's next instruction; None takes back what was not raised yet."""
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(strand.ident), raised)
