"""The family ``tools``: what the model is told about a tool's result is not what the tool gave.

They rewrite ``tool_result`` blocks of a request that have come in since the model last spoke, and each
sticks: wherever the client sends that result again, under its ``tool_use_id``, it is rewritten again. So
they test what model and flow make of a bad result in any framework; the workflow's own copy stays as
it was, and no virtual time passes.

``ToolError`` and ``ToolTimeout`` also strike ``through="code"``: the workflow's own tool raises, in its place. That
needs a framework whose tools are seen (see ``dissonance.harness.runtimes``); elsewhere such a rule never fires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from dissonance.harness.call import Block, Call, Reply, text_of
from dissonance.harness.moment import ToolFailure

from .fault import Family, Fault
from .results import Result, Sticking, altered_results, new_results, results
from .spec import Seconds
from .texts import times

if TYPE_CHECKING:
    from dissonance.harness.history import History
    from dissonance.harness.moment import Moment

__all__ = ["StaleToolResult", "ToolError", "ToolTimeout", "WrongToolResult"]

Through: TypeAlias = Literal["result", "code"]
_Name = Annotated[str, Field(min_length=1)]


class ToolError(Sticking, Fault):
    """The tool has failed: its result is ``is_error`` with this ``message``. ``tool``: its name (None: any tool).

    ``through`` its ``"code"``: the workflow's own tool raises a ``RuntimeError`` with the message, in place of running.
    """

    family: ClassVar[Family] = "tools"
    tool: _Name | None = None
    message: _Name = "Error: the service answered 503 (Service Unavailable)"
    through: Through = "result"

    @property
    def noun(self) -> str:
        return _noun(self.through)

    def sentence(self) -> str:
        return f"{_named(self.tool, self.through)} {_fails(self.through)} {self.message!r}"

    def on_tool(self, use: Moment, past: History, rule: str) -> ToolFailure | None:
        return ToolFailure(message=self.message) if _strikes(self.through, self.tool, use) else None

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        if self.through == "code":
            return None
        changes = {result.id: _failed(result.block, self.message) for result in new_results(call, self.tool)}
        return altered_results(call, past, rule, changes)


class ToolTimeout(Sticking, Fault):
    """The tool has not answered in time: its result is ``is_error`` and says so. ``tool``: its name (None: any tool).

    ``seconds`` is the time that the text names; the tool itself has run, and no virtual time passes.
    ``through`` its ``"code"``: the workflow's own tool raises a ``TimeoutError`` in place of running, so much
    virtual time later.
    """

    family: ClassVar[Family] = "tools"
    tool: _Name | None = None
    seconds: Seconds = 30.0
    through: Through = "result"

    @property
    def noun(self) -> str:
        return _noun(self.through)

    def sentence(self) -> str:
        return f"{_named(self.tool, self.through)} times out after {self.seconds:g} s"

    def on_tool(self, use: Moment, past: History, rule: str) -> ToolFailure | None:
        if not _strikes(self.through, self.tool, use):
            return None
        return ToolFailure(message=self._text(), seconds=self.seconds, timed_out=True)

    def _text(self) -> str:
        return f"Error: the tool did not answer within {self.seconds:g} seconds"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        if self.through == "code":
            return None
        text = self._text()
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


def _named(tool: str | None, through: Through = "result") -> str:
    if through == "code":
        return "the tool's own code" if tool is None else f"the own code of the tool {tool!r}"
    return "the tool called last" if tool is None else f"the tool {tool!r}"


def _fails(through: Through) -> str:
    return "raises" if through == "code" else "fails with"


def _noun(through: Through) -> str:
    return "use of the tool" if through == "code" else "call"


def _strikes(through: Through, tool: str | None, use: Moment) -> bool:
    return through == "code" and (tool is None or tool == use.tool)


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
