"""The frameworks' own bounds, read where they stand in the installed code; the one that can be reached is tripped.

The cells of the matrix end at far fewer calls than some of these, so that a bound beyond is told, not played.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ._ported import missing

__all__ = ["BOUNDS", "Bound", "Tripped", "bounds"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What ends a runtime's loop by itself: ``value`` of ``setting``; None: nothing does. ``tripped``: after so many steps it did."""

    runtime: str
    setting: str
    value: float | None
    tripped: int | None = None


@dataclass(frozen=True)
class Tripped:
    """The bounds of one runtime, as a piece; nothing where it is not installed."""

    runtime: str

    def __call__(self) -> list[Bound]:
        return [] if missing([self.runtime]) else BOUNDS[self.runtime]()


def bounds(runtimes: tuple[str, ...]) -> list[Tripped]:
    """A piece for each of these runtimes."""
    return [Tripped(runtime) for runtime in runtimes if runtime in BOUNDS]


def _plain() -> list[Bound]:
    return [Bound(runtime="plain", setting="guards", value=None)]


def _langgraph() -> list[Bound]:
    """A graph whose only node leads to itself and changes nothing: it ends by ``GraphRecursionError``."""
    from langgraph.errors import GraphRecursionError
    from langgraph.graph import START, StateGraph

    steps = 0

    def again(state: dict[str, Any]) -> None:
        nonlocal steps
        steps += 1

    graph: Any = StateGraph(dict)
    graph.add_node("again", again)
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    try:
        graph.compile().invoke({})
    except GraphRecursionError:
        limit = import_module("langgraph._internal._config").DEFAULT_RECURSION_LIMIT  # stands in no public place
        return [Bound(runtime="langgraph", setting="recursion_limit", value=int(limit), tripped=steps)]
    raise AssertionError("a graph without an end has ended")


def _crewai() -> list[Bound]:
    fields = import_module("crewai").Agent.model_fields
    return [
        Bound(runtime="crewai", setting=f"Agent.{name}", value=fields[name].default)
        for name in ("max_iter", "max_retry_limit")
    ]


def _autogen() -> list[Bound]:
    team = import_module("autogen_agentchat.teams").RoundRobinGroupChat
    parameters = inspect.signature(team.__init__).parameters
    return [
        Bound(runtime="autogen", setting=f"RoundRobinGroupChat.{name}", value=parameters[name].default)
        for name in ("max_turns", "termination_condition")
    ]


def _claude_tools() -> list[Bound]:
    from anthropic import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, AsyncAnthropic, omit

    runner = inspect.signature(AsyncAnthropic(api_key="simulated").beta.messages.tool_runner).parameters
    most = runner["max_iterations"].default
    return [
        Bound(
            runtime="claude_tools", setting="tool_runner.max_iterations", value=None if most in (omit, None) else most
        ),
        Bound(runtime="claude_tools", setting="max_retries", value=DEFAULT_MAX_RETRIES),
        Bound(runtime="claude_tools", setting="timeout (s)", value=DEFAULT_TIMEOUT.read),
    ]


BOUNDS: Mapping[str, Callable[[], list[Bound]]] = {
    "plain": _plain,
    "langgraph": _langgraph,
    "crewai": _crewai,
    "autogen": _autogen,
    "claude_tools": _claude_tools,
}
"""How each runtime's bounds are found."""
