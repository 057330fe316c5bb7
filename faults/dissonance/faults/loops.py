"""The family ``loops``: the six ways in which real workflows were found to run for ever.

All six act on what the model says, so a workflow meets them as it would meet a model that behaves
so. They leave errors and failures alone. The six are the causes of the 68 unbounded loops confirmed
by IAL-Scan ("When Agents Do Not Stop", arXiv 2607.01641): retry feedback without bounds, tool-call
iteration, multi-agent chat without a turn bound, a bound outside the feedback path, message re-entry,
and delegation cycles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from dissonance.harness.call import Block, Call, JsonObject, Message, Reply, blocks_of, text_block, text_of, tool_use
from dissonance.harness.choices import choices, decide, fill, handoffs, output_schema
from dissonance.harness.words import side_of, tokens_of

from .fault import Family, Fault
from .wording import change_strings, reword, tool_named

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["DelegateAgain", "Paraphrase", "PingPong", "Reenter", "RejectWork", "RepeatToolCall"]

_Name = Annotated[str, Field(min_length=1)]


class RejectWork(Fault):
    """The judge never accepts: of the branches that the call offers, it takes the one that sends the work back.

    ``feedback`` is what it says about the work, each time (None: what the choice itself suggests).
    A call that offers no such choice is left alone.
    """

    family: ClassVar[Family] = "loops"
    feedback: _Name | None = None

    def sentence(self) -> str:
        return "the model rejects the work" + (f", saying {self.feedback!r}" if self.feedback else "")

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        decided = decide(call, accept=False, strings=() if self.feedback is None else (self.feedback,))
        if decided is None:
            return None
        return reply.with_message(decided if self.feedback is None else _saying(decided, self.feedback, call))


class RepeatToolCall(Fault):
    """The model asks for the same tool with the same arguments, again and again.

    ``tool``: its name (None: the first one offered that neither hands over nor finishes). The arguments
    are those of its first use in the conversation, else the model's own, else valid ones by the tool's
    schema. A call that does not offer the tool, forces another one or forbids tools is left alone.
    """

    family: ClassVar[Family] = "loops"
    tool: _Name | None = None

    def sentence(self) -> str:
        return f"the model asks for {'the same tool' if self.tool is None else f'the tool {self.tool!r}'} again"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        tool = None if reply.message is None else _first_tool(call, [self.tool] if self.tool else _working(call))
        if reply.message is None or tool is None:
            return None
        name = str(tool["name"])
        known = _first_use(call, reply.message, name)
        return reply.with_message(_asks(tool, _arguments(tool, _gist(call)) if known is None else known))


class PingPong(Fault):
    """The agent hands over again instead of finishing, so that agents pass the work to and fro.

    ``to``: part of the name of the hand-off (None: the first one offered). Where a call offers no
    hand-off tool but a way to finish, as a router among agents or a chat that ends with a word, it does
    not finish. A call that asks for a judgement, with an answer that rejects, is left alone: that is
    ``RejectWork``'s.
    """

    family: ClassVar[Family] = "loops"
    to: _Name | None = None

    def sentence(self) -> str:
        return "the agent hands over again" + (f" to {self.to!r}" if self.to else "")

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        tool = _first_tool(call, [name for name in handoffs(call) if self.to is None or self.to in name])
        if tool is not None:
            return reply.with_message(_asks(tool, _arguments(tool, _gist(call))))
        if any(choice.rejecting for choice in choices(call)):
            return None
        decided = decide(call, accept=False, strings=() if self.to is None else (self.to,))
        return None if decided is None else reply.with_message(decided)


class Paraphrase(Fault):
    """The text changes each time and nothing progresses: a detector of exact repeats sees nothing.

    * Where the call offers a choice, the work is rejected, in other words each time; the first line of
      a rejection in words stays, since workflows read the decision there.
    * Elsewhere the agent says again what it said first (text or tool call), in other words: free strings
      of tool arguments and structured output are reworded, decisions and single words stay.

    The wording is a function of the call's ordinal; no two are equal (see ``wording.reword``).
    """

    family: ClassVar[Family] = "loops"

    def sentence(self) -> str:
        return "the agent says the same again in other words"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        n = call.ordinal
        decided = decide(call, accept=False)
        if decided is not None:
            return reply.with_message(
                change_strings(decided, call, lambda text: _reworded_after_line(text, n), lambda text: reword(text, n))
            )
        first = _earlier(call, past, 1) or reply.message
        return reply.with_message(
            change_strings(first, call, lambda text: reword(text, n), lambda text: reword(text, n))
        )


class Reenter(Fault):
    """An old message comes back: the agent's own ``nth`` reply of this run (from 1) is what the agent says again.

    It does not fire before that reply exists, nor where it asks for a tool that is not offered any more.
    """

    family: ClassVar[Family] = "loops"
    nth: Annotated[int, Field(ge=1)] = 1

    def sentence(self) -> str:
        return f"the agent's reply number {self.nth} comes back"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        old = None if reply.message is None else _earlier(call, past, self.nth)
        return None if old is None else reply.with_message(old)


class DelegateAgain(Fault):
    """A lead delegates what it was given: the very task it received goes to whomever it may delegate to.

    ``tool``: the delegating tool (None: the first hand-off tool offered). Where none is offered, an
    answer whose schema holds tasks gets this one. Any other call is left alone.
    """

    family: ClassVar[Family] = "loops"
    tool: _Name | None = None

    def sentence(self) -> str:
        return "the lead delegates the very task it was given"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        tool = _first_tool(call, [self.tool] if self.tool else handoffs(call))
        if tool is not None:
            return reply.with_message(_asks(tool, _arguments(tool, _task(call))))
        schema = output_schema(call)
        if self.tool is not None or schema is None or not _holds_tasks(schema):
            return None
        answer = json.dumps(fill(schema, (_task(call),), False), ensure_ascii=False)
        return reply.with_message(Message(content=(text_block(answer),)))


# --- what a call holds ------------------------------------------------------------------------

_TASKS = re.compile(r"task|assign|instruction|objective|delegat|goal", re.IGNORECASE)


def _saying(rejection: Message, feedback: str, call: Call) -> Message:
    """A rejection in words that leaves no room for feedback gets it as another line, unless it would then accept."""
    block = rejection.content[0]
    accepting = [
        str(option).lower() for choice in choices(call) if choice.where == "words" for option in choice.accepting
    ]
    if block["type"] != "text" or block["text"].startswith(("{", "[")) or feedback in block["text"]:
        return rejection
    if any(word in feedback.lower() for word in accepting):
        return rejection
    return replace(rejection, content=(text_block(f"{block['text']}\n{feedback}"), *rejection.content[1:]))


def _asks(tool: JsonObject, arguments: JsonObject) -> Message:
    return Message(content=(tool_use(str(tool["name"]), arguments),), stop_reason="tool_use")


def _arguments(tool: JsonObject, text: str) -> JsonObject:
    """Arguments valid by the tool's schema, with this text in their free strings."""
    filled = fill(tool["input_schema"], (text,), False)
    return filled if isinstance(filled, Mapping) else {}


def _first_tool(call: Call, names: Sequence[str]) -> JsonObject | None:
    """The first of these tools that the call offers and that the model may ask for."""
    choice = call.tool_choice or {}
    if choice.get("type") == "none":
        return None
    allowed = [name for name in names if choice.get("type") != "tool" or name == choice.get("name")]
    return next((tool for name in allowed if (tool := tool_named(call, name)) is not None), None)


def _working(call: Call) -> list[str]:
    """The offered tools that neither hand over nor finish; none where one is forced."""
    if (call.tool_choice or {}).get("type") == "tool":
        return []
    passing_on = handoffs(call)
    return [
        name
        for name in call.tool_names
        if name not in passing_on and not any(side_of(word) == "accept" for word in tokens_of(name)[:1])
    ]


def _task(call: Call) -> str:
    """What the agent was given: the first text that somebody else put before it."""
    given = (text_of(message.get("content")) for message in call.messages if message.get("role") == "user")
    return next((text for text in given if text.strip()), "the task")


def _gist(call: Call) -> str:
    """The first line of the task, cut to what fits a search field."""
    return _task(call).strip().splitlines()[0][:120]


def _first_use(call: Call, answer: Message, name: str) -> JsonObject | None:
    """The arguments of the first use of a tool: in the conversation, else in the model's answer."""
    said = [blocks_of(message.get("content")) for message in call.messages if message.get("role") == "assistant"]
    for block in (block for content in (*said, answer.content) for block in content):
        if block.get("type") == "tool_use" and block.get("name") == name and isinstance(block.get("input"), Mapping):
            arguments: JsonObject = block["input"]
            return arguments
    return None


def _earlier(call: Call, past: History, nth: int) -> Message | None:
    """The agent's ``nth`` whole message, as it would be said now; None where it cannot be."""
    bodies = (past.reply_body(reply) for reply in past.replies(call.agent) if reply.ending == "complete")
    messages = (body for body in bodies if body is not None and body.get("type") == "message")
    old = next(islice(messages, nth - 1, None), None)
    if old is None:
        return None
    content = [_renewed(block) for block in old["content"]]
    uses = [block["name"] for block in content if block.get("type") == "tool_use"]
    if not content or not set(uses) <= set(call.tool_names):
        return None
    return Message(content=tuple(content), stop_reason="tool_use" if uses else "end_turn")


def _renewed(block: Block) -> Block:
    """A tool call needs an id of its own each time; the wire gives it."""
    return {**block, "id": ""} if block.get("type") == "tool_use" else block


def _reworded_after_line(text: str, n: int) -> str:
    line, _, rest = text.partition("\n")
    return f"{line}\n{reword(rest.strip() or 'The work is not ready.', n)}"


def _holds_tasks(schema: Any) -> bool:
    """Whether a property somewhere in the schema is named after tasks."""
    if isinstance(schema, Mapping):
        names = schema.get("properties", {})
        return any(_TASKS.search(str(name)) for name in names) or any(map(_holds_tasks, schema.values()))
    return isinstance(schema, Sequence) and not isinstance(schema, str) and any(map(_holds_tasks, schema))
