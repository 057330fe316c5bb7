"""Guards: controls that may each be left out, and say when they fire.

* Loops: ``StepBudget`` bounds every one; ``CycleDetector`` ends one that repeats itself, ``MonotonicProgress`` one
  that gets nowhere, ``Termination`` one that has enough; ``EscalationPolicy`` tells a human. ``SelfReportedBudget``
  shows why an agent must not be its own bookkeeper.
* Calls: ``DollarBudget``, ``TokenLedger``, ``CircuitBreaker``. Time: ``TimeBox``.
* What agents pass on: ``CitationGate``, ``Grounding``, ``CrossCheck``, ``Quarantine``.
"""

from .breaker import CircuitBreaker
from .budget import SelfReportedBudget, StepBudget
from .citations import CitationGate
from .cross_check import CHECKER, CrossCheck
from .cycle import CycleDetector, state_of
from .dollars import DollarBudget, Price
from .escalation import EscalationPolicy
from .grounding import Grounding, same_value
from .guard import CallGuard, Guard, Meter, OutputGuard, Refused, StepGuard, Stop, Watch
from .ledger import COMPACTOR, TokenLedger
from .progress import MonotonicProgress, progress_made
from .quarantine import Quarantine
from .rounds import Rounds
from .termination import Termination
from .time_box import TimeBox

__all__ = [
    "CHECKER",
    "COMPACTOR",
    "CallGuard",
    "CircuitBreaker",
    "CitationGate",
    "CrossCheck",
    "CycleDetector",
    "DollarBudget",
    "EscalationPolicy",
    "Grounding",
    "Guard",
    "Meter",
    "MonotonicProgress",
    "OutputGuard",
    "Price",
    "Quarantine",
    "Refused",
    "Rounds",
    "SelfReportedBudget",
    "StepBudget",
    "StepGuard",
    "Stop",
    "Termination",
    "TimeBox",
    "TokenLedger",
    "Watch",
    "progress_made",
    "same_value",
    "state_of",
]
