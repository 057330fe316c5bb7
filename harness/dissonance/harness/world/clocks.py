"""The clocks that code inside the world reads; for all other threads they stay the real ones.

Wall time inside begins at :data:`EPOCH`, monotonic time at 0, so that what a workflow prints or
derives from them repeats. All of ``time``'s clocks and ``datetime`` agree; those of the processor
(``process_time``, ``thread_time``) and ``clock_gettime`` stay real.
"""

from __future__ import annotations

import datetime
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from .bound import look_around
from .patches import Patches
from .strand import NANOSECONDS, current_world

__all__ = ["EPOCH", "install_clocks"]

EPOCH = 1_767_225_600
"""Unix time at which every world begins: 2026-01-01T00:00:00Z."""

_real_sleep = time.sleep
_real_now = datetime.datetime.__dict__["now"]
_real_utcnow = datetime.datetime.__dict__["utcnow"]


def _sleep(seconds: float, /) -> None:
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
    def read(seconds: float | None = None, /) -> Any:
        world = current_world()
        return real(EPOCH + world.now if seconds is None and world is not None else seconds)

    return read


def _formatting(real: Callable[..., str]) -> Callable[..., str]:
    def read(*args: Any) -> str:
        world = current_world()
        if world is None or isinstance(args[-1] if args else None, tuple):
            return real(*args)
        return real(*args, time.localtime())

    return read


def _now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    world = current_world()
    if world is None:
        return _real_now.__get__(None, cls)(tz)  # type: ignore[no-any-return]
    return cls.fromtimestamp(EPOCH + world.now, tz)


def _utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
    world = current_world()
    if world is None:
        return _real_utcnow.__get__(None, cls)()  # type: ignore[no-any-return]
    return cls.fromtimestamp(EPOCH + world.now, datetime.UTC).replace(tzinfo=None)


def install_clocks(patches: Patches) -> None:
    """Replace ``time``'s clocks and ``datetime``'s readings (its ``today`` asks ``time.time``)."""
    look_around()
    patches.replace(time, "sleep", _sleep)
    patches.replace(time, "time", _reading_seconds(time.time, EPOCH))
    patches.replace(time, "time_ns", _reading_nanoseconds(time.time_ns, EPOCH))
    for name in ("monotonic", "perf_counter"):
        patches.replace(time, name, _reading_seconds(getattr(time, name), 0))
        patches.replace(time, f"{name}_ns", _reading_nanoseconds(getattr(time, f"{name}_ns"), 0))
    for name in ("gmtime", "localtime", "ctime"):
        patches.replace(time, name, _reading_calendar(getattr(time, name)))
    for name in ("strftime", "asctime"):
        patches.replace(time, name, _formatting(getattr(time, name)))
    patches.set_in_c(datetime.datetime, "now", classmethod(_now))
    patches.set_in_c(datetime.datetime, "utcnow", classmethod(_utcnow))
    patches.set(threading, "_time", time.monotonic)
    patches.set(queue, "time", time.monotonic)
