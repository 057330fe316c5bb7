"""The same thing in other words: rewording that changes every byte of a repeat and adds nothing.

Exact-repeat detectors compare texts; a model that is going nowhere rarely says the same text twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dissonance.harness.call import Block, Call, JsonObject, Message
from dissonance.harness.choices import output_schema
from dissonance.harness.schemas import resolve

__all__ = ["change_strings", "reword", "tool_named"]

_OPENINGS = (
    "Put differently:",
    "In other words:",
    "To say it another way:",
    "From another angle:",
    "Seen as a whole:",
    "To be precise:",
    "On reflection:",
    "Once more, with care:",
)
_CLOSINGS = (
    "That is how it stands.",
    "That is the point.",
    "So it is, on balance.",
    "This is what matters here.",
    "That sums it up.",
    "So much for that.",
    "That is the gist of it.",
    "This is the long and the short of it.",
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

Change = Callable[[str], str]


def reword(text: str, n: int) -> str:
    """The ``n``-th wording of a text (from 0): no two are equal, all hold every sentence of it and no other fact.

    Phrases without content are put around it, one for each octal digit of ``n``; the sentences of a
    text of one line change their order.

    >>> reword("Prices rose. Costs fell.", 1)
    'In other words: Costs fell. Prices rose.'
    """
    around = [int(digit) for digit in f"{n:o}"]
    openings = [_OPENINGS[digit] for digit in around[::2]]
    closings = [_CLOSINGS[digit] for digit in around[1::2]]
    sentences = [text] if "\n" in text else _SENTENCE_END.split(text)
    start = n % len(sentences)
    return " ".join(part for part in (*openings, *sentences[start:], *sentences[:start], *closings) if part)


def change_strings(message: Message, call: Call, text: Change, string: Change) -> Message:
    """A message with ``text`` applied to each text block, and ``string`` to each free string of structured
    output and tool arguments. A string is free where the schema sets it no enum, constant, pattern or format;
    without a schema, where it has more than one word. So decisions stay as they are.
    """
    return replace(message, content=tuple(_changed(block, call, text, string) for block in message.content))


def tool_named(call: Call, name: str) -> JsonObject | None:
    """The offered tool of this name, if it is one that the caller runs (it has an ``input_schema``)."""
    return next((tool for tool in call.tools if tool.get("name") == name and "input_schema" in tool), None)


def _changed(block: Block, call: Call, text: Change, string: Change) -> Block:
    if block.get("type") == "tool_use":
        tool = tool_named(call, str(block.get("name")))
        schema = {} if tool is None else tool["input_schema"]
        return {**block, "input": _walk(block.get("input"), schema, schema, string)}
    if block.get("type") != "text":
        return block
    value = _json_object(str(block["text"]))
    if value is None:
        return {**block, "text": text(str(block["text"]))}
    schema = output_schema(call) or {}
    return {**block, "text": json.dumps(_walk(value, schema, schema, string), ensure_ascii=False)}


def _json_object(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _walk(value: Any, schema: Any, root: Any, string: Change) -> Any:
    schema = resolve(schema, root) if isinstance(schema, Mapping) else {}
    if isinstance(value, str):
        return string(value) if _is_free(value, schema) else value
    if isinstance(value, Mapping):
        parts = schema.get("properties", {})
        return {name: _walk(item, parts.get(name), root, string) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_walk(item, schema.get("items"), root, string) for item in value]
    return value


def _is_free(value: str, schema: JsonObject) -> bool:
    if schema.get("type") != "string":
        return len(value.split()) > 1
    return not any(bound in schema for bound in ("enum", "const", "pattern", "format", "maxLength"))
