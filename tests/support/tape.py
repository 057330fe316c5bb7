"""Histories made by hand, event by event, and the runs around them: for tests of what only reads a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from dissonance.harness.call import Endpoint, Usage
from dissonance.harness.history import (
    CallSent,
    Event,
    FaultFired,
    GuardFired,
    History,
    Outcome,
    Received,
    ReplyReceived,
    RunEnded,
    RunStarted,
    Stopped,
)
from dissonance.harness.result import Run, totals

Message = Mapping[str, Any]


def user(text: str) -> Message:
    """A user's message."""
    return {"role": "user", "content": text}


def said(text: str) -> Message:
    """An assistant's message."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def message(text: str, stop_reason: str = "end_turn") -> dict[str, Any]:
    """A reply's body, as it is kept."""
    content = [{"type": "text", "text": text}] if text else []
    return {"type": "message", "id": "msg_1", "content": content, "stop_reason": stop_reason, "stop_sequence": None}


class Tape:
    """Records events by hand; each takes a second."""

    def __init__(self, rules: tuple[str, ...] = ()) -> None:
        self.events: list[Event] = []
        self.history = History(self.events)
        self._ordinals: dict[tuple[str, str], int] = {}
        self.add(RunStarted, workflow="w", task="t", seed=0, model={"name": "Gullible"}, rules=rules)

    def add(self, kind: Any, **fields: Any) -> int:
        """Any event; gives its id."""
        fields.setdefault("at", float(len(self.events)))
        self.events.append(kind(id=len(self.events), **fields))
        return len(self.events) - 1

    def amend(self, event: int, **fields: Any) -> None:
        """Change an event that is there already."""
        self.events[event] = replace(self.events[event], **fields)

    def put(self, value: Any) -> str:
        """Keep a content; gives its hash."""
        return self.history.bodies.put(value)

    def call(
        self,
        agent: str,
        *messages: str | Message,
        retry: bool = False,
        system: str | None = None,
        tools: Any = None,
        params: Any = None,
        endpoint: Endpoint = "messages",
    ) -> int:
        """A request; bare strings are the user's."""
        key = (agent, endpoint)
        self._ordinals[key] = self._ordinals.get(key, 0) + (not retry)
        parts = tuple(self.put(user(each) if isinstance(each, str) else each) for each in messages)
        return self.add(
            CallSent, agent=agent, endpoint=endpoint, model="m", ordinal=self._ordinals[key],
            attempt=1 if not retry else self._attempt(agent) + 1, tokens=100, max_tokens=1024, stream=False,
            system=None if system is None else self.put(system), tools=None if tools is None else self.put(tools),
            messages=parts, params=None if params is None else self.put(params),
        )  # fmt: skip

    def _attempt(self, agent: str) -> int:
        return [event.attempt for event in self.events if isinstance(event, CallSent) and event.agent == agent][-1]

    def fault(
        self,
        call: int,
        before: Any = None,
        after: Any = None,
        *,
        damages: str | None = None,
        changed: bool = True,
        side: Literal["request", "reply"] = "reply",
        rule: str = "r1",
        fault: str = "Fault",
        claims: Sequence[Any] = (),
        ends_at: float | None = None,
    ) -> int:
        """A rule fired on this call."""
        sent = self.events[call]
        return self.add(
            FaultFired, agent=sent.agent, rule=rule, fault=fault, call=call, side=side, changed=changed, damages=damages,
            before=None if before is None else self.put(before), after=None if after is None else self.put(after),
            claims=tuple(claim.model_dump(mode="json") for claim in claims), ends_at=ends_at,
        )  # fmt: skip

    def reply(
        self,
        call: int,
        body: Any = None,
        *,
        status: int | None = 200,
        ending: Received = "complete",
        reached: Sequence[str] = (),
    ) -> int:
        """What came back; a bare string is a message's text."""
        kept = message(body) if isinstance(body, str) else body
        good = status == 200
        return self.add(
            ReplyReceived, agent=self.events[call].agent, call=call, status=status, seconds=1.0, ending=ending,
            usage=Usage(input_tokens=100, output_tokens=10) if good else None, usd=0.5 if good else 0.0,
            stop_reason=kept["stop_reason"] if good and kept else None, error=None if good else "overloaded_error",
            body=None if kept is None else self.put(kept), reached=tuple(reached),
        )  # fmt: skip

    def turn(self, agent: str, prompt: str, answer: str) -> int:
        """A request of one message and its reply; gives the call's id."""
        call = self.call(agent, prompt)
        self.reply(call, answer)
        return call

    def guard(self, guard: str) -> int:
        """A guard of the workflow's fired."""
        return self.add(GuardFired, agent=None, guard=guard, reason="that is enough", data={})

    def end(
        self,
        result: Any = "done",
        *,
        outcome: Outcome = "completed",
        stopped_by: str | None = None,
        error: str | None = None,
    ) -> History:
        """The run is over."""
        if outcome == "stopped_by_harness":
            self.add(Stopped, limit=stopped_by, reason=error)
        kept = self.put(result) if outcome == "completed" else None
        self.add(RunEnded, outcome=outcome, stopped_by=stopped_by, error=error, result=kept)
        return self.history


def run_of(history: History, result: Any = "done", **changes: Any) -> Run:
    """The run of a history."""
    last = history[-1]
    ended = isinstance(last, RunEnded)
    about: dict[str, Any] = {
        "workflow": "w",
        "task": "t",
        "seed": 0,
        "model": {"name": "Gullible"},
        "plan": ({"id": "r1"},),
        "schedule": None,
        "outcome": last.outcome if isinstance(last, RunEnded) else "crashed",
        "stopped_by": last.stopped_by if isinstance(last, RunEnded) else None,
        "result": result if ended else None,
        "error": None,
        "error_text": last.error if isinstance(last, RunEnded) else "the process was killed",
        "history": history,
        "tier": "T1",
        **totals(history),
    }
    return Run(**(about | changes))
