"""What the agents of a run have said so far, and whether any of it stands in a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from dissonance.harness.call import Call, Json, blocks_of, text_of
from dissonance.harness.claims import claims_in
from dissonance.harness.history import Bodies, CallSent, FaultFired, History, ReplyReceived, RunStarted

__all__ = ["Output", "outputs", "repeats", "stands_in", "task_text"]


class Output(NamedTuple):
    """A message that an agent got: its ``text`` (tool arguments included), the ``lines`` that say something, the
    ``tools`` used."""

    agent: str
    text: str
    lines: tuple[str, ...]
    tools: tuple[str, ...]


_read: WeakKeyDictionary[Bodies, dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]] = WeakKeyDictionary()


def outputs(past: History) -> Iterator[Output]:
    """The messages of this run so far, the latest first."""
    known = _read.setdefault(past.bodies, {})
    for event in reversed(past):
        if isinstance(event, ReplyReceived) and event.body is not None:
            if event.body not in known:
                known[event.body] = _said(past.bodies.get(event.body))
            text, lines, tools = known[event.body]
            if text or tools:
                yield Output(event.agent, text, lines, tools)


def _said(body: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if not isinstance(body, Mapping) or body.get("type") != "message":
        return "", (), ()
    blocks = blocks_of(body.get("content"))
    lines = [line for block in blocks for line in claims_in(text_of((block,)))]
    return (
        text_of(blocks),
        tuple(lines),
        tuple(str(block.get("name")) for block in blocks if block.get("type") == "tool_use"),
    )


def stands_in(output: Output, text: str, task: str = "") -> bool:
    """Whether an output stands in a text: whole, or a line of it (twice, where ``task`` has that line as well)."""
    return bool(output.lines) and (output.text in text or _partly(output, text, task))


def _partly(output: Output, text: str, task: str) -> bool:
    return any(line in text and (line not in task or text.count(line) > 1) for line in output.lines)


def task_text(past: History) -> str:
    """What the run was given to do (as a fault has altered it, if one has), as text; empty where it was given nothing."""
    first = past[0] if len(past) else None
    if not isinstance(first, RunStarted) or first.task not in past.bodies:
        return ""
    given = first.task
    for event in islice(past, 1, None):
        if not isinstance(event, FaultFired) or event.side != "task" or event.after is None:
            break
        given = event.after
    return "\n".join(_strings(past.bodies.get(given)))


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def repeats(call: Call, past: History) -> bool:
    """Whether this agent has asked the very same before: nothing that it can see has come of it."""
    mine = [event for event in past.calls(call.agent) if event.id <= call.id]
    this = next((event for event in reversed(mine) if event.id == call.id), None)
    return this is not None and any(_same(event, this) for event in mine if event.ordinal < call.ordinal)


def _same(a: CallSent, b: CallSent) -> bool:
    return (a.system, a.messages) == (b.system, b.messages)
