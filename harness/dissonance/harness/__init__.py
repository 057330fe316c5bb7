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
from .checks import Check, Verdict, no_silent_damage, terminates, worst
from .claims import Claim
from .errors import BadInput, BusyError, CheckFailed, DissonanceError, PlanError, RunStopped, ScriptExhausted
from .exchange import FaultCount
from .history import History
from .limits import Limits
from .models import Gullible, Scripted
from .run import RecordedError, Run, load_run, run

__all__ = [
    "ApiError",
    "BadInput",
    "BusyError",
    "Call",
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
    "Message",
    "Model",
    "Pace",
    "Plan",
    "PlanError",
    "RecordedError",
    "Reply",
    "Run",
    "RunStopped",
    "ScriptExhausted",
    "Scripted",
    "Usage",
    "Verdict",
    "agent",
    "load_run",
    "no_silent_damage",
    "routes",
    "run",
    "terminates",
    "text_block",
    "text_of",
    "tool_use",
    "worst",
]
