"""The clocks that code inside the world reads; for all other threads they stay the real ones.

Wall time inside begins at :data:`EPOCH`, monotonic time at 0, so that what a workflow prints or
derives from them repeats. ``datetime.now()`` reads the machine's clock in C and is left alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from .kernel import NANOSECONDS, current_world
from .patches import Patches

__all__ = ["EPOCH", "install_clocks"]

EPOCH = 1_767_225_600
"""Unix time at which every world begins: 2026-01-01T00:00:00Z."""

_real_sleep = time.sleep


def _sleep(seconds: float) -> None:
    world = current_world()
    if world is None:
        _real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")
    else:
        world.sleep(seconds)


def _reading_seconds(real: Callable[[], float], offset: int) -> Callable[[], float]:
    def read() -> float:
        world = current_world()
        return real() if world is None else offset + world.now

    return read


def _reading_nanoseconds(real: Callable[[], int], offset: int) -> Callable[[], int]:
    def read() -> int:
        world = current_world()
        return real() if world is None else offset * NANOSECONDS + world.ticks

    return read


def _reading_calendar(real: Callable[..., Any]) -> Callable[..., Any]:
    def read(seconds: float | None = None) -> Any:
        world = current_world()
        return real(EPOCH + world.now if seconds is None and world is not None else seconds)

    return read


def install_clocks(patches: Patches) -> None:
    """Replace ``time``'s clocks, and the names that the standard library bound to them at import."""
    patches.set(time, "sleep", _sleep)
    patches.set(time, "time", _reading_seconds(time.time, EPOCH))
    patches.set(time, "time_ns", _reading_nanoseconds(time.time_ns, EPOCH))
    for name in ("monotonic", "perf_counter"):
        patches.set(time, name, _reading_seconds(getattr(time, name), 0))
        patches.set(time, f"{name}_ns", _reading_nanoseconds(getattr(time, f"{name}_ns"), 0))
    for name in ("gmtime", "localtime"):
        patches.set(time, name, _reading_calendar(getattr(time, name)))
    patches.set(threading, "_time", time.monotonic)
    patches.set(queue, "time", time.monotonic)
