"""What can go wrong: fault plans, and the faults that they are made of, a module a family.

>>> from dissonance.faults import At, FaultPlan, RejectWork, Rule, When, sentence
>>> sentence(FaultPlan(rules=[Rule(at=At(agent="judge"), when=When(from_call=2), fault=RejectWork())]))
"r1: on every call from the 2nd on of agent 'judge', the model rejects the work."
"""

from __future__ import annotations

from .at import At
from .battery import BatteryPlan, standard_battery
from .context import InflateState
from .control import control_arm
from .describe import as_python, sentence
from .fault import Family, Fault, fault_types
from .hallucination import Contradict, CorruptNumber, DropCitation, FabricateCitation, SeedClaim
from .human import ContradictoryAnswers, DuplicateAnswer, LateAnswer, NeverAnswers
from .judgement import FalseAccept, FalseReject, Groupthink, Overconfident
from .latency import Dribble, Overloaded, RateLimit, SlowBranch, SlowReply, Stall
from .loops import DelegateAgain, Paraphrase, PingPong, Reenter, RejectWork, RepeatToolCall
from .minimal import Flip, Minimal, Worst, find_minimal, flip_test
from .overflow import Overflow
from .plan import SCHEMA, FaultPlan, as_plan
from .process import Crash, RestartWhilePaused
from .repertoire import Possible, Range, possible, repertoire
from .rule import Rule
from .shapes import brownout, flap, storm, swizzle
from .slots import Slot, slots_of
from .space import Space, sample, single_faults
from .states import Needle
from .tools import StaleToolResult, ToolError, ToolTimeout, WrongToolResult
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
    "Contradict",
    "ContradictoryAnswers",
    "CorruptNumber",
    "Crash",
    "CutStream",
    "DelegateAgain",
    "Disconnect",
    "Dribble",
    "DropCitation",
    "DuplicateAnswer",
    "EmptyContent",
    "FabricateCitation",
    "FalseAccept",
    "FalseReject",
    "Family",
    "Fault",
    "FaultPlan",
    "Flip",
    "Groupthink",
    "HttpError",
    "InflateState",
    "LateAnswer",
    "MalformedBody",
    "Minimal",
    "Needle",
    "NeverAnswers",
    "Overconfident",
    "Overflow",
    "Overloaded",
    "Paraphrase",
    "PingPong",
    "Possible",
    "Range",
    "RateLimit",
    "Reenter",
    "Refusal",
    "RejectWork",
    "RepeatToolCall",
    "RestartWhilePaused",
    "Rule",
    "SeedClaim",
    "Slot",
    "SlowBranch",
    "SlowReply",
    "Space",
    "StaleToolResult",
    "Stall",
    "StreamError",
    "ToolError",
    "ToolTimeout",
    "TruncatedToolJson",
    "When",
    "Worst",
    "WrongToolResult",
    "as_plan",
    "as_python",
    "brownout",
    "control_arm",
    "fault_types",
    "find_minimal",
    "flap",
    "flip_test",
    "possible",
    "repertoire",
    "sample",
    "sentence",
    "single_faults",
    "slots_of",
    "standard_battery",
    "storm",
    "swizzle",
]
