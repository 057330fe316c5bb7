"""The family ``transport``: the call fails, the connection breaks, or what arrives is damaged.

What a client makes of each is a property of the client: the SDK retries failures before the first
byte, takes a cleanly cut stream for a whole one, and hands the rest to the caller.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import from_json

from dissonance.harness.call import ApiError, Block, Call, Failure, JsonObject, Message, Reply
from dissonance.harness.wire.table import error_reply

from .fault import Family, Fault

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = [
    "CutStream",
    "Disconnect",
    "EmptyContent",
    "HttpError",
    "MalformedBody",
    "Refusal",
    "StreamError",
    "TruncatedToolJson",
]

_Deltas = Annotated[int, Field(ge=0)]


class HttpError(Fault):
    """The API answers with this HTTP ``status`` (400 to 599) and an error body.

    ``type`` and ``message``: None takes the API's own for that status.
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "lost reply"
    status: Annotated[int, Field(ge=400, le=599)]
    type: Annotated[str, Field(min_length=1)] | None = None
    message: str | None = None

    def sentence(self) -> str:
        return f"the API answers HTTP {self.status}" + (f" ({self.type})" if self.type else "")

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        return error_reply(self.status, self.type, self.message)


class Disconnect(Fault):
    """The call fails before a status: the connection is refused (``connect``) or does not come about in
    time (``connect_timeout``), breaks before a byte (``reset``), or nothing is ever answered (``read_timeout``).
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "lost reply"
    how: Failure = "reset"

    def sentence(self) -> str:
        words: dict[Failure, str] = {
            "connect": "the connection is refused",
            "connect_timeout": "no connection comes about in time",
            "reset": "the connection breaks before a byte",
            "read_timeout": "nothing is answered until the client's read timeout",
        }
        return words[self.how]

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        return Reply(status=None, failure=self.how)


class CutStream(Fault):
    """The body ends too early, after this many content deltas (None: half of them).

    ``cleanly``: the stream ends as though it were whole, without ``message_stop``; False resets the
    connection. A body that is not streamed is cut at half its bytes, which its client notices.
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "cut stream"
    after: _Deltas | None = None
    cleanly: bool = True

    def sentence(self) -> str:
        where = "half-way" if self.after is None else f"after {self.after} deltas"
        return f"the reply is cut {where}, " + ("cleanly" if self.cleanly else "by a reset connection")

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        return replace(reply, ending="cut" if self.cleanly else "reset", ending_after=self.after)


class StreamError(Fault):
    """A stream that began with HTTP 200 ends in an ``error`` event, after this many content deltas (None: half).

    It does not fire on a call that is not streamed: there the API would have answered an HTTP error.
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "broken stream"
    type: Annotated[str, Field(min_length=1)] = "overloaded_error"
    message: str = "Overloaded"
    after: _Deltas | None = None

    def sentence(self) -> str:
        where = "half-way" if self.after is None else f"after {self.after} deltas"
        return f"the stream breaks {where} with an error event ({self.type})"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if not call.stream or reply.message is None:
            return None
        return replace(
            reply, ending="error_event", ending_after=self.after, event_error=ApiError(self.type, self.message)
        )


class MalformedBody(Fault):
    """HTTP 200 with a body that is no message: JSON that breaks off (``json``; in a stream, within its first
    event), a proxy's page (``html``), or nothing (``empty``).
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "malformed body"
    shape: Literal["json", "html", "empty"] = "json"

    def sentence(self) -> str:
        what = {"json": "JSON that breaks off", "html": "an HTML page", "empty": "an empty body"}[self.shape]
        return f"the API answers 200 with {what}"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        media, body = self._content(call.stream)
        return replace(reply, headers={**reply.headers, "content-type": media}, body=body, tokens_per_second=None)

    def _content(self, stream: bool) -> tuple[str, bytes]:
        if self.shape == "html":
            return "text/html; charset=utf-8", b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        media = "text/event-stream; charset=utf-8" if stream else "application/json"
        if self.shape == "empty":
            return media, b""
        broken = b'{"type":"message","id":"msg_'
        return media, b"event: message_start\ndata: " + broken + b"\n\n" if stream else broken


class EmptyContent(Fault):
    """The model ends its turn without a word: ``content`` is ``[]``, ``stop_reason`` is ``end_turn``."""

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "empty content"

    def sentence(self) -> str:
        return "the model answers with empty content"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return None if reply.message is None else reply.with_message(Message(content=()))


class TruncatedToolJson(Fault):
    """The arguments of the reply's last tool call break off after ``keep`` (a share, 0 to 1) of their JSON.

    In a stream the broken JSON arrives as it is; elsewhere the part that can be read, as an object.
    ``stop_reason``: ``max_tokens`` as the API says it, or ``tool_use`` as though nothing were missing.
    A reply without a tool call is left alone.
    """

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "truncated tool JSON"
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.5
    stop_reason: Literal["max_tokens", "tool_use"] = "max_tokens"

    def sentence(self) -> str:
        return f"the arguments of the last tool call break off at {self.keep:.0%} (stop reason {self.stop_reason})"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        message = reply.message
        uses = [] if message is None else [n for n, b in enumerate(message.content) if b.get("type") == "tool_use"]
        if message is None or not uses:
            return None
        last = uses[-1]
        content = (*message.content[:last], self._truncated(message.content[last], call.stream))
        return reply.with_message(replace(message, content=content, stop_reason=self.stop_reason))

    def _truncated(self, block: Block, stream: bool) -> Block:
        text = json.dumps(block.get("input", {}), ensure_ascii=False, separators=(",", ":"))
        return {**block, "input": _cut(text, self.keep) if stream else _readable(_cut(text, self.keep))}


class Refusal(Fault):
    """The classifiers refuse: HTTP 200, no content, ``stop_reason`` ``refusal``, and the ``category`` (None: unnamed)."""

    family: ClassVar[Family] = "transport"
    damages: ClassVar[str | None] = "refused content"
    category: Literal["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"] | None = None
    explanation: str | None = None

    def sentence(self) -> str:
        return "the model refuses" + (f" ({self.category})" if self.category else "")

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        details: JsonObject = {"type": "refusal", "category": self.category, "explanation": self.explanation}
        return reply.with_message(Message(content=(), stop_reason="refusal", stop_details=details))


def _cut(text: str, keep: float) -> str:
    """The beginning of a JSON object; never all of it."""
    return text[: min(int(len(text) * keep), len(text) - 1)]


def _readable(text: str) -> Any:
    """The object that a partial parser reads out of broken JSON."""
    return from_json(text, allow_partial=True) if text else {}
