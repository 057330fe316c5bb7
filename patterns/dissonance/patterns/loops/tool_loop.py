"""One agent and some tools, until it answers: ``solo`` with the tools given apart from the agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anthropic import AsyncAnthropic

from dissonance.patterns.agent import Agent
from dissonance.patterns.guards import Guard
from dissonance.patterns.outcome import Pattern
from dissonance.patterns.solo import solo
from dissonance.patterns.tools import ToolFunction

__all__ = ["tool_loop"]


def tool_loop(
    client: AsyncAnthropic, agent: Agent, *, tools: Sequence[ToolFunction], guards: Sequence[Guard] = ()
) -> Pattern[str]:
    """A pattern in which ``agent`` calls ``tools`` until it answers in text. See :mod:`~dissonance.patterns.solo`."""
    if not tools:
        raise ValueError("tools=(): without tools there is no loop; use Agent.ask")
    return solo(client, replace(agent, tools=tuple(tools)), guards=guards)
