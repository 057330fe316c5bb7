"""Interceptors that plant claims and drop what a request holds, and small workflows on the real SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import anthropic
from doubles import SONNET

from dissonance.harness.call import Call, FaultMark, JsonObject, Reply
from dissonance.harness.claims import Claim, Twin
from dissonance.harness.history import History

CLAIM = Claim(
    id="c1",
    false="ACME sold 4,213,000 units in 2023.",
    true="ACME sold 3,100,000 units in 2023.",
)


@dataclass(frozen=True)
class Plants:
    """Answers every call of ``agent`` with a twin of the claim."""

    agent: str = "a0"
    claim: Claim = CLAIM
    twin: Twin = "false"
    id: str = "plants"

    def describe(self) -> JsonObject:
        return {"id": self.id, "fault": {"kind": "Plants", "twin": self.twin}}

    def mark(self, call: Call) -> FaultMark:
        return FaultMark(fault="Plants", claims=(self.claim.model_dump(mode="json"),))

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        return None

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        return Reply.say(self.claim.text(self.twin)) if call.agent == self.agent else None


@dataclass(frozen=True)
class Alters:
    """An interceptor whose ``on_request`` is a function of the call."""

    alter: Callable[[Call], Call | Reply | None]
    id: str = "alters"
    ends_at: float | None = None
    damages: str | None = None

    def describe(self) -> JsonObject:
        return {"id": self.id, "fault": {"kind": "Alters"}}

    def mark(self, call: Call) -> FaultMark:
        return FaultMark(fault="Alters", ends_at=self.ends_at, damages=self.damages)

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        return self.alter(call)

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        return None


def drops_the_oldest(call: Call) -> Call | None:
    """A window of one message."""
    return replace(call, messages=call.messages[-1:]) if len(call.messages) > 1 else None


@cache
def client() -> anthropic.AsyncAnthropic:
    """One for all tests: each takes a while to make."""
    return anthropic.AsyncAnthropic(api_key="k")


async def say(system: str, content: Any, **more: Any) -> str:
    """The text of one message."""
    messages: Any = content if isinstance(content, list) else [{"role": "user", "content": content}]
    fields = {"model": SONNET, "max_tokens": 1024, "system": system, **more}
    reply = await client().messages.create(messages=messages, **fields)
    return "".join(block.text for block in reply.content if block.type == "text")


def chain(length: int, **more: Any) -> Callable[[str], Awaitable[str]]:
    """Agents a0, a1, …: each gets what the last one said, and nothing else."""

    async def pass_on(task: str) -> str:
        said = task
        for number in range(length):
            said = await say(f"You are a{number}.", said, **more)
        return said

    return pass_on
