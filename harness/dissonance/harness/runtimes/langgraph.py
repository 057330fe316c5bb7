"""LangGraph: compiled graphs, or state graphs that are still to be compiled.

An agent is a node. The nodes of a prebuilt agent (``agent``, ``model``, ``tools``) say nothing of who it is, so a
node around it names it, where there is one. Each run has a thread and a saver of its own, in memory; a graph without
a saver gets none. A graph all of whose nodes are sync is invoked, any other one awaited.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import langchain_core.messages.content as content_blocks
import langsmith.utils
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from dissonance.harness.errors import BadInput

from .runtime import Inside, named, spoken_for
from .tasks import as_mapping

__all__ = ["LangGraph"]

_PREBUILT = ("agent", "model", "tools")


class Interrupted(dict[str, Any]):
    """The state of a graph that waits for a human."""

    paused = True


class LangGraph:
    """The runtime of LangGraph 1.x."""

    name = "langgraph"

    def install(self, inside: Inside) -> None:
        patches = inside.patches
        for method in ("run", "arun"):
            inside.tools.guard(patches, BaseTool, method, lambda tool: str(tool.name))
        patches.set(langsmith.utils, "tracing_is_enabled", lambda ctx=None: False)
        kinds = getattr(content_blocks, "_get_data_content_block_types", None)
        if kinds is not None:  # asked for each block of each message, and the same each time: most of a long run's cost
            patches.set(content_blocks, "_get_data_content_block_types", functools.cache(kinds))

    def speaker(self) -> str | None:
        config = var_child_runnable_config.get()
        metadata = config.get("metadata") if config else None
        if not metadata or "langgraph_node" not in metadata:
            return None
        path = [part.partition(":")[0] for part in str(metadata.get("langgraph_checkpoint_ns", "")).split("|")]
        nodes = [*path[:-1], str(metadata["langgraph_node"])]
        return spoken_for(next((node for node in reversed(nodes) if node and node not in _PREBUILT), nodes[-1]))

    def workflow(self, target: Any) -> Callable[..., Any] | None:
        if isinstance(target, StateGraph):
            target = target.compile(checkpointer=InMemorySaver())
        return _workflow(target) if isinstance(target, Pregel) else None


def _workflow(graph: Any) -> Callable[..., Any]:
    plain = all(_is_sync(bound) for bound in _parts(graph))

    def play(task: Any, human: Any = None) -> Any:
        fresh = _fresh(graph)
        config = {"configurable": {"thread_id": "dissonance"}}
        given = _input(graph, task)
        if not plain:
            return _awaited(fresh, given, config, human)
        state = fresh.invoke(given, config)
        return _answered(fresh, state, config, human) if human is not None and _waiting(state) else _ended(state)

    return named(play, f"LangGraph.{graph.get_name()}")


def _fresh(graph: Any) -> Any:
    made: dict[str, Any] = {}
    if graph.checkpointer not in (None, False, True):
        made["checkpointer"] = InMemorySaver()
    if graph.store is not None:
        made["store"] = InMemoryStore()
    return graph.copy(made)


async def _awaited(graph: Any, given: Any, config: Any, human: Any) -> Any:
    state = await graph.ainvoke(given, config)
    return await _answered(graph, state, config, human) if human is not None else _ended(state)


def _ended(state: Any) -> Any:
    return Interrupted(state) if _waiting(state) else state


def _waiting(state: Any) -> Any:
    """The interrupts at which the graph waits for somebody."""
    return state.get("__interrupt__") if isinstance(state, dict) else None


# --- a human ----------------------------------------------------------------------------------


class _Request:
    """An interrupt as a request to the human."""

    deadline: float | None = None

    def __init__(self, number: int, interrupt: Any) -> None:
        self.id = f"interrupt-{number}"
        self.summary = str(interrupt.value)
        self.action = interrupt.value
        self.reason = "the graph has interrupted itself"


async def _answered(graph: Any, state: Any, config: Any, human: Any) -> Any:
    """Resume the graph with each answer, true, false or the edited value, until it waits no longer."""
    numbers = count(1)
    while waiting := _waiting(state):
        answers = {}
        for interrupt in waiting:
            answer = await human.ask(_Request(next(numbers), interrupt))
            answers[interrupt.id] = answer.value if answer.decision == "edit" else answer.decision == "approve"
        state = await graph.ainvoke(Command(resume=answers), config)
    return state


# --- the input --------------------------------------------------------------------------------


def _input(graph: Any, task: Any) -> Any:
    """The task as the graph's input: its messages, else its first field that is a text."""
    given = as_mapping(task)
    if given is not None or not isinstance(task, str):
        return task if given is None else given
    schema = getattr(getattr(graph, "builder", None), "input_schema", None)
    fields = _fields(schema)
    if "messages" in fields:
        return {"messages": [{"role": "user", "content": task}]}
    text = next((name for name, kind in fields.items() if kind is str), None)
    if text is not None:
        return {text: task}
    if not fields:
        return task
    raise BadInput(f"task={task!r}: no input of the graph is a text; give an object with {', '.join(fields)}")


def _fields(schema: Any) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(schema)
    except (TypeError, NameError):
        return getattr(schema, "__annotations__", {})


# --- what is in it ----------------------------------------------------------------------------


def _parts(graph: Any) -> Iterator[Any]:
    """What the graph's nodes run, those of its subgraphs included."""
    for name, node in graph.nodes.items():
        if name.startswith("__"):
            continue
        if isinstance(node.bound, Pregel):
            yield from _parts(node.bound)
        else:
            yield node.bound


def _is_sync(bound: Any) -> bool:
    tools = getattr(bound, "tools_by_name", None)  # a ToolNode
    if tools is not None:
        return all(getattr(tool, "func", tool) is not None for tool in tools.values())
    return getattr(bound, "func", bound) is not None
