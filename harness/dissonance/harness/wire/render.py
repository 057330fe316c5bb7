"""A reply as bytes in time: :class:`Performance`, which the drivers carry out on virtual time.

:func:`complete` (ids, usage, cuts) comes first, :func:`render` then decides nothing any more. Whether a
fault *changed* anything is read off here: :func:`parting` compares what is rendered with it and
without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import to_json

from dissonance.harness.call import ApiError, Call, Ending, Failure, Message, Reply, Usage
from dissonance.harness.quick import quick

from .complete import complete
from .sse import error_event, stream_message, usage_json

__all__ = ["Chunk", "Performance", "complete", "first_difference", "parting", "render", "whole_seconds"]

_OVERLOADED = ApiError("overloaded_error", "Overloaded")
_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"


class Chunk(NamedTuple):
    """Bytes that arrive together, ``after`` so many seconds since the chunk before (or since the first byte)."""

    after: float
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class Performance:
    """What a driver does: wait ``first_byte`` seconds, give the head, then each chunk after its wait, then end.

    Without a ``status`` the connection fails as ``failure`` says. An ``error_event`` is among the
    chunks; after it the stream ends cleanly, as it does after a ``cut``.
    """

    status: int | None
    failure: Failure | None
    headers: tuple[tuple[str, str], ...]
    first_byte: float
    chunks: tuple[Chunk, ...]
    ending: Ending

    @property
    def seconds(self) -> float:
        """From the request to the last byte."""
        return self.first_byte + sum(chunk.after for chunk in self.chunks)


def render(reply: Reply, call: Call) -> Performance:
    """The reply, which :func:`complete` has been through, as it goes over the wire for this call.

    A message to a call with ``stream`` is spread over its deltas, at an even pace, so that the last
    comes when its last token would. Anything else, errors too, is one chunk that comes with the
    head when it is all written; where it ends early (``cut``, ``reset``, ``stall``) it has half of
    its bytes.
    """
    status, failure, headers, first_byte = _head(reply, call)
    if status is None:
        return Performance(None, failure, headers, first_byte, (), "complete")
    if isinstance(reply.body, Message) and _is_streamed(reply, call):
        chunks, ending = _streamed(reply, reply.body)
    else:
        chunks, ending = _whole(reply)
    return Performance(status, failure, headers, first_byte, chunks, ending)


def _is_streamed(reply: Reply, call: Call) -> bool:
    return call.stream and isinstance(reply.body, Message) and reply.status is not None and reply.status < 300


def _head(reply: Reply, call: Call) -> tuple[int | None, Failure | None, tuple[tuple[str, str], ...], float]:
    """Status, failure, headers and seconds to the first byte."""
    if reply.status is None:
        return None, reply.failure or "connect", (), reply.seconds
    if _is_streamed(reply, call):
        return reply.status, None, _headers(reply, _EVENTS), reply.seconds
    raw = call.stream and isinstance(reply.body, bytes) and reply.status == 200
    return reply.status, None, _headers(reply, _EVENTS if raw else _JSON), whole_seconds(reply)


def whole_seconds(reply: Reply) -> float:
    """When a message that is not streamed, and ends whole, is there: seconds since the request."""
    return reply.seconds + (_writing(reply, reply.body.usage) if isinstance(reply.body, Message) else 0.0)


def first_difference(a: Performance, b: Performance) -> int | None:
    """Where two performances part: None nowhere, -1 in the head (status, failure, headers, first byte), else the chunk.

    It is the number of chunks where only the ending differs.
    """
    if (a.status, a.failure, a.headers, a.first_byte) != (b.status, b.failure, b.headers, b.first_byte):
        return -1
    if a.chunks == b.chunks:
        return None if a.ending == b.ending else len(a.chunks)
    for index, (one, other) in enumerate(zip(a.chunks, b.chunks, strict=False)):
        if one != other:
            return index
    return min(len(a.chunks), len(b.chunks))


def parting(before: Reply, after: Reply, call: Call) -> int | None:
    """The :func:`first_difference` of what these replies render to; where their heads differ no more is rendered."""
    if _head(before, call) != _head(after, call):
        return -1
    return first_difference(render(before, call), render(after, call))


# --- not streamed -----------------------------------------------------------------------------


def _whole(reply: Reply) -> tuple[tuple[Chunk, ...], Ending]:
    data = _data(reply)
    ending: Ending = "complete" if reply.ending == "error_event" else reply.ending
    if ending != "complete":
        data = data[: len(data) // 2]
    return (Chunk(0.0, data),) if data else (), ending


def _data(reply: Reply) -> bytes:
    body = reply.body
    if isinstance(body, bytes):
        return body
    if isinstance(body, Message):
        return _message_json(body)
    if isinstance(body, ApiError):
        return _error_json(body, reply.headers.get("request-id"))
    return b"" if body is None else to_json(body, fallback=dict)


def _message_json(message: Message) -> bytes:
    body: dict[str, Any] = {
        "id": message.id or "",
        "type": "message",
        "role": "assistant",
        "model": message.model or "",
        "content": message.content,
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "usage": usage_json(message.usage or Usage()),
    }
    if message.stop_details is not None:
        body["stop_details"] = message.stop_details
    return to_json(body, fallback=dict)


def _error_json(error: ApiError, request_id: str | None) -> bytes:
    fields: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.details is not None:
        fields["details"] = error.details
    return to_json({"type": "error", "error": fields, "request_id": request_id}, fallback=dict)


# --- streamed ---------------------------------------------------------------------------------


def _streamed(reply: Reply, message: Message) -> tuple[tuple[Chunk, ...], Ending]:
    groups, end = stream_message(message)
    deltas = len(groups) - 1
    pause = _writing(reply, message.usage) / deltas if deltas else 0.0
    if reply.ending == "complete":
        groups[-1] += end
    else:
        after = deltas // 2 if reply.ending_after is None else max(0, reply.ending_after)
        groups = groups[: after + 1]
        if reply.ending == "error_event":
            groups[-1] += error_event(reply.event_error or _OVERLOADED)
    return _paced(groups, pause), reply.ending


def _paced(groups: list[bytes], pause: float) -> tuple[Chunk, ...]:
    if not pause:
        return (Chunk(0.0, b"".join(groups)),)
    return (Chunk(0.0, groups[0]), *[Chunk(pause, group) for group in groups[1:]])


def _writing(reply: Reply, usage: Usage | None) -> float:
    """The seconds in which the message's tokens are written."""
    if not reply.tokens_per_second or usage is None:
        return 0.0
    return usage.output_tokens / reply.tokens_per_second


def _headers(reply: Reply, kind: str) -> tuple[tuple[str, str], ...]:
    headers = {"content-type": kind, **reply.headers}
    return tuple(headers.items())
