"""The harness: runs an unmodified workflow against a simulated model API, in virtual time.

``run`` makes a :class:`Run`; checks judge it. A model answers, an interceptor (a rule of a fault
plan) interferes, and everything that happens is an event in the run's history.
"""

from __future__ import annotations

from . import routes
from .agents import agent
from .call import (
    ApiError,
    Call,
    FaultMark,
    Interceptor,
    LiveModel,
    Message,
    Model,
    Pace,
    Plan,
    Reply,
    Usage,
    text_block,
    text_of,
    tool_use,
)
from .checks import (
    Check,
    Verdict,
    cascade,
    context_growth,
    costs,
    degrades_gracefully,
    escalates,
    false_acceptance,
    independence,
    makespan,
    no_silent_damage,
    no_silent_truncation,
    overhead,
    recovers,
    terminates,
    worst,
)
from .claims import Claim
from .errors import (
    BadInput,
    BusyError,
    CassetteMiss,
    CheckFailed,
    DissonanceError,
    OverBudget,
    PlanError,
    RunStopped,
    ScriptExhausted,
)
from .exchange import FaultCount
from .history import History
from .human import After, Answer, Ask, ScriptedHuman
from .limits import Limits
from .marks import record_action, record_checkpoint
from .models import Gullible, Live, Recorded, Scripted, Skeptical, save_cassette
from .run import RecordedError, Run, load_run, many_runs, run
from .workflow import Restartable

__all__ = [
    "After",
    "Answer",
    "ApiError",
    "Ask",
    "BadInput",
    "BusyError",
    "Call",
    "CassetteMiss",
    "Check",
    "CheckFailed",
    "Claim",
    "DissonanceError",
    "FaultCount",
    "FaultMark",
    "Gullible",
    "History",
    "Interceptor",
    "Limits",
    "Live",
    "LiveModel",
    "Message",
    "Model",
    "OverBudget",
    "Pace",
    "Plan",
    "PlanError",
    "Recorded",
    "RecordedError",
    "Reply",
    "Restartable",
    "Run",
    "RunStopped",
    "ScriptExhausted",
    "Scripted",
    "ScriptedHuman",
    "Skeptical",
    "Usage",
    "Verdict",
    "agent",
    "cascade",
    "context_growth",
    "costs",
    "degrades_gracefully",
    "escalates",
    "false_acceptance",
    "independence",
    "load_run",
    "makespan",
    "many_runs",
    "no_silent_damage",
    "no_silent_truncation",
    "overhead",
    "record_action",
    "record_checkpoint",
    "recovers",
    "routes",
    "run",
    "save_cassette",
    "terminates",
    "text_block",
    "text_of",
    "tool_use",
    "worst",
]
