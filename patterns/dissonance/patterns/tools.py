"""Tools: Python functions that a model may call.

A tool is a sync or async function with annotated parameters; its name, docstring and signature become
the tool's definition, and its arguments are validated against the signature before it runs.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from anthropic import beta_async_tool, beta_tool
from anthropic.lib.tools import BetaAsyncFunctionTool, BetaFunctionTool
from anthropic.types import ToolParam, ToolResultBlockParam

from .reply import ToolCall

__all__ = ["ToolFunction", "Toolkit", "result_block"]

ToolFunction: TypeAlias = Callable[..., Any]


class Toolkit:
    """Some functions as tools.

    A call never raises: an unknown name, arguments that don't fit and an exception of the function come
    back to the model as an error it can act on. Sync functions run on the event loop, so one that
    blocks should be ``async`` and use a thread.

    >>> def area(width: int, height: int) -> int:
    ...     "Area of a rectangle."
    ...     return width * height
    >>> asyncio.run(Toolkit([area]).call(ToolCall("toolu_1", "area", {"width": 6, "height": 7})))["content"]
    '42'
    """

    def __init__(self, functions: Sequence[ToolFunction]) -> None:
        tools = [_wrapped(function) for function in functions]
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            raise ValueError(f"tools={[tool.name for tool in tools]!r}: give each tool a name of its own")

    @property
    def definitions(self) -> list[ToolParam]:
        """The tools as the API wants them, in the order given."""
        return [tool.to_dict() for tool in self._tools.values()]

    async def call(self, call: ToolCall) -> ToolResultBlockParam:
        """Run one call; its result or its error as a content block."""
        tool = self._tools.get(call.name)
        if tool is None:
            return result_block(call, f"There is no tool {call.name!r}.", error=True)
        try:
            result: object = tool.call(dict(call.arguments))
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            return result_block(call, f"{type(error).__name__}: {error}", error=True)
        return result_block(call, result if isinstance(result, str) else json.dumps(result, default=str))

    async def call_all(self, calls: Sequence[ToolCall]) -> list[ToolResultBlockParam]:
        """Run the calls of one turn concurrently; results in the order of the calls."""
        return list(await asyncio.gather(*(self.call(call) for call in calls)))


def result_block(call: ToolCall, text: str, *, error: bool = False) -> ToolResultBlockParam:
    """The answer to a tool call."""
    block: ToolResultBlockParam = {"type": "tool_result", "tool_use_id": call.id, "content": text}
    if error:
        block["is_error"] = True
    return block


def _wrapped(function: ToolFunction) -> BetaFunctionTool[Any] | BetaAsyncFunctionTool[Any]:
    return beta_async_tool(function) if inspect.iscoroutinefunction(function) else beta_tool(function)
