"""Guards: controls that stop a loop, each of which may be left out.

``StepBudget`` bounds every loop; ``CycleDetector`` ends one that repeats itself, ``MonotonicProgress`` one that
gets nowhere; ``SelfReportedBudget`` shows why an agent must not be its own bookkeeper.
"""

from .budget import SelfReportedBudget, StepBudget
from .cycle import CycleDetector, state_of
from .guard import CallGuard, Guard, Meter, OutputGuard, Refused, Rounds, StepGuard, Stop, Watch
from .progress import MonotonicProgress, progress_made
from .time_box import TimeBox

__all__ = [
    "CallGuard",
    "CycleDetector",
    "Guard",
    "Meter",
    "MonotonicProgress",
    "OutputGuard",
    "Refused",
    "Rounds",
    "SelfReportedBudget",
    "StepBudget",
    "StepGuard",
    "Stop",
    "TimeBox",
    "Watch",
    "progress_made",
    "state_of",
]
