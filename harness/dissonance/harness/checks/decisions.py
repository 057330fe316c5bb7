"""Which side a reply takes of the decision that its call offered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dissonance.harness.call import Block, Call, blocks_of, text_of
from dissonance.harness.choices import Choice, choices
from dissonance.harness.history import CallSent, History
from dissonance.harness.words import ACCEPTING, REJECTING, Side, tokens_of

__all__ = ["call_of", "may_decide", "taken"]

_SIDED = ACCEPTING | REJECTING


def call_of(history: History, sent: CallSent) -> Call:
    """The request of a recorded call as data again; of its messages those since the user last said something."""
    params = {} if sent.params is None else history.bodies.get(sent.params)
    params = params if isinstance(params, Mapping) else {}
    return Call(
        id=sent.id,
        endpoint=sent.endpoint,
        model=sent.model,
        system=None if sent.system is None else history.bodies.get(sent.system),
        messages=_last_turn(history, sent),
        tools=[] if sent.tools is None else history.bodies.get(sent.tools),
        tool_choice=params.get("tool_choice"),
        max_tokens=sent.max_tokens,
        params=params,
        agent=sent.agent,
        ordinal=sent.ordinal,
        attempt=sent.attempt,
    )


def _last_turn(history: History, sent: CallSent) -> list[Any]:
    found: list[Any] = []
    for key in reversed(sent.messages):
        message = history.bodies.get(key)
        found.insert(0, message)
        blocks = blocks_of(message.get("content"))
        if message.get("role") == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            break
    return found


def may_decide(content: Sequence[Block]) -> bool:
    """Whether a reply has anything in it that could take a side: a tool used, JSON, or a word that takes one."""
    if any(block.get("type") == "tool_use" for block in content):
        return True
    text = text_of(content)
    return "{" in text or "[" in text or not _SIDED.isdisjoint(tokens_of(text))


def taken(call: Call, content: Sequence[Block], *, judging: bool = True) -> Side | None:
    """The side that a reply's content takes of the first decision that it answers; None where it answers none.

    ``judging``: only of decisions that judge something given (accept or reject), not of those that end
    something that goes on.
    """
    for choice in choices(call):
        if choice.verdict if judging else choice.decides:
            side = _side(choice, content)
            if side is not None:
                return side
    return None


def _side(choice: Choice, content: Sequence[Block]) -> Side | None:
    if choice.where == "tools":
        used = [block.get("name") for block in content if block.get("type") == "tool_use"]
        return next((side for name in used if (side := _of(choice, name)) is not None), None)
    if choice.where == "words":
        return _word(choice, text_of(content))
    for value in _objects(choice, content):
        side = _of(choice, _at(value, choice.path))
        if side is not None:
            return side
    return None


def _objects(choice: Choice, content: Sequence[Block]) -> list[Any]:
    """The JSON in which a choice is answered."""
    if choice.where == "tool":
        return [b.get("input") for b in content if b.get("type") == "tool_use" and b.get("name") == choice.tool]
    text = text_of([block for block in content if block.get("type") == "text"])
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=0)
    try:
        return [json.JSONDecoder().raw_decode(text, start)[0]]
    except ValueError:
        return []


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if name == "[]":
            value = value[0] if isinstance(value, list) and value else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _of(choice: Choice, value: Any) -> Side | None:
    """The side of an option; of a score, that of the end which it is nearer to."""
    if value is None:
        return None
    for side, options in (("accept", choice.accepting), ("reject", choice.rejecting)):
        if any(option == value and isinstance(option, bool) == isinstance(value, bool) for option in options):
            return "accept" if side == "accept" else "reject"
    low, high = choice.rejecting[:1], choice.accepting[:1]
    if isinstance(value, int | float) and low and high and _is_number(low[0]) and _is_number(high[0]):
        return "accept" if 2 * value > float(str(low[0])) + float(str(high[0])) else "reject"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _word(choice: Choice, text: str) -> Side | None:
    """The side of the offered word that comes first, as it is written, else in any case; the longer of two there.

    Where only one side is offered, its absence is the other.
    """
    for flags in (0, re.IGNORECASE):
        found = [
            (match.start(), -len(str(option)), side)
            for side, options in (("accept", choice.accepting), ("reject", choice.rejecting))
            for option in options
            if (match := re.search(rf"(?<!\w){re.escape(str(option))}(?!\w)", text, flags))
        ]
        if found:
            return "accept" if min(found)[2] == "accept" else "reject"
    if bool(choice.accepting) == bool(choice.rejecting):
        return None
    return "reject" if choice.accepting else "accept"
