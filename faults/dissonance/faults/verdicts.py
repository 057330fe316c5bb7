"""How a reply has judged: which branch of the call's decision it takes, and how sure it says it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dissonance.harness.call import Block, Call, Message, text_of
from dissonance.harness.choices import Choice, choices
from dissonance.harness.schemas import SCORES

__all__ = ["accepts", "with_confidence"]


def accepts(message: Message, call: Call) -> bool | None:
    """Whether the message takes the accepting branch of the decision that the call offers; None where it takes none.

    >>> from dissonance.harness.call import text_block
    >>> call = Call(id=0, system="You are the judge. Reply with 'APPROVE' or 'REVISE'.")
    >>> [accepts(Message([text_block(said)]), call) for said in ("APPROVE", "REVISE: too long", "Hm.")]
    [True, False, None]
    """
    for choice in choices(call):
        if choice.decides and (taken := _taken(choice, message)) is not None:
            return taken
    return None


def _taken(choice: Choice, message: Message) -> bool | None:
    if choice.where == "words":
        return _by_words(choice, text_of(message.content))
    if choice.where == "tools":
        return _side(choice, next((b.get("name") for b in message.content if b.get("type") == "tool_use"), None))
    value = _at(_value(choice, message), choice.path)
    if _is_score(choice) and isinstance(value, int | float) and not isinstance(value, bool):
        low, high = (float(str(end)) for end in choice.options)
        return value >= (low + high) / 2
    return _side(choice, value)


def _by_words(choice: Choice, text: str) -> bool | None:
    """By the word that comes first; where only one side is offered, its absence is the other."""
    places = [
        (found.start(), side)
        for words, side in ((choice.accepting, True), (choice.rejecting, False))
        for word in words
        if (found := re.search(rf"(?<!\w){re.escape(str(word))}(?!\w)", text, re.IGNORECASE))
    ]
    if places:
        return min(places)[1]
    if choice.accepting and choice.rejecting:
        return None
    return not choice.accepting


def _side(choice: Choice, value: Any) -> bool | None:
    if _among(value, choice.accepting):
        return True
    return False if _among(value, choice.rejecting) else None


def _among(value: Any, options: Sequence[Any]) -> bool:
    return any(type(value) is type(option) and value == option for option in options)


# --- structured values ------------------------------------------------------------------------


def _is_score(choice: Choice) -> bool:
    ends = choice.options
    return bool(choice.path) and len(ends) == 2 and all(type(end) is float for end in ends)


def _value(choice: Choice, message: Message) -> Any:
    """The JSON that holds the choice: a tool's input, or the text's."""
    for block in message.content:
        if choice.where == "tool" and block.get("type") == "tool_use" and block.get("name") == choice.tool:
            return block.get("input")
        if choice.where == "schema" and block.get("type") == "text":
            return _json(str(block["text"]))
    return None


def _json(text: str) -> Any:
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1]) if start >= 0 else None
    except ValueError:
        return None


def _at(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if step == "[]":
            value = value[0] if isinstance(value, list) and value else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


# --- confidence -------------------------------------------------------------------------------

_NAMES = "|".join(sorted(SCORES))
_STATED = re.compile(
    rf"(?P<before>\b(?:{_NAMES})\b(?:\s+(?:is|of|level|score))*\s*[:=]?\s*)(?P<value>\d+(?:\.\d+)?)"
    r"(?P<after>\s?%|\s?/\s?(?P<of>\d+)|)",
    re.IGNORECASE,
)


def with_confidence(message: Message, call: Call, confidence: float) -> Message | None:
    """The message with this share of the range in each score that it states; None where it states none."""
    scores = [choice for choice in choices(call) if _is_score(choice)]
    content = [_sure(block, scores, confidence) for block in message.content]
    return None if content == list(message.content) else replace(message, content=content)


def _sure(block: Block, scores: Sequence[Choice], confidence: float) -> Block:
    if block.get("type") == "tool_use":
        paths = {choice.path: choice for choice in scores if choice.tool == block.get("name")}
        return {**block, "input": _walk(block.get("input"), (), paths, confidence)} if paths else block
    if block.get("type") != "text":
        return block
    text = str(block["text"])
    value = _json(text) if text.lstrip().startswith("{") else None
    if value is None:
        return {**block, "text": _STATED.sub(lambda found: _restated(found, confidence), text)}
    paths = {choice.path: choice for choice in scores if choice.tool is None}
    return {**block, "text": json.dumps(_walk(value, (), paths, confidence), ensure_ascii=False)} if paths else block


def _walk(value: Any, path: tuple[str, ...], scores: Mapping[tuple[str, ...], Choice], confidence: float) -> Any:
    if isinstance(value, Mapping):
        return {name: _walk(item, (*path, name), scores, confidence) for name, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, (*path, "[]"), scores, confidence) for item in value]
    if path not in scores or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    low, high = (float(str(end)) for end in scores[path].options)
    sure = low + confidence * (high - low)
    return round(sure) if isinstance(value, int) and float(sure).is_integer() else round(sure, 6)


def _restated(found: re.Match[str], confidence: float) -> str:
    value = float(found["value"])
    top = (
        100.0
        if "%" in found["after"]
        else float(found["of"] or 0) or (1.0 if value <= 1 else 10.0 if value <= 10 else 100.0)
    )
    return f"{found['before']}{round(confidence * top, 4):g}{found['after']}"
