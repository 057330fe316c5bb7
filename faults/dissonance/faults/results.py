"""Tool results in a request: which are new, and what was made of them before.

A client sends a tool's result again with each turn, as its tool gave it. What a fault made of a result
sticks to its ``tool_use_id``: it is made of it again in every later call, of whichever agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from dissonance.harness.call import Block, Call, JsonObject, blocks_of

if TYPE_CHECKING:
    from dissonance.harness.history import Bodies, History

__all__ = ["Result", "Sticking", "altered_results", "new_results", "results"]


class Result(NamedTuple):
    """A tool's result in a request; ``tool`` is empty where its call is not there."""

    id: str
    tool: str
    block: Block


class Sticking:
    """For faults that alter tool results: what they made of one stays made, wherever it reappears."""

    def afterwards(self, call: Call, past: History, rule: str) -> Call | None:
        """The call with the results that this rule has altered before, altered again."""
        return altered_results(call, past, rule, {})


def results(call: Call) -> list[Result]:
    """All tool results of a request, in their order."""
    tools: dict[str, str] = {}
    found: list[Result] = []
    for message in call.messages:
        for block in _blocks(message):
            if block.get("type") == "tool_use":
                tools[str(block.get("id"))] = str(block.get("name"))
            elif block.get("type") == "tool_result":
                id = str(block.get("tool_use_id"))
                found.append(Result(id, tools.get(id, ""), block))
    return found


def new_results(call: Call, tool: str | None = None) -> list[Result]:
    """Those that have come in since the model last spoke; of this tool alone (None: of any)."""
    ids: set[str] = set()
    for message in reversed(call.messages):
        if message.get("role") == "assistant":
            break
        ids.update(str(block.get("tool_use_id")) for block in _blocks(message) if block.get("type") == "tool_result")
    return [result for result in results(call) if result.id in ids and tool in (None, result.tool)]


def altered_results(call: Call, past: History, rule: str, changes: Mapping[str, Block]) -> Call | None:
    """The call with these results, by id, and with those that the rule altered before; None where nothing changes."""
    changes = {**changes, **_stuck(past, rule)}
    if not changes:
        return None
    messages = [_altered(message, changes) for message in call.messages]
    if all(one is other for one, other in zip(messages, call.messages, strict=True)):
        return None
    return replace(call, messages=messages)


def _altered(message: JsonObject, changes: Mapping[str, Block]) -> JsonObject:
    blocks = _blocks(message)
    if not any(_changes(block, changes) for block in blocks):
        return message
    content = [
        {**changes[block["tool_use_id"]], "tool_use_id": block["tool_use_id"]} if _changes(block, changes) else block
        for block in blocks
    ]
    return {**message, "content": content}


def _changes(block: Block, changes: Mapping[str, Block]) -> bool:
    return block.get("type") == "tool_result" and block.get("tool_use_id") in changes


def _blocks(message: JsonObject) -> Sequence[Block]:
    content = message.get("content")
    return () if isinstance(content, str) else blocks_of(content)


# --- what was made of them before -------------------------------------------------------------

_read: WeakKeyDictionary[Bodies, dict[tuple[str, str], dict[str, Block]]] = WeakKeyDictionary()


def _stuck(past: History, rule: str) -> dict[str, Block]:
    """The results that this rule has altered, by their ids."""
    found: dict[str, Block] = {}
    for firing in past.faults(rule):
        if firing.side == "request" and firing.before is not None and firing.after is not None:
            found.update(_difference(past.bodies, firing.before, firing.after))
    return found


def _difference(bodies: Bodies, before: str, after: str) -> dict[str, Block]:
    known = _read.setdefault(bodies, {})
    if (before, after) not in known:
        usual = dict(_by_id(bodies.get(before)))
        known[before, after] = {id: block for id, block in _by_id(bodies.get(after)) if block != usual.get(id)}
    return known[before, after]


def _by_id(request: Any) -> Iterator[tuple[str, Block]]:
    for message in request["messages"]:
        for block in _blocks(message):
            if block.get("type") == "tool_result":
                yield str(block.get("tool_use_id")), block
