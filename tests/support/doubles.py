"""Small models and interceptors of the tests' own: what is tested here must not depend on the shipped ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from dissonance.faults.fault import _REGISTER, Fault
from dissonance.harness.call import Call, FaultMark, Json, JsonObject, Message, Pace, Reply, text_block
from dissonance.harness.history import History

SONNET = "claude-sonnet-4-6"
F = TypeVar("F", bound=type[Fault])
PACE = Pace(first_byte=2.0, tokens_per_second=50.0)


def unlisted(fault: F) -> F:
    """A fault of a test module's own, which no plan and no search of another module is to find."""
    del _REGISTER[fault.__name__]
    return fault


@dataclass(frozen=True)
class Says:
    """A model that says who it is and the how-manieth call this is."""

    pace: Pace | None = PACE

    def reply(self, call: Call, past: History) -> Reply:
        return Reply.say(f"{call.agent} says {call.ordinal}", pace=self.pace)

    def describe(self) -> Json:
        return {"name": "Says"}


@dataclass(frozen=True)
class Answers:
    """An interceptor that answers in the model's stead, the first ``times`` calls of ``agent`` (all agents: None)."""

    answer: Reply
    agent: str | None = None
    times: int = 1_000_000
    attempts: int = 1_000_000
    id: str = "answers"
    damages: str | None = None

    def describe(self) -> JsonObject:
        return {"id": self.id, "fault": {"kind": "Answers"}}

    def mark(self, call: Call) -> FaultMark:
        return FaultMark(fault="Answers", damages=self.damages)

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        here = self.agent in (None, call.agent) and call.ordinal <= self.times and call.attempt <= self.attempts
        return self.answer if here else None

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        return None


@dataclass(frozen=True)
class Rewrites:
    """An interceptor whose ``on_reply`` is a function of the reply."""

    rewrite: Any
    id: str = "rewrites"
    marks: FaultMark = field(default_factory=lambda: FaultMark(fault="Rewrites"))

    def describe(self) -> JsonObject:
        return {"id": self.id, "fault": {"kind": "Rewrites"}}

    def mark(self, call: Call) -> FaultMark:
        return self.marks

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        return None

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        result = self.rewrite(reply)
        assert result is None or isinstance(result, Reply)
        return result


def said(text: str) -> Message:
    return Message(content=(text_block(text),))


def request(text: str = "Hello.", system: str = "You are the writer.", **more: Any) -> dict[str, Any]:
    """The arguments of ``messages.create``."""
    return {
        "model": SONNET,
        "max_tokens": 200,
        "system": system,
        "messages": [{"role": "user", "content": text}],
        **more,
    }
