"""What stands in a run's requests, replies and result, each content read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dissonance.harness.call import text_of
from dissonance.harness.history import CallSent, FaultFired, History, ReplyReceived, RunEnded

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Part", "Reading", "Threads", "good", "result_text", "strings_of"]


class Part(NamedTuple):
    """One message of a request, or its system prompt (role ``system``): ``key`` tells contents apart."""

    key: str
    role: str
    text: str


def good(reply: ReplyReceived | None) -> bool:
    """Whether it is a whole answer: a status below 300, complete."""
    return reply is not None and reply.status is not None and reply.status < 300 and reply.ending == "complete"


def strings_of(value: Any) -> Iterator[str]:
    """All strings in a JSON value, keys left out; numbers as they print."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_of(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from strings_of(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def result_text(run: Run) -> str:
    """All text of what the workflow delivered; empty where it delivered nothing."""
    last, bodies = run.history[-1], run.history.bodies
    if not isinstance(last, RunEnded) or last.result is None or last.result not in bodies:
        return ""
    return "\n".join(strings_of(bodies.get(last.result)))


class Reading:
    """A history's contents. A request can be read as it was sent and as the model saw it, after the faults."""

    def __init__(self, history: History) -> None:
        self._bodies = history.bodies
        self._known: dict[str, Part] = {}
        self._replies = {reply.call: reply for reply in history.replies()}
        self._altered = {fault.call: fault for fault in history.faults() if fault.side == "request" and fault.after}
        self._texts: dict[str, str] = {}

    def reply_to(self, call: int) -> ReplyReceived | None:
        """What came back for this call; None where nothing did."""
        return self._replies.get(call)

    def altered(self, call: CallSent) -> FaultFired | None:
        """The last fault that altered this request, if one did."""
        return self._altered.get(call.id)

    def sent(self, call: CallSent) -> tuple[Part, ...]:
        """The request as the workflow sent it: its system prompt, if any, then its messages."""
        system = () if call.system is None else (self._part(call.system, system=True),)
        return (*system, *[self._part(key) for key in call.messages])

    def seen(self, call: CallSent) -> tuple[Part, ...]:
        """The request as the model saw it."""
        fault = self._altered.get(call.id)
        if fault is None or fault.after is None:
            return self.sent(call)
        content = self._bodies.get(fault.after)
        parts = [Part(f"{fault.after}-system", "system", text_of(content["system"]))] if content.get("system") else []
        for place, message in enumerate(content.get("messages", ())):
            parts.append(_message(f"{fault.after}-{place}", message))
        return tuple(parts)

    def lost_tools(self, call: CallSent) -> bool:
        """Whether the workflow offered tools, and a fault left the model none of them."""
        fault = self._altered.get(call.id)
        if call.tools is None or fault is None or fault.after is None:
            return False
        return not self._bodies.get(fault.after).get("tools")

    def said(self, reply: ReplyReceived | None) -> str:
        """The text of a reply's message, tool arguments included; empty for anything else."""
        if reply is None or reply.body is None or reply.status is None or reply.status >= 300:
            return ""
        if reply.body not in self._texts:
            body = self._bodies.get(reply.body)
            is_message = isinstance(body, Mapping) and body.get("type") == "message"
            self._texts[reply.body] = text_of(body.get("content")) if is_message else ""
        return self._texts[reply.body]

    def _part(self, key: str, *, system: bool = False) -> Part:
        if key not in self._known:
            value = self._bodies.get(key)
            self._known[key] = Part(key, "system", text_of(value)) if system else _message(key, value)
        return self._known[key]


class Threads:
    """Conversations that grow: what a call has seen that its agent's last call had not.

    Whoever gathers something over all requests looks at each part of a long conversation once.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._last: dict[str, CallSent] = {}

    def fresh(self, call: CallSent) -> tuple[bool, Sequence[Part]]:
        """Whether the call goes on where its agent's last one ended, and the parts to add; if not, all of its parts."""
        last = self._last.get(call.agent)
        self._last[call.agent] = call
        if last is None or not self._goes_on(last, call):
            return False, self._reading.seen(call)
        return True, [self._reading._part(key) for key in call.messages[len(last.messages) :]]

    def _goes_on(self, last: CallSent, call: CallSent) -> bool:
        if self._reading.altered(last) or self._reading.altered(call):
            return False
        return last.system == call.system and call.messages[: len(last.messages)] == last.messages


def _message(key: str, message: Any) -> Part:
    return Part(key, str(message.get("role")), text_of(message.get("content")))
