"""The standard battery: one plan for each failure that every workflow should be tried against.

The plans name no agent and no tool, so they hit any workflow; one that nothing in a workflow answers
to does not fire, and is not applicable to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .facts import facts
from .fault import Fault
from .hallucination import SeedClaim
from .judgement import Overconfident
from .latency import Overloaded, RateLimit, SlowReply
from .loops import PingPong, RejectWork, RepeatToolCall
from .overflow import Overflow
from .plan import FaultPlan
from .rule import Rule
from .tools import ToolError
from .transport import CutStream, Disconnect, EmptyContent, Refusal, StreamError, TruncatedToolJson
from .when import When

__all__ = ["BatteryPlan", "standard_battery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryPlan:
    """One plan of a battery: its ``name``, the ``question`` it asks, and the names of the ``checks`` that answer."""

    name: str
    question: str
    plan: FaultPlan
    checks: tuple[str, ...]


_ENDS = ("terminates",)
_TELLS = ("terminates", "no_silent_damage")
_WHOLE = ("terminates", "no_silent_truncation")
_CLEAN = ("terminates", "cascade")
_EACH = When()
_FIRST = When(call=1)
_FIRST_ATTEMPT = When(call=1, attempt=1)
_SOURCE = When(call=1, before=1)
"""The first call of whoever begins: what comes back to an agent that ends the work is not to be seeded itself."""


def standard_battery() -> tuple[BatteryPlan, ...]:
    """The plans, the loops first; a fault that is to be survived hits the first call of each agent.

    The burst of 529 lasts the first 20 virtual seconds: longer than the SDK's own two retries
    (0.5 and 1 s at most), shorter than a workflow that waits and tries again. The window of the prompts
    that are too long is half of their own size, so that any prompt is.
    """
    return (
        _plan("judge-never-accepts", "Does it end when the judge never accepts?", RejectWork(), _EACH, _ENDS),
        _plan("tool-without-end", "Does it end when a tool is asked for without end?", RepeatToolCall(), _EACH, _ENDS),
        _plan("hand-off-ping-pong", "Does it end when agents hand over to and fro?", PingPong(), _EACH, _ENDS),
        _plan("tool-error", "Does it end when its tools fail?", ToolError(), _EACH, _ENDS),
        _plan("slow-branch", "Does one answer 90 s late keep it from finishing?", SlowReply(seconds=90), _FIRST, _ENDS),
        _plan("rate-limit", "Does it survive a 429?", RateLimit(retry_after=30), _FIRST_ATTEMPT, _TELLS),
        _plan("overload-burst", "What does it make of 20 s of 529?", Overloaded(), When(before=20), _TELLS),
        _plan("disconnect", "What does it make of a connection that breaks?", Disconnect(), _FIRST, _TELLS),
        _plan("cut-stream", "Does it notice a cleanly cut stream?", CutStream(), _FIRST, _TELLS),
        _plan("stream-error", "What does it make of an error in a stream?", StreamError(), _FIRST, _TELLS),
        _plan("empty-content", "Does it notice empty content?", EmptyContent(), _FIRST, _TELLS),
        _plan("truncated-tool-json", "Does it notice tool arguments cut short?", TruncatedToolJson(), _FIRST, _TELLS),
        _plan("refusal", "Does it notice a refusal?", Refusal(), _FIRST, _TELLS),
        _plan("prompt-rejected", "What does it make of a prompt too long?", _over("reject"), _FIRST, _TELLS),
        _plan("prompt-cut", "Does it notice a prompt cut silently?", _over("keep_half"), _FIRST, _WHOLE),
        _plan("seeded-claim", "Does a false claim get into the result?", SeedClaim(claim=facts()[0]), _SOURCE, _CLEAN),
        _plan("overconfident-score", "Does it end when a model is too sure?", Overconfident(), _EACH, _ENDS),
    )


def _over(policy: Literal["reject", "keep_half"]) -> Overflow:
    return Overflow(policy=policy, window=0.5)


def _plan(name: str, question: str, fault: Fault, when: When, checks: tuple[str, ...]) -> BatteryPlan:
    plan = FaultPlan(rules=(Rule(id=name, when=when, fault=fault),))
    return BatteryPlan(name=name, question=question, plan=plan, checks=checks)
