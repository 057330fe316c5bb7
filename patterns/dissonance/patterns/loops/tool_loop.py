"""One agent and its tools, until it answers.

**When to use it.** One agent can do the task, given tools. **When not.** A single answer will do
(``Agent.ask``), or the work needs a gate (make this a worker of ``supervise``).

**What it costs.** A step is a turn that asks for tools: one call. Each turn sends the whole conversation
again, so n turns cost about n²/2 times one turn's tokens.

**How it fails.** A model that asks for a tool without end; guards see each turn before its tools run, so
the call that trips a guard takes no effect. A damaged reply raises.
"""

from __future__ import annotations

from collections.abc import Sequence

from anthropic import AsyncAnthropic

from dissonance.patterns.agent import Agent
from dissonance.patterns.guards import Guard, Rounds
from dissonance.patterns.guards.guard import briefed
from dissonance.patterns.outcome import Outcome, Pattern
from dissonance.patterns.tools import ToolFunction, Toolkit

from .conversation import Conversation

__all__ = ["tool_loop"]


def tool_loop(
    client: AsyncAnthropic, agent: Agent, *, tools: Sequence[ToolFunction], guards: Sequence[Guard] = ()
) -> Pattern[str]:
    """A pattern in which ``agent`` calls ``tools`` until it answers in text.

    Tools asked for in one turn run concurrently. A finding, for the progress guard, is a result of a
    tool that differs from all before. Stopped, its output is what the agent said last, if anything.
    """
    if not tools:
        raise ValueError("tools=(): without tools there is no loop; use Agent.ask")
    kit = Toolkit(tools)
    told = briefed(agent, guards)

    async def using_tools(task: str) -> Outcome[str]:
        talk = Conversation(task, Rounds(guards))
        while True:
            answer = await talk.ask(client, told, kit.definitions)
            if not answer.calls:
                return talk.finished(answer)
            if stop := talk.check("tools", answer):
                return talk.stopped(stop)
            talk.tell(answer, await kit.call_all(answer.calls))

    return using_tools
