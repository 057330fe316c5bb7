"""What the API adds to a reply: ids, headers, the model's name, usage, and the limits at which it cuts a text.

Everything is a function of the call and the seed: the same call of the same run gets the same ids,
with or without faults elsewhere, so that a fault's effect is never hidden among changed ids.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from pydantic_core import from_json, to_json

from dissonance.harness.call import Block, Call, Message, Reply, StopReason, Usage

from .catalog import info
from .estimate import corrected, count_block, cut_text
from .table import ORGANISATION

__all__ = ["complete", "cut_message", "output_limit"]

_CALLS = {"tool_use": "toolu_01", "server_tool_use": "srvtoolu_01", "mcp_tool_use": "mcptoolu_01"}
_ALPHANUMERIC = bytes.maketrans(b"+/", b"Aa")
_LEAST_OUTPUT = 2  # the API bills two or three tokens for an empty answer


def complete(reply: Reply, call: Call, seed: int) -> Reply:
    """The reply as the API sends it; what a model or a fault has filled in already stays.

    Headers ``request-id`` and ``anthropic-organization-id``; for a message also its id, those of
    its tool calls, the model, and the usage, for which it ends at the first of ``stop_sequences``,
    at ``max_tokens`` or at the end of the window (``stop_reason`` says which). A message that has
    its usage is not cut. A failed connection stays as it is.
    """
    if reply.status is None:
        return reply
    key = f"{seed}\0{call.agent}\0{call.ordinal}\0{call.attempt}\0{call.endpoint}"
    letters = _letters(key)
    headers = {"request-id": f"req_011{letters[22:43]}", "anthropic-organization-id": ORGANISATION, **reply.headers}
    body = reply.body
    if isinstance(body, Message):
        body = _complete_message(body, call, key, f"msg_01{letters[:22]}")
    return reply.with_body(body, headers)


def output_limit(call: Call) -> tuple[int, StopReason]:
    """How many tokens the answer may have, and the stop reason of one that would have more.

    From Claude 4.5 on, input and ``max_tokens`` may together exceed the window; the answer then
    ends where the window does.
    """
    room = max(0, info(call.model).window - call.tokens)
    return (room, "model_context_window_exceeded") if room < call.max_tokens else (call.max_tokens, "max_tokens")


@lru_cache(maxsize=64)  # a fault's reply needs those of the model's
def _letters(key: str) -> str:
    """64 letters and digits from a hash."""
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=48).digest()
    return b2a_base64(digest, newline=False).translate(_ALPHANUMERIC).decode()


def _complete_message(message: Message, call: Call, key: str, id: str) -> Message:
    usage = message.usage
    if usage is None:
        message, output = _cut(message, call)
        usage = Usage(input_tokens=call.tokens, output_tokens=output)
    return Message(
        _with_ids(message.content, key),
        message.stop_reason,
        message.stop_sequence,
        message.stop_details,
        usage,
        message.id or id,
        message.model or call.model,
    )


def _with_ids(content: Sequence[Block], key: str) -> Sequence[Block]:
    if all([block.get("id") for block in content if block.get("type") in _CALLS]):
        return content
    return [_with_id(block, f"{key}\0{index}") for index, block in enumerate(content)]


def _with_id(block: Block, key: str) -> Block:
    prefix = _CALLS.get(block.get("type", ""))
    return block if prefix is None or block.get("id") else {**block, "id": prefix + _letters(key)[:22]}


# --- cuts -------------------------------------------------------------------------------------


def _cut(message: Message, call: Call) -> tuple[Message, int]:
    """The message up to where it stops, and its output tokens."""
    message = _stop(message, call.params.get("stop_sequences") or ())
    limit, reason = output_limit(call)
    tokens = _tokens(message.content, call.model)
    if tokens <= limit:
        return message, min(limit, max(tokens, _LEAST_OUTPUT))
    return _shortened(message, limit, call.model, reason), limit


def cut_message(message: Message, tokens: int, model: str, reason: StopReason) -> Message | None:
    """The message as it stops, for this ``reason``, after so many output tokens; None where it has no more than that."""
    return None if _tokens(message.content, model) <= tokens else _shortened(message, tokens, model, reason)


def _shortened(message: Message, tokens: int, model: str, reason: StopReason) -> Message:
    content = list(_first(message.content, tokens, model))
    return replace(message, content=content, stop_reason=reason, stop_sequence=None)


def _tokens(content: Iterable[Block], model: str) -> int:
    return corrected(sum([count_block(block) for block in content]), model)


def _stop(message: Message, sequences: Sequence[str]) -> Message:
    """The message up to the first stop sequence that its text holds."""
    if not sequences:
        return message
    for index, block in enumerate(message.content):
        text = block.get("text") if block.get("type") == "text" else None
        if not isinstance(text, str):
            continue
        found = [(text.find(each), each) for each in sequences if each in text]
        if found:
            place, sequence = min(found)
            last = [{**block, "text": text[:place]}] if place else []
            content = [*message.content[:index], *last]
            return replace(message, content=content, stop_reason="stop_sequence", stop_sequence=sequence)
    return message


def _first(content: Iterable[Block], limit: int, model: str) -> Iterable[Block]:
    """As much of the content as fits into so many tokens; the last block may be a beginning."""
    before = 0
    for block in content:
        base = before + count_block(block)
        if corrected(base, model) > limit:
            yield from _beginning(block, limit - corrected(before, model), model)
            return
        before = base
        yield block


def _beginning(block: Block, tokens: int, model: str) -> Iterable[Block]:
    """What a model has written of this block after so many tokens: nothing, the start of a text, part of an input."""
    kind = block.get("type")
    if kind in ("text", "thinking"):
        text = cut_text(str(block.get(kind, "")), tokens, model)
        if text:
            yield {**block, kind: text}
    elif kind in _CALLS and tokens > 0:
        written = cut_text(to_json(block.get("input")).decode(), tokens, model)
        yield {**block, "input": _parsed(written)}


def _parsed(written: str) -> Any:
    try:
        return from_json(written, allow_partial=True)
    except ValueError:  # not even a beginning
        return {}
