"""Patterns of agent orchestration with their guards: production code on async ``anthropic``.

Each pattern is an async callable ``task -> Outcome`` with its agents, tools and guards already in it, so
patterns nest: a pattern is a worker of another. This package knows nothing of the harness that tests it.

* ``Agent``: a role; ``DamagedReply`` is what it raises rather than pass damage on. ``solo`` makes it a pattern:
  its tools are run, its answer is typed and has a ``Provenance``.
* ``chain``: stages over a typed state, each of which sees what it needs; kept in a store, it survives a kill.
* ``fan_out``: independent branches at once, each in a box of time; what is missing is named.
* ``supervise``: workers, a gate of deterministic checks and then a judge; accept, retry, reassign, escalate.
  ``serve`` feeds it, or any pattern, with tasks as they arrive.
* ``delegate``: leads with their own people, tools and rules; each level sees its own.
* ``debate``: agents judge independently and argue where they differ; dissent is kept.
* ``human_gate``: who may decide decides about an action, however long it takes, and it takes effect once.
* ``tool_loop``, ``handoff``: building blocks under the same guards.
* Guards, each of which may be left out: see ``guards``.

A guard that fires names itself in ``stopped_by``; it and each call for a human are logged on
``dissonance.patterns``.
"""

from .agent import Agent, Effort
from .branches import Branch, Delegated, Failure, Lead
from .chain import Chain, Chained, chain
from .debate import ARBITRATOR, debate
from .delegate import delegate
from .effects import InTransaction, Sink
from .fan_out import Reduce, Split, fan_out
from .gate import JUDGE, Check, Decision, Judgement, Ruling, Signal, conforms, contains
from .guards import (
    CHECKER,
    COMPACTOR,
    CallGuard,
    CircuitBreaker,
    CitationGate,
    CrossCheck,
    CycleDetector,
    DollarBudget,
    EscalationPolicy,
    Grounding,
    Guard,
    Meter,
    MonotonicProgress,
    OutputGuard,
    Price,
    Quarantine,
    Refused,
    SelfReportedBudget,
    StepBudget,
    StepGuard,
    Stop,
    Termination,
    TimeBox,
    TokenLedger,
    Watch,
    progress_made,
    state_of,
)
from .human import Human, HumanAnswer, HumanRequest
from .human_gate import HumanGate, human_gate
from .loops import handoff, tool_loop
from .merging import merger, splitter
from .notify import Webhook, log_notice
from .outcome import Outcome, Pattern, PatternError, Unfinished, Usage
from .parts import GAP, Conflict, FannedOut, Part, Piece, table
from .pool import Worker, worker
from .positions import Debated, Diversity, Position, Stance, diversity
from .proposal import Gated, Proposal, Thresholds
from .provenance import Provenance, Source
from .question import Halted, Question
from .reply import Answer, Damage, DamagedReply, ToolCall
from .serve import Served, arriving, serve
from .solo import solo
from .stage import Retry, Stage, shown
from .states import StateMachine
from .step import Step, normalised
from .supervise import supervise
from .supervised import Attempt, Escalated, Supervised
from .tools import ToolFunction
from .triggers import Case, Trigger, amount_over, irreversible, length_outlier, schema_failures, tool_error_rate

__all__ = [
    "ARBITRATOR",
    "CHECKER",
    "COMPACTOR",
    "GAP",
    "JUDGE",
    "Agent",
    "Answer",
    "Attempt",
    "Branch",
    "CallGuard",
    "Case",
    "Chain",
    "Chained",
    "Check",
    "CircuitBreaker",
    "CitationGate",
    "Conflict",
    "CrossCheck",
    "CycleDetector",
    "Damage",
    "DamagedReply",
    "Debated",
    "Decision",
    "Delegated",
    "Diversity",
    "DollarBudget",
    "Effort",
    "Escalated",
    "EscalationPolicy",
    "Failure",
    "FannedOut",
    "Gated",
    "Grounding",
    "Guard",
    "Halted",
    "Human",
    "HumanAnswer",
    "HumanGate",
    "HumanRequest",
    "InTransaction",
    "Judgement",
    "Lead",
    "Meter",
    "MonotonicProgress",
    "Outcome",
    "OutputGuard",
    "Part",
    "Pattern",
    "PatternError",
    "Piece",
    "Position",
    "Price",
    "Proposal",
    "Provenance",
    "Quarantine",
    "Question",
    "Reduce",
    "Refused",
    "Retry",
    "Ruling",
    "SelfReportedBudget",
    "Served",
    "Signal",
    "Sink",
    "Source",
    "Split",
    "Stage",
    "Stance",
    "StateMachine",
    "Step",
    "StepBudget",
    "StepGuard",
    "Stop",
    "Supervised",
    "Termination",
    "Thresholds",
    "TimeBox",
    "TokenLedger",
    "ToolCall",
    "ToolFunction",
    "Trigger",
    "Unfinished",
    "Usage",
    "Watch",
    "Webhook",
    "Worker",
    "amount_over",
    "arriving",
    "chain",
    "conforms",
    "contains",
    "debate",
    "delegate",
    "diversity",
    "fan_out",
    "handoff",
    "human_gate",
    "irreversible",
    "length_outlier",
    "log_notice",
    "merger",
    "normalised",
    "progress_made",
    "schema_failures",
    "serve",
    "shown",
    "solo",
    "splitter",
    "state_of",
    "supervise",
    "table",
    "tool_error_rate",
    "tool_loop",
    "worker",
]
