"""Looks at a world from outside, in real time: what runs too long, and what blocks where the clock can't see it.

One raw thread for the process, started with the first world and asleep while there is none.
"""

from __future__ import annotations

import _thread
import ctypes
import sys
import time
import traceback

from ..errors import RunStopped
from .kernel import Strand, World

__all__ = ["BLOCKED_SECONDS", "watch", "watch_no_more"]

BLOCKED_SECONDS = 2.0
"""Real seconds for which a strand may keep the baton without using the processor before it counts as blocked."""

_INTERVAL = 0.25
_monotonic = time.monotonic
_sleep = time.sleep
_start = _thread.start_new_thread


class _RealTimeIsUp(RunStopped):
    """Raised asynchronously into a strand that never enters the world."""

    def __init__(self) -> None:
        super().__init__("real_seconds", "the run used up its real time without returning to the harness")


class _Watchdog:
    def __init__(self) -> None:
        self.world: World | None = None
        self._running = False

    def watch(self, world: World) -> None:
        self.world = world
        if not self._running:
            self._running = True
            _start(self._run, ())

    def _run(self) -> None:
        seen, since, cpu = (-1, 0.0, 0.0)
        idle = 0
        while idle < 40:
            _sleep(_INTERVAL)
            world = self.world
            if world is None:
                idle += 1
                continue
            idle = 0
            if world.real_time_is_up():
                self._stop(world)
            elif world.switches != seen:
                seen, since, cpu = world.switches, _monotonic(), _cpu_seconds(world.running)
            elif _monotonic() - since > BLOCKED_SECONDS:
                if _cpu_seconds(world.running) - cpu < 0.5 * (_monotonic() - since):
                    world.escape(f"thread {world.running.name!r} blocked outside the world at {_place(world.running)}")
                since, cpu = _monotonic(), _cpu_seconds(world.running)
        self._running = False

    def _stop(self, world: World) -> None:
        culprit = world.running
        where = _place(culprit)
        world.seize(RunStopped("real_seconds", f"the run took more than its real time; it was at {where}"))
        _raise_in(culprit)


def _cpu_seconds(strand: Strand) -> float:
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(strand.ident))
    except (OSError, AttributeError):
        return 0.0


def _place(strand: Strand) -> str:
    frame = sys._current_frames().get(strand.ident)
    if frame is None:
        return "an unknown place"
    for entry in reversed(traceback.extract_stack(frame)):
        if "dissonance/harness" not in entry.filename:
            return f"{entry.filename.rsplit('/', 1)[-1]}:{entry.lineno} in {entry.name}"
    return "the harness"


def _raise_in(strand: Strand) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(strand.ident), ctypes.py_object(_RealTimeIsUp))


_watchdog = _Watchdog()


def watch(world: World) -> None:
    """Begin to watch; one world at a time."""
    _watchdog.watch(world)


def watch_no_more() -> None:
    """The world is gone."""
    _watchdog.world = None
