"""Patterns of agent orchestration with their guards: production code on async ``anthropic``.

Each pattern is an async callable ``task -> Outcome`` with its agents, tools and guards already in it, so
patterns nest: a pattern is a worker of another. This package knows nothing of the harness that tests it.

* ``Agent``: a role; ``DamagedReply`` is what it raises rather than pass damage on. ``solo`` makes it a pattern:
  its tools are run, its answer is typed and has a ``Provenance``.
* ``supervise``: workers, a gate of deterministic checks and then a judge; accept, retry, reassign, escalate.
* ``tool_loop``, ``handoff``, ``delegation``: building blocks under the same guards.
* ``StepBudget``, ``CycleDetector``, ``MonotonicProgress``: the guards, each of which may be left out.

A guard that fires names itself in ``stopped_by``; it and each call for a human are logged on
``dissonance.patterns``.
"""

from .agent import Agent, Effort
from .fan_out import Reduce, Split, fan_out
from .gate import JUDGE, Check, Decision, Judgement, Ruling, Signal, conforms, contains
from .guards import (
    CallGuard,
    CycleDetector,
    Guard,
    Meter,
    MonotonicProgress,
    OutputGuard,
    Refused,
    SelfReportedBudget,
    StepBudget,
    StepGuard,
    Stop,
    TimeBox,
    Watch,
    progress_made,
    state_of,
)
from .loops import Delegated, delegation, handoff, tool_loop
from .merging import merger, splitter
from .outcome import Outcome, Pattern, PatternError, Unfinished, Usage
from .parts import GAP, Conflict, FannedOut, Part, Piece, table
from .pool import Worker, worker
from .provenance import Provenance, Source
from .question import Halted, Question
from .reply import Answer, Damage, DamagedReply, ToolCall
from .solo import solo
from .step import Step, normalised
from .supervise import supervise
from .supervised import Attempt, Escalated, Supervised
from .tools import ToolFunction

__all__ = [
    "GAP",
    "JUDGE",
    "Agent",
    "Answer",
    "Attempt",
    "CallGuard",
    "Check",
    "Conflict",
    "CycleDetector",
    "Damage",
    "DamagedReply",
    "Decision",
    "Delegated",
    "Effort",
    "Escalated",
    "FannedOut",
    "Guard",
    "Halted",
    "Judgement",
    "Meter",
    "MonotonicProgress",
    "Outcome",
    "OutputGuard",
    "Part",
    "Pattern",
    "PatternError",
    "Piece",
    "Provenance",
    "Question",
    "Reduce",
    "Refused",
    "Ruling",
    "SelfReportedBudget",
    "Signal",
    "Source",
    "Split",
    "Step",
    "StepBudget",
    "StepGuard",
    "Stop",
    "Supervised",
    "TimeBox",
    "ToolCall",
    "ToolFunction",
    "Unfinished",
    "Usage",
    "Watch",
    "Worker",
    "conforms",
    "contains",
    "delegation",
    "fan_out",
    "handoff",
    "merger",
    "normalised",
    "progress_made",
    "solo",
    "splitter",
    "state_of",
    "supervise",
    "table",
    "tool_loop",
    "worker",
]
