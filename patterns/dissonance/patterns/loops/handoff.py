"""Agents that pass one conversation on to each other, until one of them answers: a swarm.

**When to use it.** Which specialist must answer turns out during the conversation, and the conversation
itself is what the next one needs. **When not.** Parts of the work are independent (``fan_out``), or
somebody must answer for the whole (``supervise``, ``delegate``).

**What it costs.** A step is a turn that hands over or asks for tools: one call, with the whole
conversation so far.

**How it fails.** Two agents hand over to each other for ever, each sure that the other is the right one.
A damaged reply raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anthropic import AsyncAnthropic
from anthropic.types import ToolParam, ToolResultBlockParam

from dissonance.patterns.agent import Agent
from dissonance.patterns.conversation import Conversation
from dissonance.patterns.guards import Guard, Rounds
from dissonance.patterns.guards.guard import briefed
from dissonance.patterns.outcome import Outcome, Pattern
from dissonance.patterns.reply import ToolCall
from dissonance.patterns.tools import ToolFunction, Toolkit, result_block

__all__ = ["handoff"]


def handoff(
    client: AsyncAnthropic,
    agents: Sequence[Agent],
    *,
    tools: Mapping[str, Sequence[ToolFunction]] | None = None,
    guards: Sequence[Guard] = (),
) -> Pattern[str]:
    """A pattern in which the first agent answers the task, or hands it over by ``transfer_to_<name>``.

    ``tools`` are the agents' own, by the agent's name. One hand-over a turn takes effect, others of that
    turn are refused. A finding, for the progress guard, is the first hand-over to an agent, or a result of
    a tool that differs from all before. Stopped, its output is what an agent said last, if anything.
    """
    names = [agent.name for agent in agents]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"agents={names!r}: give at least two, each with a name of its own")
    if unknown := [name for name in tools or {} if name not in names]:
        raise ValueError(f"tools={unknown!r}: no agent has this name; the agents are {names!r}")
    seats = {agent.name: _Seat.of(agent, agents, (tools or {}).get(agent.name, ()), guards) for agent in agents}

    async def handing_over(task: str) -> Outcome[str]:
        talk = Conversation(task, Rounds(guards))
        seat = seats[names[0]]
        async with talk.rounds:
            while True:
                answer = await talk.ask(client, seat.agent, seat.offer)
                if not answer.calls:
                    return talk.finished(answer.text, talk.provenance(answer))
                if stop := talk.check("handoff", answer):
                    return talk.stopped(stop)
                results, successor = await seat.perform(answer.calls)
                talk.tell(answer, results)
                seat = seats[successor]
        return talk.halted()

    return handing_over


@dataclass(frozen=True)
class _Seat:
    """An agent, its own tools, and the agents it may hand over to by the name of the tool."""

    agent: Agent
    kit: Toolkit
    transfers: Mapping[str, Agent]

    @classmethod
    def of(cls, agent: Agent, agents: Sequence[Agent], tools: Sequence[ToolFunction], guards: Sequence[Guard]) -> _Seat:
        transfers = {f"transfer_to_{other.name}": other for other in agents if other.name != agent.name}
        return cls(briefed(agent, guards), Toolkit(tools), transfers)

    @property
    def offer(self) -> list[ToolParam]:
        return [*self.kit.definitions, *(_transfer(name, to) for name, to in self.transfers.items())]

    async def perform(self, calls: Sequence[ToolCall]) -> tuple[list[ToolResultBlockParam], str]:
        """The results of one turn's calls, in order, and who goes on."""
        successor: Agent | None = None
        results = []
        for call in calls:
            target = self.transfers.get(call.name)
            if target is None:
                results.append(await self.kit.call(call))
            elif successor is None:
                successor = target
                results.append(result_block(call, f"The {target.name} has taken over."))
            else:
                results.append(result_block(call, f"Refused: the {successor.name} has taken over.", error=True))
        return results, (successor or self.agent).name


def _transfer(name: str, to: Agent) -> ToolParam:
    return {
        "name": name,
        "description": f"Hand the conversation over to the {to.name}.",
        "input_schema": {"type": "object", "properties": {}},
    }
