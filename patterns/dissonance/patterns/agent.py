"""An agent: a role, asked one question at a time.

An :class:`Agent` is data (frozen, hashable, shared freely); what it knows is the conversation that it
is handed, and who runs it is a pattern. It asks over async ``anthropic`` and gives an
:class:`~.reply.Answer` or raises :class:`~.reply.DamagedReply`; errors of the API arrive as the SDK's
own classes, after the SDK's own retries.

What it costs: one call a question; another for each damaged reply that may be whole the next time,
``tries`` in all. How it fails: loudly.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar, overload

from anthropic import AsyncAnthropic
from anthropic.lib.streaming import AsyncMessageStream
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from .outcome import NO_USAGE
from .question import Question, admitted, settle
from .reply import Answer, DamagedReply, read
from .tools import ToolFunction

__all__ = ["Agent", "Effort"]

M = TypeVar("M", bound=BaseModel)

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,48}")  # it becomes part of a tool's name, which may have 64 characters


@dataclass(frozen=True, slots=True)
class Agent:
    """A role that a model plays.

    ``name`` (1 to 48 letters, digits, ``_`` or ``-``) opens its system prompt, ``instructions`` follow.
    ``effort`` None leaves the model's default. ``max_tokens`` bounds one reply; over about 21,000 the
    SDK wants ``stream=True``. ``tries`` (from 1) is how often a question is put while its reply is
    damaged in a way that may pass. ``tools`` are functions that it may call where its pattern runs tools
    (``solo``, workers, stages, branches). ``call_budget`` (from 1) and ``token_budget`` (input and output, from 1)
    bound what it may use in one run of its pattern; the orchestrator counts, and stops it at the first call
    after a bound is reached.

    >>> Agent("judge", "Accept a notice only if it names a date.").system
    'You are the judge. Accept a notice only if it names a date.'
    """

    name: str
    instructions: str
    model: str = "claude-sonnet-5-5"
    effort: Effort | None = None
    max_tokens: int = 4096
    stream: bool = False
    tries: int = 2
    tools: tuple[ToolFunction, ...] = ()
    call_budget: int | None = None
    token_budget: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name={self.name!r}: an agent's name has 1 to 48 letters, digits, '_' or '-'")
        for field in ("max_tokens", "tries", "call_budget", "token_budget"):
            if (value := getattr(self, field)) is not None and value < 1:
                raise ValueError(f"{field}={value!r}: give 1 or more")

    @property
    def system(self) -> str:
        """The system prompt: the role's name, then its instructions."""
        return f"You are the {self.name}. {self.instructions}"

    def briefed(self, lines: Iterable[str]) -> Agent:
        """The same agent with these lines at the end of its instructions."""
        return replace(self, instructions="\n\n".join([self.instructions, *lines]))

    @overload
    async def ask(self, client: AsyncAnthropic, prompt: str | Sequence[MessageParam], schema: type[M]) -> Answer[M]: ...
    @overload
    async def ask(
        self,
        client: AsyncAnthropic,
        prompt: str | Sequence[MessageParam],
        schema: None = None,
        *,
        tools: Sequence[ToolParam] = (),
    ) -> Answer[None]: ...
    @overload
    async def ask(
        self,
        client: AsyncAnthropic,
        prompt: str | Sequence[MessageParam],
        schema: type[M] | None,
        *,
        tools: Sequence[ToolParam],
    ) -> Answer[M | None]: ...
    async def ask(
        self,
        client: AsyncAnthropic,
        prompt: str | Sequence[MessageParam],
        schema: type[BaseModel] | None = None,
        *,
        tools: Sequence[ToolParam] = (),
    ) -> Answer[Any]:
        """Ask once; the answer's ``data`` is a validated ``schema`` where one is given and no tool is asked for.

        Raises DamagedReply when the last of ``tries`` replies is damaged, or at once where asking
        again can't help; its ``usage`` counts all of them. Raises Halted where a guard of a pattern
        around it refuses the call.
        """
        messages: list[MessageParam] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [*prompt]
        question = Question(self, client, tuple(messages), tuple(tools), schema)
        left = self.tries
        while True:
            left -= 1
            question = await admitted(question)
            try:
                message = await _send(question)
                answer = read(self.name, message, schema, tools=bool(tools), asked=question.messages)
            except DamagedReply as damage:
                settle(question, damage.usage, damage, damage.partial)
                question = replace(question, spent=question.spent + damage.usage)
                damage.usage = question.spent
                if not left or not damage.transient:
                    raise
            except BaseException as error:
                settle(question, NO_USAGE, error, getattr(error, "partial", None))
                raise
            else:
                settle(question, answer.usage, text=answer.text)
                spent = question.spent
                return answer if spent is NO_USAGE else replace(answer, usage=answer.usage + spent)


async def _send(question: Question) -> object:
    agent, client = question.agent, question.client
    if agent.stream:
        return await _stream(question)
    try:
        return await client.messages.create(max_tokens=agent.max_tokens, **question.request())
    except json.JSONDecodeError as error:
        raise DamagedReply(agent.name, "unreadable", f"the body is no JSON: {error}") from error


async def _stream(question: Question) -> object:
    agent = question.agent
    async with question.client.messages.stream(max_tokens=agent.max_tokens, **question.request()) as stream:
        try:
            return await stream.get_final_message()
        except (AssertionError, ValueError) as error:  # what the SDK's accumulator raises for a malformed stream
            detail = f"the stream is malformed: {error or 'it is empty'}"
            raise DamagedReply(agent.name, "unreadable", detail) from error
        except asyncio.CancelledError as cut:  # a time box: what has arrived by now is told to the scopes
            cut.partial = _arrived(stream)  # type: ignore[attr-defined]
            raise


def _arrived(stream: AsyncMessageStream[None]) -> str | None:
    try:
        snapshot = stream.current_message_snapshot
    except AssertionError:  # nothing has
        return None
    return "".join(block.text for block in snapshot.content if block.type == "text") or None
