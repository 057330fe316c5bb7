"""A conversation under guards: what the loops of this package have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam
from pydantic import BaseModel

from .agent import Agent
from .guards import Rounds, Stop
from .outcome import Outcome
from .provenance import Provenance, Source
from .reply import Answer

__all__ = ["Conversation"]

T = TypeVar("T")


class Conversation:
    """The messages about one task, which one agent or several take part in. Steps and cost count in ``rounds``."""

    def __init__(self, task: str, rounds: Rounds) -> None:
        self.task = task
        self.rounds = rounds
        self._messages: list[MessageParam] = [{"role": "user", "content": task}]
        self._said: str | None = None
        self._sources: dict[str, Source] = {}

    @overload
    async def ask(self, client: AsyncAnthropic, agent: Agent, tools: Sequence[ToolParam]) -> Answer[None]: ...
    @overload
    async def ask(
        self, client: AsyncAnthropic, agent: Agent, tools: Sequence[ToolParam], schema: type[BaseModel] | None
    ) -> Answer[Any]: ...
    async def ask(
        self,
        client: AsyncAnthropic,
        agent: Agent,
        tools: Sequence[ToolParam],
        schema: type[BaseModel] | None = None,
    ) -> Answer[Any]:
        """The agent's next turn. It is a step only if the loop goes round again: see :meth:`check`.

        Where a guard compacted the conversation, it goes on from there.
        """
        answer: Answer[Any] = await agent.ask(client, self._messages, schema, tools=tools)
        self._messages = list(answer.asked)
        self.rounds.spend(answer.usage)
        self._said = answer.text or self._said
        return answer

    def check(self, action: str, answer: Answer[Any], depth: int = 0) -> Stop | None:
        """Count this turn as a step; whether a guard stops the loop at it, before its tools run.

        To be asked of each turn that does not answer, and of no other: a step at which no guard looks
        would let a budget be overrun.
        """
        self.rounds.begin()
        return self.rounds.check(
            agent=answer.agent,
            action=action,
            task=self.task,
            output=answer.text,
            calls=answer.calls,
            depth=depth,
        )

    def tell(self, answer: Answer[Any], results: Sequence[ToolResultBlockParam]) -> None:
        """Go on with the results of the turn's tools; each that is no error is a finding and a source."""
        self._messages += [answer.turn, {"role": "user", "content": list(results)}]
        names = {call.id: call.canonical for call in answer.calls}
        for result in results:
            if not result.get("is_error"):
                self.rounds.found(str(result.get("content")))
                ref = names[result["tool_use_id"]]
                self._sources[ref] = Source(ref, verified=True)

    def provenance(self, answer: Answer[Any]) -> Provenance:
        """What an answer rests on: the tools whose results stand in the conversation."""
        return Provenance(by=answer.agent, sources=tuple(self._sources.values()))

    def finished(self, output: T, provenance: Provenance) -> Outcome[T]:
        """The outcome: this output."""
        return Outcome(
            output=output, finished=True, steps=self.rounds.steps, usage=self.rounds.spent, provenance=provenance
        )

    def stopped(self, stop: Stop, best: Any = None, provenance: Provenance | None = None) -> Outcome[Any]:
        """The outcome: a guard fired. The output is ``best``, else what was said last, if anything."""
        return Outcome(
            output=self._said if best is None else best,
            finished=False,
            steps=self.rounds.steps,
            usage=self.rounds.spent,
            stopped_by=stop.guard,
            reason=stop.reason,
            provenance=provenance,
        )

    def halted(self, best: Any = None) -> Outcome[Any]:
        """The outcome where the rounds' own block was ended by a guard."""
        assert self.rounds.stop is not None, "the block ended without an outcome and without a stop"
        return self.stopped(self.rounds.stop, best)
