"""Reading a model's reply honestly: an :class:`Answer`, or a :class:`DamagedReply`.

The SDK hands over replies that are no answers without a word: a stream cut before its end has
``stop_reason`` None, a refusal and an empty message come with HTTP 200, a web page in place of
JSON comes as a ``str``. Here each of them is an error with a name, because a pattern that takes
one for a result delivers damage as though nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

from anthropic.types import Message, MessageParam
from pydantic import BaseModel, ValidationError

from .outcome import PatternError, Usage

__all__ = ["Answer", "Damage", "DamagedReply", "ToolCall", "read"]

D = TypeVar("D")
M = TypeVar("M", bound=BaseModel)

Damage = Literal["cut", "empty", "refused", "truncated", "unfinished", "unparsable", "unreadable"]
"""``cut``: the stream ended early. ``empty``: no text and no tool call. ``refused``: a refusal.
``truncated``: ``max_tokens`` or the context window ended it. ``unfinished``: any other stop reason that
is no end, or a tool that was not offered. ``unparsable``: not JSON of the schema asked for, or tool arguments that are no object.
``unreadable``: not a message at all."""

TRANSIENT: frozenset[Damage] = frozenset({"cut", "empty", "unparsable", "unreadable"})
"""Damage that may be gone when the same question is asked again."""


class DamagedReply(PatternError):
    """A reply that must not be taken for an answer.

    ``partial`` is the text that did arrive, for a caller that can use a part and says so; ``usage``
    is what the damaged replies cost.
    """

    def __init__(
        self, agent: str, damage: Damage, detail: str, *, partial: str = "", usage: Usage | None = None
    ) -> None:
        super().__init__(f"the reply to agent {agent!r} is {damage}: {detail}")
        self.agent = agent
        self.damage: Damage = damage
        self.detail = detail
        self.partial = partial
        self.usage = Usage(calls=1) if usage is None else usage

    @property
    def transient(self) -> bool:
        """Whether asking again may help."""
        return self.damage in TRANSIENT


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model asks for."""

    id: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def canonical(self) -> str:
        """Name and arguments as one text: equal calls have equal texts, whatever the order of their keys.

        >>> ToolCall("toolu_1", "search", {"year": 2025, "q": "ACME"}).canonical
        'search({"q": "ACME", "year": 2025})'
        """
        return f"{self.name}({json.dumps(self.arguments, sort_keys=True, ensure_ascii=False, default=str)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[D]):
    """A whole reply. ``data`` is the validated model where a schema was asked for, else None.

    ``message`` is the reply as it came, ``usage`` the cost of getting it, damaged tries included;
    ``asked`` are the messages that were sent, which a guard may have compacted.
    """

    agent: str
    text: str
    data: D
    calls: tuple[ToolCall, ...]
    stop_reason: str
    usage: Usage
    message: Message
    asked: tuple[MessageParam, ...] = ()

    @property
    def turn(self) -> MessageParam:
        """The reply as the assistant's turn of a conversation that goes on."""
        return {"role": "assistant", "content": self.message.content}


@overload
def read(
    agent: str, message: object, schema: type[M], *, tools: bool = False, asked: tuple[MessageParam, ...] = ()
) -> Answer[M]: ...
@overload
def read(
    agent: str, message: object, schema: None = None, *, tools: bool = False, asked: tuple[MessageParam, ...] = ()
) -> Answer[None]: ...
def read(
    agent: str,
    message: object,
    schema: type[BaseModel] | None = None,
    *,
    tools: bool = False,
    asked: tuple[MessageParam, ...] = (),
) -> Answer[Any]:
    """The answer in a message of the SDK; raises DamagedReply where there is none.

    ``tools`` says whether tools were offered: a tool call without an offer is damage too. ``asked`` is noted.
    """
    if not isinstance(message, Message):
        raise DamagedReply(agent, "unreadable", f"a {type(message).__name__} came in place of a message")
    usage = _usage(message)
    text = "".join(block.text or "" for block in message.content or () if block.type == "text")
    try:
        _whole(message.stop_reason)
        calls = _calls(message, offered=tools)
        if not calls and not text.strip():
            raise _Damaged("empty", "it holds neither text nor a tool call")
        data = None if schema is None or calls else _parsed(text, schema)
    except _Damaged as found:
        raise DamagedReply(agent, found.damage, found.detail, partial=text, usage=usage) from found.__cause__
    return Answer(
        agent=agent,
        text=text,
        data=data,
        calls=calls,
        stop_reason=str(message.stop_reason),
        usage=usage,
        message=message,
        asked=asked,
    )


class _Damaged(Exception):
    """Damage found, before it is known whose."""

    def __init__(self, damage: Damage, detail: str) -> None:
        super().__init__(detail)
        self.damage = damage
        self.detail = detail


def _whole(stop_reason: str | None) -> None:
    if stop_reason is None:
        raise _Damaged("cut", "it has no stop reason: it broke off")
    if stop_reason == "refusal":
        raise _Damaged("refused", "the model refused")
    if stop_reason in ("max_tokens", "model_context_window_exceeded"):
        raise _Damaged("truncated", f"it stopped at {stop_reason}; raise max_tokens or ask for less")
    if stop_reason not in ("end_turn", "stop_sequence", "tool_use"):
        raise _Damaged("unfinished", f"it stopped with {stop_reason!r}")


def _calls(message: Message, *, offered: bool) -> tuple[ToolCall, ...]:
    blocks = [block for block in message.content or () if block.type == "tool_use"]
    if (message.stop_reason == "tool_use") != bool(blocks):
        detail = f"it stopped with {message.stop_reason!r} and holds {len(blocks)} tool calls"
        raise _Damaged("unfinished" if blocks else "empty", detail)
    if blocks and not offered:
        raise _Damaged("unfinished", f"it asks for {blocks[0].name!r} where no tool was offered")
    for block in blocks:
        if not isinstance(block.input, Mapping):
            raise _Damaged("unparsable", f"the arguments of {block.name!r} are no JSON object")
    return tuple(ToolCall(block.id, block.name, block.input) for block in blocks)


def _parsed(text: str, schema: type[M]) -> M:
    try:
        return schema.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the whole"
        raise _Damaged("unparsable", f"no {schema.__name__}: {where}: {problem['msg']}") from error


def _usage(message: Message) -> Usage:
    usage: Any = message.usage  # the SDK does not validate replies: it may be missing
    return Usage(
        1,
        getattr(usage, "input_tokens", None) or 0,
        getattr(usage, "output_tokens", None) or 0,
        getattr(usage, "cache_creation_input_tokens", None) or 0,
        getattr(usage, "cache_read_input_tokens", None) or 0,
    )
