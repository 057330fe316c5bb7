"""Claude tool use: the SDK's own ``tool_runner``, sync and async, whole and streamed.

A runner is used up by one run, so each run makes another from what it was made with. A task that is given takes the
place of its messages. It has no name for its agent: the system prompt names it, as in any use of the SDK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anthropic.lib.tools import _beta_runner as runners
from anthropic.lib.tools._beta_functions import BetaAsyncFunctionTool, BetaFunctionTool

from .runtime import Inside, named

__all__ = ["ClaudeTools"]

_STREAMED = (runners.BetaStreamingToolRunner, runners.BetaAsyncStreamingToolRunner)


class ClaudeTools:
    """The runtime of ``client.beta.messages.tool_runner``."""

    name = "claude_tools"

    def install(self, inside: Inside) -> None:
        for owner in (BetaFunctionTool, BetaAsyncFunctionTool):
            inside.tools.guard(inside.patches, owner, "call", lambda tool: str(tool.name))

    def speaker(self) -> str | None:
        return None

    def workflow(self, target: Any) -> Callable[..., Any] | None:
        if not isinstance(target, runners.BaseToolRunner):
            return None
        client: Any = target._client
        bounds = {} if target._max_iterations is None else {"max_iterations": target._max_iterations}
        params = {name: value for name, value in target._thread.params.items() if name != _NO_PARAMETER}
        streamed = isinstance(target, _STREAMED)

        def play(task: Any = None) -> Any:
            given: dict[str, Any] = dict(params)
            if task is not None:
                given["messages"] = [{"role": "user", "content": task}]
            runner: Any = client.beta.messages.tool_runner(**given, **bounds, stream=streamed)
            return runner.until_done()

        return named(play, "tool_runner")


_NO_PARAMETER = "unsupported_request_behavior"
