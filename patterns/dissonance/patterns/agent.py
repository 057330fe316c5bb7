"""An agent: a role, asked one question at a time.

An :class:`Agent` is data (frozen, hashable, shared freely); what it knows is the conversation that it
is handed, and who runs it is a pattern. It asks over async ``anthropic`` and gives an
:class:`~.reply.Answer` or raises :class:`~.reply.DamagedReply`; errors of the API arrive as the SDK's
own classes, after the SDK's own retries.

What it costs: one call a question; another for each damaged reply that may be whole the next time,
``tries`` in all. How it fails: loudly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar, overload

from anthropic import AsyncAnthropic, Omit, omit, transform_schema
from anthropic.types import MessageParam, OutputConfigParam, ToolParam
from pydantic import BaseModel

from .outcome import Usage
from .reply import Answer, DamagedReply, read

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
    damaged in a way that may pass.

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

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name={self.name!r}: an agent's name has 1 to 48 letters, digits, '_' or '-'")
        for field in ("max_tokens", "tries"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)!r}: give 1 or more")

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
    async def ask(
        self,
        client: AsyncAnthropic,
        prompt: str | Sequence[MessageParam],
        schema: type[BaseModel] | None = None,
        *,
        tools: Sequence[ToolParam] = (),
    ) -> Answer[Any]:
        """Ask once; the answer's ``data`` is a validated ``schema`` where one is given.

        Raises DamagedReply when the last of ``tries`` replies is damaged, or at once where asking
        again can't help; its ``usage`` counts all of them.
        """
        spent, left = Usage(), self.tries
        while True:
            left -= 1
            try:
                answer = read(self.name, await self._send(client, prompt, schema, tools), schema, tools=bool(tools))
            except DamagedReply as damage:
                spent = damage.usage = damage.usage + spent
                if not left or not damage.transient:
                    raise
            else:
                return replace(answer, usage=answer.usage + spent)

    async def _send(
        self,
        client: AsyncAnthropic,
        prompt: str | Sequence[MessageParam],
        schema: type[BaseModel] | None,
        tools: Sequence[ToolParam],
    ) -> object:
        messages: Sequence[MessageParam] = (
            [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        )
        if self.stream:
            return await self._stream(client, messages, self._config(schema), tools or omit)
        try:
            return await client.messages.create(
                model=self.model,
                max_tokens=self.max_tokens,
                system=self.system,
                messages=messages,
                tools=tools or omit,
                output_config=self._config(schema),
            )
        except json.JSONDecodeError as error:
            raise DamagedReply(self.name, "unreadable", f"the body is no JSON: {error}") from error

    async def _stream(
        self,
        client: AsyncAnthropic,
        messages: Sequence[MessageParam],
        config: OutputConfigParam | Omit,
        tools: Sequence[ToolParam] | Omit,
    ) -> object:
        async with client.messages.stream(
            model=self.model,
            max_tokens=self.max_tokens,
            system=self.system,
            messages=messages,
            tools=tools,
            output_config=config,
        ) as stream:
            try:
                return await stream.get_final_message()
            except (AssertionError, ValueError) as error:  # what the SDK's accumulator raises for a malformed stream
                detail = f"the stream is malformed: {error or 'it is empty'}"
                raise DamagedReply(self.name, "unreadable", detail) from error

    def _config(self, schema: type[BaseModel] | None) -> OutputConfigParam | Omit:
        config: OutputConfigParam = {}
        if self.effort is not None:
            config["effort"] = self.effort
        if schema is not None:
            config["format"] = {"type": "json_schema", "schema": transform_schema(schema)}
        return config or omit
