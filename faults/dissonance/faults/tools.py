"""The family ``tools``: what the model is told about a tool's result is not what the tool gave.

They rewrite ``tool_result`` blocks of a request that have come in since the model last spoke, and each
sticks: wherever the client sends that result again, under its ``tool_use_id``, it is rewritten again. So
they test what model and flow make of a bad result in any framework; the workflow's own copy stays as
it was, and no virtual time passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dissonance.harness.call import Block, Call, Reply, text_of

from .fault import Family, Fault
from .results import Result, Sticking, altered_results, new_results, results
from .spec import Seconds
from .texts import times

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["StaleToolResult", "ToolError", "ToolTimeout", "WrongToolResult"]

_Name = Annotated[str, Field(min_length=1)]


class ToolError(Sticking, Fault):
    """The tool has failed: its result is ``is_error`` with this ``message``. ``tool``: its name (None: any tool)."""

    family: ClassVar[Family] = "tools"
    tool: _Name | None = None
    message: _Name = "Error: the service answered 503 (Service Unavailable)"

    def sentence(self) -> str:
        return f"{_named(self.tool)} fails with {self.message!r}"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        changes = {result.id: _failed(result.block, self.message) for result in new_results(call, self.tool)}
        return altered_results(call, past, rule, changes)


class ToolTimeout(Sticking, Fault):
    """The tool has not answered in time: its result is ``is_error`` and says so. ``tool``: its name (None: any tool).

    ``seconds`` is the time that the text names; the tool itself has run, and no virtual time passes.
    """

    family: ClassVar[Family] = "tools"
    tool: _Name | None = None
    seconds: Seconds = 30.0

    def sentence(self) -> str:
        return f"{_named(self.tool)} times out after {self.seconds:g} s"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        text = f"Error: the tool did not answer within {self.seconds:g} seconds"
        changes = {result.id: _failed(result.block, text) for result in new_results(call, self.tool)}
        return altered_results(call, past, rule, changes)


class StaleToolResult(Sticking, Fault):
    """The tool's result is that of its last use before, in this conversation. ``tool``: its name (None: any tool).

    A tool's first result is left alone, and so is one that is the same as before.
    """

    family: ClassVar[Family] = "tools"
    damages: ClassVar[str | None] = "stale tool result"
    tool: _Name | None = None

    def sentence(self) -> str:
        return f"{_named(self.tool)} gives its last result again"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        every = results(call)
        changes = {}
        for result in new_results(call, self.tool):
            old = _before(result, every)
            if old is not None and old.block.get("content") != result.block.get("content"):
                changes[result.id] = old.block
        return altered_results(call, past, rule, changes)


class WrongToolResult(Sticking, Fault):
    """The tool's result is wrong, and does not look it. ``tool``: its name (None: any tool).

    ``content`` is what it says; None makes ten times as much of each number in it, and leaves a result
    without a number alone.
    """

    family: ClassVar[Family] = "tools"
    damages: ClassVar[str | None] = "wrong tool result"
    tool: _Name | None = None
    content: _Name | None = None

    def sentence(self) -> str:
        what = "ten times its numbers" if self.content is None else repr(self.content)
        return f"{_named(self.tool)} gives a wrong result ({what})"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        changes = {}
        for result in new_results(call, self.tool):
            usual = text_of(result.block.get("content"))
            text = times(usual, 10) if self.content is None else self.content
            if text != usual:
                changes[result.id] = {**result.block, "content": text}
        return altered_results(call, past, rule, changes)


def _named(tool: str | None) -> str:
    return "the tool called last" if tool is None else f"the tool {tool!r}"


def _failed(block: Block, text: str) -> Block:
    return {**block, "content": text, "is_error": True}


def _before(result: Result, every: list[Result]) -> Result | None:
    """The result of the same tool that came before this one."""
    earlier: Result | None = None
    for each in every:
        if each.id == result.id:
            return earlier
        if each.tool == result.tool and each.tool:
            earlier = each
    return None
