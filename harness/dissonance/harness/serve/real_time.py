"""Real time in the place of virtual time: what a served run's clock is."""

from __future__ import annotations

import time
from collections.abc import Callable

from dissonance.harness.errors import RunStopped
from dissonance.harness.world import World

__all__ = ["RealTime"]

_NANOSECONDS = 1_000_000_000
_ESCAPE = "real time: the workflow runs in another process"


class RealTime(World):
    """A world that controls nothing: its clock is the machine's, ``speed`` simulated seconds to each real one."""

    def __init__(self, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._speed = speed
        self._clock = clock
        self._start = clock()
        self.escape(_ESCAPE)

    @property
    def now(self) -> float:
        """Simulated seconds since it began."""
        return (self._clock() - self._start) * self._speed

    @property
    def ticks(self) -> int:
        """Simulated nanoseconds since it began."""
        return round(self.now * _NANOSECONDS)

    def end(self, reason: RunStopped) -> None:
        """Note why the run is over: nothing here can be interrupted."""
        self.ending = self.ending or reason
