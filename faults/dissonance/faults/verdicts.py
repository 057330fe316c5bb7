"""How a reply has judged: which branch of the call's decision it takes, and how sure it says it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dissonance.harness.call import Block, Call, Message
from dissonance.harness.checks.decisions import taken
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
    side = taken(call, message.content, judging=False)
    return None if side is None else side == "accept"


# --- structured values ------------------------------------------------------------------------


def _is_score(choice: Choice) -> bool:
    ends = choice.options
    return bool(choice.path) and len(ends) == 2 and all(type(end) is float for end in ends)


def _json(text: str) -> Any:
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1]) if start >= 0 else None
    except ValueError:
        return None


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
