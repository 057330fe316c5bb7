"""The time box: what is not done in time is cut, and what there is by then is the result.

* Use it wherever somebody waits: on a pattern, and on each branch of a fan-out, whose slowest branch is
  else the latency of all. Set it well above the usual time (the 99th percentile), since what it cuts is paid for.
* It costs nothing but the work that it cuts.
* It can't cut code that does not await: a sync function that blocks the event loop blocks the clock, too.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimeBox"]


@dataclass(frozen=True, slots=True)
class TimeBox:
    """At most ``seconds`` (above 0) from the start of the pattern; then whatever it awaits is cancelled."""

    seconds: float
    name: str = "time_box"
    briefing: str = ""

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds={self.seconds!r}: give more than 0, or leave the guard out")

    @property
    def reason(self) -> str:
        """What is said when it fires."""
        return f"not done after {self.seconds:g} s"
