"""A question on its way to a model, and who may stop it, change it or count it.

Every call of an :class:`~.agent.Agent` passes the scopes that are open around it, from the outermost to the
innermost, whoever built the pattern that asks: so a budget given to the outermost pattern holds for all
that is nested in it. Scopes live in a context variable, which tasks started inside one inherit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from anthropic import AsyncAnthropic, omit, transform_schema
from anthropic.types import MessageParam, OutputConfigParam, ToolParam
from pydantic import BaseModel

from .outcome import NO_USAGE, PatternError, Usage

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["SCOPES", "Halted", "Question", "Scope", "admitted", "settle"]


@lru_cache(maxsize=128)
def _schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """Made once: it costs more than all else of a question."""
    return transform_schema(kind)


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent is about to be asked. ``spent`` is what preparing it has cost; ``number`` tells it from others."""

    agent: Agent
    client: AsyncAnthropic
    messages: tuple[MessageParam, ...]
    tools: tuple[ToolParam, ...] = ()
    schema: type[BaseModel] | None = None
    spent: Usage = NO_USAGE
    number: int = field(default_factory=count().__next__)

    def request(self) -> dict[str, Any]:
        """The arguments that asking and counting have in common."""
        config: OutputConfigParam = {}
        if self.agent.effort is not None:
            config["effort"] = self.agent.effort
        if self.schema is not None:
            config["format"] = {"type": "json_schema", "schema": _schema_of(self.schema)}
        return {
            "model": self.agent.model,
            "system": self.agent.system,
            "messages": list(self.messages),
            "tools": list(self.tools) or omit,
            "output_config": config or omit,
        }

    async def tokens(self) -> int:
        """The tokens of the request, counted by the API (``count_tokens``: free, one request)."""
        return (await self.client.messages.count_tokens(**self.request())).input_tokens

    def at_most(self, messages: Sequence[MessageParam] | None = None) -> int:
        """A bound on its tokens without asking: a token has at least one byte.

        For the whole request, with an allowance for what the API adds (2,000 where tools or a schema are given, 100
        where not); or for some of its messages alone.
        """
        if messages is not None:
            return _bytes(list(messages))
        allowance = 2000 if self.tools or self.schema else 100
        return sum(_bytes(part) for part in self.request().values() if part is not omit) + allowance


def _bytes(part: object) -> int:
    return len(json.dumps(part, ensure_ascii=False, default=_plain).encode("utf-8", "surrogatepass"))


def _plain(block: object) -> object:
    return block.model_dump(mode="json") if isinstance(block, BaseModel) else repr(block)


class Halted(PatternError):
    """A guard refused a model call. The pattern that owns the guard makes it its outcome; others let it pass."""

    def __init__(self, scope: Scope, guard: str, reason: str, agent: str) -> None:
        super().__init__(f"{guard}: {reason}")
        self.scope = scope
        self.stopped_by = guard
        self.reason = reason
        self.agent = agent


class Scope(Protocol):
    """An open run of a pattern, which sees the calls made inside it."""

    async def admit(self, question: Question, innermost: bool) -> Question:
        """The question as it may be asked; raises Halted where it may not."""

    def settle(self, question: Question, usage: Usage, error: BaseException | None, text: str | None = None) -> None:
        """The question was answered, failed with ``error``, or was refused elsewhere (then ``usage`` is nothing).

        ``text`` is what was said, or what there was of it.
        """


SCOPES: ContextVar[tuple[Scope, ...]] = ContextVar("dissonance.patterns.scopes", default=())
"""The scopes that are open here, the outermost first."""


async def admitted(question: Question) -> Question:
    """The question as all open scopes let it pass; raises Halted where one refuses."""
    scopes = SCOPES.get()
    for number, scope in enumerate(scopes):
        try:
            question = await scope.admit(question, scope is scopes[-1])
        except BaseException as error:
            for earlier in scopes[:number]:
                earlier.settle(question, NO_USAGE, error)
            raise
    return question


def settle(question: Question, usage: Usage, error: BaseException | None = None, text: str | None = None) -> None:
    """Tell the open scopes how it went."""
    for scope in SCOPES.get():
        scope.settle(question, usage, error, text)
