"""What can go wrong: fault plans, and the faults that they are made of, a module a family.

>>> from dissonance.faults import At, FaultPlan, RejectWork, Rule, When, sentence
>>> sentence(FaultPlan(rules=[Rule(at=At(agent="judge"), when=When(from_call=2), fault=RejectWork())]))
"r1: on every call from the 2nd on of agent 'judge', the model rejects the work."
"""

from __future__ import annotations

from .at import At
from .battery import BatteryPlan, standard_battery
from .describe import as_python, sentence
from .fault import Family, Fault, fault_types
from .human import ContradictoryAnswers, DuplicateAnswer, LateAnswer, NeverAnswers
from .latency import Dribble, Overloaded, RateLimit, SlowBranch, SlowReply, Stall
from .loops import DelegateAgain, Paraphrase, PingPong, Reenter, RejectWork, RepeatToolCall
from .plan import SCHEMA, FaultPlan, as_plan
from .process import Crash, RestartWhilePaused
from .rule import Rule
from .transport import (
    CutStream,
    Disconnect,
    EmptyContent,
    HttpError,
    MalformedBody,
    Refusal,
    StreamError,
    TruncatedToolJson,
)
from .when import When

__all__ = [
    "SCHEMA",
    "At",
    "BatteryPlan",
    "ContradictoryAnswers",
    "Crash",
    "CutStream",
    "DelegateAgain",
    "Disconnect",
    "Dribble",
    "DuplicateAnswer",
    "EmptyContent",
    "Family",
    "Fault",
    "FaultPlan",
    "HttpError",
    "LateAnswer",
    "MalformedBody",
    "NeverAnswers",
    "Overloaded",
    "Paraphrase",
    "PingPong",
    "RateLimit",
    "Reenter",
    "Refusal",
    "RejectWork",
    "RepeatToolCall",
    "RestartWhilePaused",
    "Rule",
    "SlowBranch",
    "SlowReply",
    "Stall",
    "StreamError",
    "TruncatedToolJson",
    "When",
    "as_plan",
    "as_python",
    "fault_types",
    "sentence",
    "standard_battery",
]
