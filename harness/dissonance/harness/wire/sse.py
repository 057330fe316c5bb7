"""A message as the API streams it: server-sent events, in its order and with its texts.

``message_start``, then each block's ``content_block_start``, deltas and ``content_block_stop``, then
``message_delta`` with the cumulative usage, and ``message_stop``. A ``ping`` follows the first
``content_block_start``. A tool call starts with an empty input and an empty first
``input_json_delta``; a thinking block ends with its ``signature_delta``; blocks with the result of a
server tool arrive whole in their start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import to_json

from dissonance.harness.call import ApiError, Block, JsonObject, Message, Usage

__all__ = ["error_event", "event", "stream_message", "usage_json"]

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'

_find_pieces = re.compile(r".{1,16}(?:\S{0,8}\s)?", re.DOTALL).findall
"""A delta has a few tokens: about 16 characters, up to the end of a word where that is near."""


def event(data: JsonObject) -> bytes:
    """One event, named by its ``type``."""
    return b"event: %b\ndata: %b\n\n" % (str(data["type"]).encode(), to_json(data, fallback=dict))


def error_event(error: ApiError) -> bytes:
    """The event with which a stream breaks off."""
    body: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    return event({"type": "error", "error": body})


def usage_json(usage: Usage) -> dict[str, Any]:
    """Usage as it stands in a message."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }


def stream_message(message: Message) -> tuple[list[bytes], bytes]:
    """The events in groups, and the two that end the message.

    The first group is all that comes before the first content; each further one begins with a
    content delta (text, thinking, or JSON that is not empty) and has what follows it at once. So
    ``groups[: n + 1]`` is the stream after ``n`` content deltas.
    """
    groups: list[bytes] = []
    glue = [_start(message)]
    for index, block in enumerate(message.content):
        start, deltas, end = _block(block, index)
        glue.append(start if index else _with_ping(start))
        for delta in deltas:
            groups.append(b"".join(glue))
            glue = [delta]
        glue.append(end)
        glue.append(_BLOCK_STOP % index)
    groups.append(b"".join(glue))
    return groups, _end(message)


def _with_ping(start: bytes) -> bytes:
    """The block's start with a ping right behind its first event."""
    first, separator, rest = start.partition(b"\n\n")
    return first + separator + _PING + rest


def _start(message: Message) -> bytes:
    usage = message.usage or Usage()
    head: dict[str, Any] = {
        "id": message.id or "",
        "type": "message",
        "role": "assistant",
        "model": message.model or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage_json(usage), "output_tokens": min(1, usage.output_tokens)},
    }
    return event({"type": "message_start", "message": head})


def _end(message: Message) -> bytes:
    delta: dict[str, Any] = {"stop_reason": message.stop_reason, "stop_sequence": message.stop_sequence}
    if message.stop_details is not None:
        delta["stop_details"] = message.stop_details
    usage = usage_json(message.usage or Usage())
    del usage["service_tier"]  # only in message_start
    return event({"type": "message_delta", "delta": delta, "usage": usage}) + _STOP


def _block(block: Block, index: int) -> tuple[bytes, Iterator[bytes], bytes]:
    """A block's start, its content deltas, and the deltas that come with the last of them."""
    kind = block.get("type")
    if kind == "text":
        end = b"".join(_delta(index, b"citations_delta", b"citation", each) for each in block.get("citations") or ())
        return _block_start(index, {**block, "text": ""}), _pieces(index, "text_delta", "text", block.get("text")), end
    if kind == "thinking":
        signature = _delta(index, b"signature_delta", b"signature", block.get("signature", ""))
        start = _block_start(index, {**block, "thinking": "", "signature": ""})
        return start, _pieces(index, "thinking_delta", "thinking", block.get("thinking")), signature
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        start = _block_start(index, {**block, "input": {}}) + _delta(index, b"input_json_delta", b"partial_json", "")
        return start, _pieces(index, "input_json_delta", "partial_json", _written(block.get("input"))), b""
    return _block_start(index, block), iter(()), b""


def _block_start(index: int, block: Mapping[str, Any]) -> bytes:
    if block.get("citations"):
        block = {**block, "citations": []}
    return event({"type": "content_block_start", "index": index, "content_block": block})


def _written(value: Any) -> str:
    """The input as the model wrote it; a string is sent as it is, for a fault may have broken it."""
    if isinstance(value, str):
        return value
    return "" if not value else to_json(value, fallback=dict).decode()


def _pieces(index: int, kind: str, field: str, text: Any) -> Iterator[bytes]:
    head: bytes = _DELTA.replace(b"%b}}", b"%%b}}") % (index, kind.encode(), field.encode())
    for piece in _find_pieces(text) if isinstance(text, str) else ():
        yield head % to_json(piece)


def _delta(index: int, kind: bytes, field: bytes, value: Any) -> bytes:
    return _DELTA % (index, kind, field, to_json(value, fallback=dict))
