"""One agent as a step: it is asked, its tools are run, its answer comes back typed and with its provenance.

**When to use it.** One agent can do the task: start here, and stay here while it does. **When not.** The
work needs a gate (``supervise``), falls into stages (``chain``) or into independent parts (``fan_out``).

**What it costs.** One call, and one more for each turn that asks for tools. Each turn sends the whole
conversation again, so n turns cost about n²/2 times one turn's tokens; ``TokenLedger`` bounds that.

**How it fails.** A model that asks for a tool without end; guards see each turn before its tools run, so
the call that trips a guard takes no effect. A damaged reply raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from anthropic import AsyncAnthropic
from pydantic import BaseModel

from .agent import Agent
from .conversation import Conversation
from .guards import Guard, Rounds
from .guards.guard import briefed
from .outcome import Outcome, Pattern
from .tools import Toolkit

__all__ = ["solo"]

M = TypeVar("M", bound=BaseModel)


@overload
def solo(client: AsyncAnthropic, agent: Agent, schema: type[M], *, guards: Sequence[Guard] = ()) -> Pattern[M]: ...
@overload
def solo(
    client: AsyncAnthropic, agent: Agent, schema: None = None, *, guards: Sequence[Guard] = ()
) -> Pattern[str]: ...
def solo(
    client: AsyncAnthropic, agent: Agent, schema: type[BaseModel] | None = None, *, guards: Sequence[Guard] = ()
) -> Pattern[Any]:
    """A pattern in which ``agent`` answers in text, or in a validated ``schema``, calling its tools on the way.

    Tools asked for in one turn run concurrently. A step is a turn that asks for tools; a finding, for the
    progress guard, is a result of a tool that differs from all before. Its sources are the results of tools
    that were no errors. Stopped, its output is what the agent said last, if anything; an answer that a guard
    rejects is the output, unfinished.
    """
    kit = Toolkit(agent.tools)
    told = briefed(agent, guards)

    async def answering(task: str) -> Outcome[Any]:
        talk = Conversation(task, Rounds(guards))
        async with talk.rounds as rounds:
            while True:
                answer = await talk.ask(client, told, kit.definitions, schema)
                if not answer.calls:
                    output = answer.text if schema is None else answer.data
                    provenance, rejected = await rounds.verify(task, output, talk.provenance(answer))
                    if rejected:
                        return talk.stopped(rounds.reject(rejected, agent.name), output, provenance)
                    return talk.finished(output, provenance)
                if stop := talk.check("tools", answer):
                    return talk.stopped(stop)
                talk.tell(answer, await kit.call_all(answer.calls))
        return talk.halted()

    return answering
