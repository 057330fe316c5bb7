"""The decisions that a call offers, and how to take one: the one place where a branch is chosen.

A model that plays along and a fault that refuses must agree on what a decision is; both use
:func:`decide`. A decision is read, in this order, from

1. the schema of a structured output: an enum, a boolean or a score;
2. a forced tool, or a pair of tools that accept and reject, or a tool whose schema decides and that
   has not been used in this turn;
3. the JSON that the prompt asks for in words (see :mod:`.asked`);
4. words that the system prompt offers, quoted, in capitals or as a list; else those that the last
   message of the user offers in a sentence that asks for an answer.

Which words accept and which reject stands in :mod:`.words`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from pydantic_core import from_json, to_json

from .asked import asked_schema
from .call import Block, Call, Json, JsonObject, Message, blocks_of, of_call, text_block, text_of, tool_use
from .schemas import leaves, options_of, side_of_boolean, type_of
from .shapes import fill, score_range
from .words import Offer, Side, listed, offered, side_of, tokens_of

__all__ = [
    "Choice",
    "answer",
    "choices",
    "decide",
    "deciding_tools",
    "fill",
    "forced_tool",
    "handoffs",
    "last_user_text",
    "output_schema",
    "tool_message",
    "used_tools",
    "user_turn",
]

_HANDOFF = re.compile(
    r"^(?:transfer|hand_?off|hand_?over|route|switch|assign|delegate|escalate|forward|pass)(?:_[a-z]+)*_to(?:_|$)"
    r"|^(?:delegate|hand_?off|hand_?over|transfer_back|transfer_control)(?:_|$)"
    r"|^assign(?:_(?:task|work|agent)|$)|_to_(?:coworker|agent)$"
)
_REMEMBERED = 4_000
"""Characters: what is filled with more is made anew each time."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LAST = re.compile(r"\b(end|finish|conclude|close|append|sign off)\b[^.!?\n]{0,40}\bwith\b", re.IGNORECASE)
_WAITING = frozenset(
    """
    agree agreed agreement complete completed completion consensus converged done end ended exit final finalise
    finalised finalize finalized finish finished ready resolved respond solved stop submit submitted terminate terminated
    """.split()
)
_GOES_ON = frozenset({"again", "continue", "more", "repeat", "retry"})
_REFUSALS = (
    "Please revise this: it needs more work.",
    "Another round, please.",
    "This will not do.",
    "Try once again.",
)
_PRAISE = ("This is good as it stands.", "All is well.", "Nothing to add.")


@dataclass(frozen=True)
class Choice:
    """Something that the reply must choose.

    ``where`` it is offered: in the ``schema`` of a structured output, in the arguments of ``tool``,
    among the ``tools`` themselves, or as ``words``. ``path`` leads to the property (``[]`` for an
    array's items). ``options`` are in the order of the offer; a score's are its two ends.
    ``accepting`` and ``rejecting`` are those with a known side; a choice without either, such as a
    router's among agents, decides nothing.
    """

    where: Literal["schema", "tool", "tools", "words"]
    options: tuple[Json, ...]
    accepting: tuple[Json, ...] = ()
    rejecting: tuple[Json, ...] = ()
    tool: str | None = None
    path: tuple[str, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether one of the options accepts or rejects."""
        return bool(self.accepting or self.rejecting)

    @cached_property
    def verdict(self) -> bool:
        """Whether it judges something given (accept or reject, a score), rather than ends something that goes on.

        What ends or agrees (``FINISH``, ``done``, ``I agree``) needs somebody's work before it; so
        does a word that accepts where nothing else is offered.
        """
        if not (self.accepting and self.rejecting):
            return False
        named = tokens_of(self.path[-1]) if self.path and set(self.options) <= {True, False} else []
        ends = {word for option in self.accepting for word in tokens_of(str(option))} | {*named}
        goes_on = {word for option in self.rejecting for word in tokens_of(str(option))}
        return not (ends & _WAITING or goes_on & _GOES_ON)


# --- what is offered --------------------------------------------------------------------------


@of_call
def choices(call: Call) -> tuple[Choice, ...]:
    """Everything that this call offers to choose from, in the order in which :func:`decide` looks."""
    found: list[Choice] = []
    schema = output_schema(call)
    form = None if schema is None else _form(call)
    if form is not None:
        found += _in_json_schema(form, "schema", None)
    if call.tools:
        found += _among_tools(call)
        for tool in _open_tools(call):
            found += _in_schema(_input_schema(tool), "tool", str(tool.get("name", "")))
    if schema is None and not _text_barred(call):
        found += _in_prompt(call)
    return tuple(found)


def _in_schema(schema: JsonObject, where: Literal["schema", "tool"], tool: str | None) -> tuple[Choice, ...]:
    return _in_json_schema(to_json(schema, fallback=dict), where, tool)


@lru_cache(maxsize=512)
def _in_json_schema(schema: bytes, where: Literal["schema", "tool"], tool: str | None) -> tuple[Choice, ...]:
    return tuple(_choices_of(from_json(schema), where, tool))


def _choices_of(schema: JsonObject, where: Literal["schema", "tool"], tool: str | None) -> Iterator[Choice]:
    for path, leaf in leaves(schema, schema):
        options, sides = _sides(leaf, next((name for name in reversed(path) if name != "[]"), ""), tool is None)
        yield Choice(
            where,
            options,
            tuple(o for o, side in zip(options, sides, strict=True) if side == "accept"),
            tuple(o for o, side in zip(options, sides, strict=True) if side == "reject"),
            tool,
            path,
        )


def _sides(leaf: JsonObject, name: str, output: bool) -> tuple[tuple[Json, ...], list[Side | None]]:
    """The options of a leaf and the side of each. The boolean of an output accepts when true, whatever its name."""
    options = options_of(leaf)
    if options:
        return options, [side_of(str(option)) for option in options]
    if type_of(leaf) != "boolean":
        return score_range(leaf, name), ["reject", "accept"]
    side = side_of_boolean(name) or ("accept" if output else None)
    return (True, False), [side, None if side is None else "reject" if side == "accept" else "accept"]


def deciding_tools(call: Call) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tools that accept and those that reject; none where only one side is offered."""
    accepting = tuple(name for name in call.tool_names if _tool_side(name) == "accept")
    rejecting = tuple(name for name in call.tool_names if _tool_side(name) == "reject")
    return (accepting, rejecting) if accepting and rejecting else ((), ())


def _among_tools(call: Call) -> list[Choice]:
    accepting, rejecting = deciding_tools(call)
    names = tuple(name for name in call.tool_names if name in accepting + rejecting)
    if not names or forced_tool(call) or _tools_barred(call) or used_tools(call) & {*names}:
        return []
    return [Choice("tools", names, accepting, rejecting)]


def _tool_side(name: str) -> Side | None:
    """By the first word: ``approve_draft`` accepts, ``get_final_price`` decides nothing."""
    words = tokens_of(name)
    return side_of(words[0]) if words else None


def _in_prompt(call: Call) -> list[Choice]:
    form = _form(call)
    if form is not None:
        return list(_in_json_schema(form, "schema", None))
    words = _words_choice(*_word_offers(call))
    return [] if words is None else [words]


def _words_choice(prompt: str, offers: Sequence[Offer]) -> Choice | None:
    """The choice among the words that a prompt offers, and among the items of its list."""
    items = listed(prompt)
    words = [offer.word for offer in offers]
    options = (*items, *(word for word in words if word not in items))
    if not options:
        return None
    accepting = tuple(offer.word for offer in offers if offer.side == "accept")
    rejecting = tuple(offer.word for offer in offers if offer.side == "reject")
    return Choice("words", options, accepting, rejecting)


@of_call
def _word_offers(call: Call) -> tuple[str, tuple[Offer, ...]]:
    """The prompt that offers words (the system's, else the user's) and its offers."""
    return _offers_of(call.system_text, last_user_text(call))


@lru_cache(maxsize=512)
def _offers_of(system: str, user: str) -> tuple[str, tuple[Offer, ...]]:
    for prompt, offers in ((system, offered(system)), (user, offered(user, cued=True))):
        if offers or listed(prompt):
            return prompt, offers or _sided(listed(prompt))
    return "", ()


def _sided(items: Sequence[str]) -> tuple[Offer, ...]:
    return tuple(Offer(item, side) for item in items if (side := side_of(item)) is not None)


@of_call
def _form(call: Call) -> bytes | None:
    """The schema that the text of the answer is to have, as JSON: demanded, else asked for in words."""
    schema = output_schema(call) or asked_schema(call.system_text) or asked_schema(last_user_text(call))
    return None if schema is None else to_json(schema, fallback=dict)


@of_call
def output_schema(call: Call) -> JsonObject | None:
    """The schema of the structured output that the call demands, if it does."""
    config = call.params.get("output_config") or {}
    given = (config.get("format") if isinstance(config, Mapping) else None) or call.params.get("output_format")
    if isinstance(given, Mapping) and given.get("type") == "json_schema" and isinstance(given.get("schema"), Mapping):
        return given["schema"]  # type: ignore[no-any-return]
    return None


# --- tools and turns --------------------------------------------------------------------------


def forced_tool(call: Call) -> JsonObject | None:
    """The tool that ``tool_choice`` names, or the only one where it demands any."""
    choice = call.tool_choice or {}
    if choice.get("type") == "tool":
        return next((tool for tool in call.tools if tool.get("name") == choice.get("name")), None)
    return call.tools[0] if choice.get("type") == "any" and len(call.tools) == 1 else None


def handoffs(call: Call) -> tuple[str, ...]:
    """The offered tools that hand over to another agent: ``transfer_to_x``, ``handoff_to_x``, ``delegate…``, …"""
    return tuple(name for name in call.tool_names if _HANDOFF.search(_CAMEL.sub("_", name).lower()))


def user_turn(call: Call) -> Sequence[JsonObject]:
    """The messages since the user last brought something new.

    Tool results begin no turn, whatever is said beside them, nor does a text that the user has said
    before in this conversation (``Continue.``).
    """
    global _last_turn
    messages, count, turn = _last_turn
    if messages is not call.messages or count != len(call.messages):
        turn = call.messages[_turn_start(call.messages) :]
        _last_turn = (call.messages, len(call.messages), turn)
    return turn


_last_turn: tuple[Sequence[JsonObject], int, Sequence[JsonObject]] = ((), 0, ())
"""The messages last asked about, how many they were, and the turn: each call asks for it several times."""


def _turn_start(messages: Sequence[JsonObject]) -> int:
    start = 0
    said: set[str] = set()
    for index, message in enumerate(messages):
        if message.get("role") == "user":
            content = message.get("content")
            text = content if isinstance(content, str) else _new_text(content or ())
            if text and text not in said:
                said.add(text)
                start = index
    return start


def _new_text(blocks: Sequence[Block]) -> str:
    """The text of a user's blocks; none where there are tool results among them."""
    for block in blocks:
        if block.get("type") == "tool_result":
            return ""
    return "\n".join([str(block.get("text", block.get("type"))) for block in blocks])


@of_call
def used_tools(call: Call) -> frozenset[str]:
    """The tools that the model has asked for in this user turn."""
    if not call.tools:
        return frozenset()
    used: set[str] = set()
    for message in user_turn(call):
        if message.get("role") == "assistant" and not isinstance(content := message.get("content"), str):
            used.update([str(block.get("name")) for block in content or () if block.get("type") == "tool_use"])
    return frozenset(used)


@of_call
def last_user_text(call: Call) -> str:
    """What the user last said, without tool results."""
    message = next(iter(user_turn(call)), {})
    if message.get("role") != "user":
        return ""
    return text_of([block for block in blocks_of(message.get("content")) if block.get("type") == "text"])


def _tools_barred(call: Call) -> bool:
    return (call.tool_choice or {}).get("type") == "none"


def _text_barred(call: Call) -> bool:
    return bool(call.tools) and (call.tool_choice or {}).get("type") in ("tool", "any")


def _open_tools(call: Call) -> list[JsonObject]:
    """The forced tool alone; else those that may be used and have not been used in this turn."""
    forced = forced_tool(call)
    if forced is not None:
        return [forced]
    if _tools_barred(call):
        return []
    used = used_tools(call)
    return [tool for tool in call.tools if tool.get("name") not in used]


def _input_schema(tool: JsonObject) -> JsonObject:
    schema = tool.get("input_schema")
    return schema if isinstance(schema, Mapping) else {"type": "object"}


# --- taking a branch --------------------------------------------------------------------------


def decide(call: Call, *, accept: bool, strings: Sequence[str] = ()) -> Message | None:
    """The message that takes the accepting or finishing branch of the decision that this call offers.

    ``accept=False`` takes the other branch: where only accepting words are offered, the text has
    none of them and asks for changes. ``strings`` go into free strings and into a text that has
    room for them; without any, a rejection asks for changes there. None where the call offers no
    decision.
    """
    if not any(choice.decides for choice in choices(call)):
        return None
    strings = strings or (() if accept else _REFUSALS[:1])
    if output_schema(call) is None or not any(choice.decides for choice in choices(call) if choice.where == "schema"):
        tool = _deciding_tool(call, accept)
        if tool is not None:
            return tool_message(tool, strings, accept)
    return answer(call, accept=accept, strings=strings)


def answer(call: Call, *, accept: bool, strings: Sequence[str] = ()) -> Message | None:
    """The message in the form that the call asks of its text: JSON of a schema, or one of the words it offers.

    It takes the branch where that decides something. None where the text is free.
    """
    form = _form(call)
    if form is not None:
        return Message((text_block(_filled(form, tuple(strings), accept)),))
    source, offers = _word_offers(call)
    words = _words_choice(source, offers)
    if words is None:
        return None
    if len(words.options) > len(offers) and not (words.accepting if accept else words.rejecting):
        return Message((text_block(_mentioned(words, strings)),))
    return Message((text_block(_said(offers, source, accept, strings)),))


def _filled(schema: bytes, strings: tuple[str, ...], accept: bool) -> str:
    return (_fill if sum(map(len, strings)) > _REMEMBERED else _remembered)(schema, strings, accept)


def _fill(schema: bytes, strings: tuple[str, ...], accept: bool) -> str:
    return json.dumps(fill(from_json(schema), strings, accept), ensure_ascii=False)


_remembered = lru_cache(maxsize=512)(_fill)


def tool_message(tool: JsonObject, strings: Sequence[str], accept: bool) -> Message:
    """A request for this tool with arguments that are valid for its schema; ``accept`` counts where that decides."""
    schema = _input_schema(tool)
    arguments = fill(schema, strings, accept or not _decides(schema))
    return Message(
        (tool_use(str(tool.get("name", "")), arguments if isinstance(arguments, Mapping) else {}),), "tool_use"
    )


def _decides(schema: JsonObject) -> bool:
    """Whether the arguments of a tool decide something."""
    return any(choice.decides for choice in _in_schema(schema, "tool", ""))


def _deciding_tool(call: Call, accept: bool) -> JsonObject | None:
    for choice in _among_tools(call):
        name = (choice.accepting if accept else choice.rejecting)[0]
        return next(tool for tool in call.tools if tool.get("name") == name)
    return next((tool for tool in _open_tools(call) if _decides(_input_schema(tool))), None)


def _mentioned(choice: Choice, strings: Sequence[str]) -> str:
    """Of the options without a side, the first that the strings mention, else the first."""
    free = [str(option) for option in choice.options if option not in choice.accepting + choice.rejecting]
    text = " ".join(strings).lower()
    return next((option for option in free if option.lower() in text), (free or [str(choice.options[0])])[0])


def _said(offers: Sequence[Offer], prompt: str, accept: bool, strings: Sequence[str]) -> str:
    wanted = [offer for offer in offers if (offer.side == "accept") is accept]
    other = [offer for offer in offers if offer not in wanted]
    if not wanted:
        return _without(other, accept, strings)
    offer = wanted[0]
    if offer.tail:
        explanation = " ".join(_free(strings, other)) or (_PRAISE if accept else _REFUSALS)[0]
        return f"{offer.word}: {explanation}"
    if accept and not other and _LAST.search(prompt):
        return "\n".join((*_free(strings, wanted), offer.word))
    return offer.word


def _without(barred: Sequence[Offer], accept: bool, strings: Sequence[str]) -> str:
    """A text without any of these words: what there is to say, else a plain request for changes (or its opposite)."""
    stock = _PRAISE if accept else _REFUSALS
    return "\n".join(_free(strings, barred)) or (_free(stock, barred) or stock)[0]


def _free(texts: Sequence[str], barred: Sequence[Offer]) -> list[str]:
    words = [offer.word.lower() for offer in barred]
    return [text for text in texts if not any(word in text.lower() for word in words)]
