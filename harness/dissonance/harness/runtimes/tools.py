"""The tool hook: what a plan makes of a workflow's own tool code.

A runtime asks the hook before a tool runs. Where a rule strikes, the tool does not run: the hook waits for the
failure's virtual seconds and raises what a broken tool would raise, ``TimeoutError`` or ``RuntimeError``. What
becomes of it is the framework's business, and the workflow's.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

from dissonance.harness.moment import ToolFailure
from dissonance.harness.world import Patches

__all__ = ["ToolHook"]


class ToolHook:
    """Asks ``strike(tool, arguments)`` whether a tool fails. :meth:`guard` puts it before a framework's own method."""

    def __init__(self, strike: Callable[[str, Any], ToolFailure | None]) -> None:
        self._strike = strike

    def before(self, tool: str, arguments: Any) -> None:
        """Raises what the tool is to raise, after its seconds of virtual time; returns where it is to run."""
        failure = self._strike(tool, arguments)
        if failure is not None:
            time.sleep(failure.seconds)
            raise failure.error()

    async def before_async(self, tool: str, arguments: Any) -> None:
        """As :meth:`before`, for a tool that is awaited."""
        failure = self._strike(tool, arguments)
        if failure is not None:
            await asyncio.sleep(failure.seconds)
            raise failure.error()

    def guard(self, patches: Patches, owner: type, method: str, name: Callable[[Any], str]) -> None:
        """Ask before each call of ``owner.method``, sync or async; ``name`` gives the name of the tool, its self."""
        original = vars(owner)[method]
        if asyncio.iscoroutinefunction(original):
            patches.set(owner, method, self._asynchronous(original, name))
        else:
            patches.set(owner, method, self._synchronous(original, name))

    def _synchronous(self, original: Callable[..., Any], name: Callable[[Any], str]) -> Callable[..., Any]:
        @functools.wraps(original)
        def guarded(tool: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.before(name(tool), _arguments(args, kwargs))
            return original(tool, *args, **kwargs)

        return guarded

    def _asynchronous(self, original: Callable[..., Any], name: Callable[[Any], str]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def guarded(tool: Any, /, *args: Any, **kwargs: Any) -> Any:
            await self.before_async(name(tool), _arguments(args, kwargs))
            return await original(tool, *args, **kwargs)

        return guarded


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the tool is called with, as far as a rule can read it: its first argument, else the named ones."""
    return args[0] if args else kwargs
