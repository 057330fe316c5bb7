"""How a prompt is made to fit: what each policy of :class:`.overflow.Overflow` drops of it, as pure functions of a call.

``window`` is in tokens, all of the request's being counted as the wire counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dissonance.harness.call import Block, Call, JsonObject, blocks_of, text_of
from dissonance.harness.claims import claims_in
from dissonance.harness.wire.estimate import count_block, cut_text, uncorrected
from dissonance.harness.wire.ranks import decode, encode
from dissonance.harness.wire.tokens import count_call

__all__ = [
    "CLEARED",
    "SUMMARY_TOKENS",
    "all_but_last",
    "cleared",
    "front",
    "last_tokens",
    "middle",
    "oldest",
    "oldest_and_system",
    "summarised",
]

CLEARED = "[cleared]"
"""What stands in a tool result that was cleared."""

SUMMARY_TOKENS = 256
"""The most that a summary has; LangMem's default."""

_READ_TOKENS = 4_000
_SUMMARY = "Summary of the conversation so far:"


def oldest(call: Call, window: int) -> Call | None:
    """Without its oldest messages, until it fits; ``system`` messages and the last message stay."""
    for start in range(1, len(call.messages)):
        first = [message for message in call.messages[:start] if message.get("role") == "system"]
        seen = replace(call, messages=[*first, *call.messages[start:]])
        if start == len(call.messages) - 1 or count_call(seen) <= window:
            return seen
    return None


def oldest_and_system(call: Call, window: int) -> Call:
    """Without its system prompt, and the last messages that fit; none where not even the last does."""
    for start in range(len(call.messages)):
        seen = replace(call, system=None, messages=call.messages[start:])
        if count_call(seen) <= window:
            return seen
    return replace(call, system=None, messages=[])


def middle(call: Call, window: int) -> Call:
    """Without the message in its middle, until it fits; then without results of tools at its beginning."""
    messages = list(call.messages)
    while messages and count_call(replace(call, messages=messages)) > window:
        messages.pop(len(messages) // 2)
    return replace(call, messages=_without_leading_results(messages))


def all_but_last(call: Call, keep: int) -> Call | None:
    """Its last messages, without results of tools at their beginning; None where it has no more."""
    if len(call.messages) <= keep:
        return None
    return replace(call, messages=_without_leading_results(list(call.messages[-keep:])))


def front(call: Call, keep: int, limit: int) -> Call | None:
    """Its first ``keep`` tokens, and as much of its end as makes ``limit`` tokens in all: tokens are cut, not messages.

    Of a block that cannot be cut, such as an image or a tool's call, nothing is kept.
    """
    whole = call.system_text
    head = cut_text(whole or _first_text(call.messages), keep, call.model)
    bare = replace(call, system=head or None, messages=[], tools=[])
    kept: list[JsonObject] = []
    for message in reversed(call.messages):
        more = replace(bare, messages=[message, *kept])
        if count_call(more) > limit:
            end = _end_of(message, limit - count_call(replace(bare, messages=[_empty(message), *kept])), call.model)
            return replace(bare, messages=[end, *kept] if end is not None else kept)
        kept.insert(0, message)
    with_tools = replace(bare, messages=kept, tools=call.tools)
    seen = with_tools if count_call(with_tools) <= limit else replace(bare, messages=kept)
    tail = last_tokens(whole[len(head) :], limit - count_call(seen) - 1, call.model)
    while tail and count_call(replace(seen, system=head + tail)) > limit:  # joined, the two may count otherwise
        tail = tail[1:]
    return replace(seen, system=(head + tail) or None)


def summarised(call: Call, keep: int) -> Call | None:
    """With all but its last messages in a summary; None where it has no more than those."""
    start = len(call.messages) - keep
    while start > 0 and _is_results(call.messages[start]):
        start -= 1
    if start <= 0:
        return None
    older = "\n".join(text_of(message.get("content")) for message in call.messages[:start])
    read = last_tokens(older, _READ_TOKENS, call.model)
    summary = cut_text("\n".join((_SUMMARY, *claims_in(read))), SUMMARY_TOKENS, call.model)
    return replace(call, messages=[{"role": "user", "content": summary}, *call.messages[start:]])


def cleared(call: Call, keep: int) -> Call | None:
    """With all but its last tool results cleared; None where none is left to clear."""
    ids = [block.get("tool_use_id") for message in call.messages for block in _results(message)]
    gone = {*ids[: max(0, len(ids) - keep)]}
    messages = [_cleared(message, gone) for message in call.messages]
    return replace(call, messages=messages) if messages != list(call.messages) else None


# --- texts ------------------------------------------------------------------------------------


def last_tokens(text: str, tokens: int, model: str) -> str:
    """The end of this text that fits into so many of the model's tokens."""
    return _last(text, uncorrected(tokens, model))


def _last(text: str, size: int) -> str:
    """The end of this text that has so many uncorrected tokens; the same text may count otherwise once it is cut."""
    codes = encode(text)[-size:] if size > 0 else []
    end = decode(codes)
    while codes and len(encode(end)) > size:
        codes = codes[1:]
        end = decode(codes)
    return end


def _first_text(messages: Sequence[JsonObject]) -> str:
    return text_of(messages[0].get("content")) if messages else ""


# --- messages ---------------------------------------------------------------------------------


def _results(message: JsonObject) -> list[Block]:
    return [block for block in blocks_of(message.get("content")) if block.get("type") == "tool_result"]


def _is_results(message: JsonObject) -> bool:
    return message.get("role") == "user" and bool(_results(message))


def _without_leading_results(messages: list[JsonObject]) -> list[JsonObject]:
    return messages[1:] if messages and _is_results(messages[0]) else messages


def _cleared(message: JsonObject, gone: set[Any]) -> JsonObject:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return message
    blocks = [
        {**block, "content": CLEARED}
        if block.get("type") == "tool_result" and block.get("tool_use_id") in gone
        else block
        for block in content
    ]
    return {**message, "content": blocks}


def _empty(message: JsonObject) -> JsonObject:
    return {**message, "content": []}


def _end_of(message: JsonObject, tokens: int, model: str) -> JsonObject | None:
    """The end of a message that adds so many tokens, or one less (sums are rounded); None where that is nothing."""
    kept: list[Block] = []
    room = uncorrected(tokens - 1, model)
    for block in reversed(blocks_of(message.get("content"))):
        size = count_block(block)
        if size > room:
            end = _end_of_block(block, room)
            kept = kept if end is None else [end, *kept]
            break
        kept.insert(0, block)
        room -= size
    return {**message, "content": kept} if kept else None


def _end_of_block(block: Block, room: int) -> Block | None:
    field = {"text": "text", "tool_result": "content"}.get(str(block.get("type")))
    value = None if field is None else block.get(field)
    if field is None or not isinstance(value, str):
        return None
    end = _last(value, room)
    return {**block, field: end} if end.strip() else None
