"""What the API asks of ``messages``: roles, contents, and the pairing of tool calls with their results.

The texts are the API's own, as pasted in public issues and quoted in its documentation (2024 to
2026); those marked *inferred* in a comment follow the same pattern but were not seen. Consecutive
messages of one role count as one turn, as the API combines them, and ``system`` messages belong to
no turn. Which index the API prints for an unanswered ``tool_use`` is inferred: the message that
holds the first of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from operator import is_
from typing import Any

__all__ = ["Refused", "check_messages"]

MAX_MESSAGES = 100_000
_ROLES = ("user", "assistant", "system")


class Refused(Exception):
    """A 400 with this text; ``validate`` turns it into a reply."""


def check_messages(messages: Any, *, strict: bool) -> None:
    """Raise :class:`Refused` for the first thing that is wrong; ``strict`` is API version 2026-10-21."""
    if not isinstance(messages, list):
        raise Refused("messages: Input should be a valid list")
    if not messages:
        raise Refused("messages: at least one message is required")
    if len(messages) > MAX_MESSAGES:
        raise Refused(f"messages: List should have at most {MAX_MESSAGES} items after validation, not {len(messages)}")
    turns, start = _begun(messages, strict)
    turns.read(messages, start)
    if len(messages) >= _LONG and turns.role == "user":
        _checked.appendleft((messages, turns))


_LONG = 32  # messages: what is shorter is checked anew as fast
_checked: deque[tuple[list[Any], _Turns]] = deque(maxlen=8)
"""Conversations that were found right, the latest first, and where that left off."""


def _begun(messages: list[Any], strict: bool) -> tuple[_Turns, int]:
    """A copy of where the check of a conversation left off that this one, by its very objects, goes on from."""
    for known, turns in _checked:
        if turns.strict is strict and len(known) <= len(messages) and all(map(is_, known, messages)):
            return turns.copy(), len(known)
    return _Turns(strict), 0


class _Turns:
    """One pass over the messages: what the tool calls of the turn before still lack, and which ids are taken.

    A plain text message touches little of this: a history of hundreds of messages is checked anew
    for each call, so :meth:`read` deals with those by itself.
    """

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.role = ""
        self.asked: dict[str, int] = {}  # tool_use id -> index of its message, in the current or last assistant turn
        self.answered: set[str] = set()
        self.results_over = False  # other content has come in this user turn: later results do not count
        self.seen: set[str] = set()
        self.before = ""  # the role of the message before, a system message aside

    def copy(self) -> _Turns:
        other = _Turns(self.strict)
        vars(other).update(vars(self))
        other.asked, other.answered, other.seen = {**self.asked}, {*self.answered}, {*self.seen}
        return other

    def read(self, messages: list[Any], start: int = 0) -> None:
        """Check the messages from ``start`` on; those before have been read."""
        last = len(messages) - 1
        role = self.before
        for index, message in enumerate(messages[start:], start):
            try:
                now, content = message["role"], message["content"]
            except (KeyError, TypeError):
                raise Refused(_incomplete(message, index)) from None
            if now != role:
                self._turn(now, index)
                role = now if now != "system" else role
            if type(content) is str:
                if not content or content.isspace():
                    self._blank(content, now, index, index == last)
                if now == "user":
                    self.results_over = True
            elif type(content) is list:
                if not content and not (now == "assistant" and index == last):
                    raise Refused(_empty(index))
                self._blocks(content, now, index)
            else:
                raise Refused(f"messages.{index}.content: Input should be a valid list")
        self.before = role
        if not self.role:
            raise Refused('messages: first message must use the "user" role')
        if self.asked and (self.role == "assistant" or len(self.answered) < len(self.asked)):
            self._unanswered()

    def _turn(self, role: Any, index: int) -> None:
        if role not in _ROLES:
            raise Refused(f"messages.{index}.role: Input should be 'user', 'assistant' or 'system'")
        if role == "system" or role == self.role:
            return
        if not self.role and role != "user":
            raise Refused('messages: first message must use the "user" role')
        if role == "assistant":
            if len(self.answered) < len(self.asked):
                self._unanswered()
            if self.asked:
                self.asked = {}
        elif self.answered:
            self.answered = set()
        self.results_over = False
        self.role = role

    def _blank(self, text: str, role: str, index: int, final: bool) -> None:
        if text:
            raise Refused("messages: text content blocks must contain non-whitespace text")
        if not (role == "assistant" and final):
            raise Refused(_empty(index))

    def _blocks(self, content: list[Any], role: str, index: int) -> None:
        for place, block in enumerate(content):
            try:
                kind = block["type"]
                if kind == "text":
                    text = block["text"]
                    if text.isspace() or not text:
                        raise Refused(_blank_text(text))
                    if self.strict and role == "user" and block.get("citations"):
                        # inferred
                        raise Refused(
                            f"messages.{index}.content.{place}.text.citations: Extra inputs are not permitted"
                        )
                    self.results_over = True
                elif kind == "tool_result":
                    self._result(block["tool_use_id"], index, place)
                elif kind == "tool_use":
                    self._use(block, role, index, place)
                else:
                    self._other(kind, role, index, place)
            except (KeyError, TypeError, AttributeError):
                raise Refused(_malformed(block, f"messages.{index}.content.{place}")) from None

    def _use(self, block: Mapping[str, Any], role: str, index: int, place: int) -> None:
        id = block["id"]
        if role != "assistant":  # inferred
            raise Refused(f"messages.{index}.content.{place}: `tool_use` blocks can only be in `assistant` messages")
        if not (isinstance(id, str) and isinstance(block["name"], str) and isinstance(block["input"], dict)):
            raise TypeError
        if id in self.seen:
            raise Refused(f"messages.{index}.content.{place}: `tool_use` ids must be unique")
        self.seen.add(id)
        self.asked[id] = index

    def _result(self, id: Any, index: int, place: int) -> None:
        if self.role != "user" or id not in self.asked:
            raise Refused(
                f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if id in self.answered:
            raise Refused(
                f"messages.{index}.content.{place}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {id}"
            )
        if not self.results_over:
            self.answered.add(id)

    def _other(self, kind: Any, role: str, index: int, place: int) -> None:
        if not isinstance(kind, str):
            raise TypeError
        if self.strict and kind == "document" and role == "assistant":  # inferred
            raise Refused(f"messages.{index}.content.{place}: `document` blocks can only be in `user` messages")
        self.results_over = True

    def _unanswered(self) -> None:
        missing = [id for id in self.asked if self.role == "assistant" or id not in self.answered]
        raise Refused(
            f"messages.{self.asked[missing[0]]}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
            "next message."
        )


def _empty(index: int) -> str:
    return f"messages.{index}: all messages must have non-empty content except for the optional final assistant message"


def _blank_text(text: str) -> str:
    if not text:
        return "messages: text content blocks must be non-empty"
    return "messages: text content blocks must contain non-whitespace text"


def _incomplete(message: Any, index: int) -> str:
    if not isinstance(message, dict):
        return f"messages.{index}: Input should be an object"
    field = "role" if "role" not in message else "content"
    return f"messages.{index}.{field}: Field required"


def _malformed(block: Any, where: str) -> str:
    """What is missing or of a wrong type in a block, in the manner of the API's schema errors."""
    if not isinstance(block, dict):
        return f"{where}: Input should be an object"
    kind = block.get("type")
    if not isinstance(kind, str):
        return f"{where}.type: Field required"
    expected: dict[str, dict[str, type]] = {
        "text": {"text": str},
        "tool_use": {"id": str, "name": str, "input": dict},
        "tool_result": {"tool_use_id": str},
    }
    for field, wanted in expected.get(kind, {}).items():
        if field not in block:
            return f"{where}.{kind}.{field}: Field required"
        if not isinstance(block[field], wanted):
            noun = "dictionary" if wanted is dict else "string"
            return f"{where}.{kind}.{field}: Input should be a valid {noun}"
    return f"{where}: Input should be a valid content block"
