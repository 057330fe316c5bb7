"""Guards: controls that stop a loop, each of which may be left out.

``StepBudget`` bounds every loop; ``CycleDetector`` ends one that repeats itself, ``MonotonicProgress`` one that
gets nowhere; ``SelfReportedBudget`` shows why an agent must not be its own bookkeeper.
"""

from .budget import SelfReportedBudget, StepBudget
from .cycle import CycleDetector, state_of
from .guard import Guard, Rounds, Stop, Watch
from .progress import MonotonicProgress, progress_made

__all__ = [
    "CycleDetector",
    "Guard",
    "MonotonicProgress",
    "Rounds",
    "SelfReportedBudget",
    "StepBudget",
    "Stop",
    "Watch",
    "progress_made",
    "state_of",
]
