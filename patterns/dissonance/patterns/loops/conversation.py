"""A conversation under guards: what the loops of this package have in common."""

from __future__ import annotations

from collections.abc import Sequence

from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from dissonance.patterns.agent import Agent
from dissonance.patterns.guards import Rounds, Stop
from dissonance.patterns.outcome import Outcome
from dissonance.patterns.reply import Answer

__all__ = ["Conversation"]


class Conversation:
    """The messages about one task, which one agent or several take part in. Steps and cost count in ``rounds``."""

    def __init__(self, task: str, rounds: Rounds) -> None:
        self.task = task
        self._rounds = rounds
        self._messages: list[MessageParam] = [{"role": "user", "content": task}]
        self._said: str | None = None

    async def ask(self, client: AsyncAnthropic, agent: Agent, tools: Sequence[ToolParam]) -> Answer[None]:
        """The agent's next turn. It is a step only if the loop goes round again: see :meth:`check`."""
        answer = await agent.ask(client, self._messages, tools=tools)
        self._rounds.spend(answer.usage)
        self._said = answer.text or self._said
        return answer

    def check(self, action: str, answer: Answer[None], depth: int = 0) -> Stop | None:
        """Count this turn as a step; whether a guard stops the loop at it, before its tools run.

        To be asked of each turn that does not answer, and of no other: a step at which no guard looks
        would let a budget be overrun.
        """
        self._rounds.begin()
        return self._rounds.check(
            agent=answer.agent,
            action=action,
            task=self.task,
            output=answer.text,
            calls=answer.calls,
            depth=depth,
        )

    def tell(self, answer: Answer[None], results: Sequence[ToolResultBlockParam]) -> None:
        """Go on with the results of the turn's tools; each that is no error is a finding."""
        self._messages += [answer.turn, {"role": "user", "content": list(results)}]
        for result in results:
            if not result.get("is_error"):
                self._rounds.found(str(result.get("content")))

    def finished(self, answer: Answer[None]) -> Outcome[str]:
        """The outcome: this answer."""
        return Outcome(output=answer.text, finished=True, steps=self._rounds.steps, usage=self._rounds.spent)

    def stopped(self, stop: Stop, best: str | None = None) -> Outcome[str]:
        """The outcome: a guard fired. The output is ``best``, else what was said last, if anything."""
        return Outcome(
            output=self._said if best is None else best,
            finished=False,
            steps=self._rounds.steps,
            usage=self._rounds.spent,
            stopped_by=stop.guard,
            reason=stop.reason,
        )
