"""Ending code that catches everything: ``except BaseException`` in a loop swallows each exception that a wait raises."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from .places import is_harness, is_library

__all__ = ["insist", "untraced"]


def insist(error: BaseException) -> None:
    """Raise ``error`` in the calling thread also at the workflow's next line, which is in the handler that catches it.

    By tracing, which :func:`untraced` ends; an exception in the tracer takes effect in the traced
    line. Only the workflow's own frames are traced: asyncio's must tidy up.
    """

    def raise_it(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":  # not at "exception", which the same handler would catch
            raise error
        return raise_it

    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_harness(frame):
        frame = frame.f_back
    while frame is not None and not is_harness(frame):
        if not is_library(frame):
            frame.f_trace = raise_it
        frame = frame.f_back
    sys.settrace(_trace_nothing)


def _trace_nothing(frame: FrameType, event: str, argument: Any) -> None:
    return None


class untraced:
    """After the block, the thread is traced as before it (by a debugger, by coverage, or not at all)."""

    def __enter__(self) -> None:
        self._former = sys.gettrace()

    def __exit__(self, *_: object) -> None:
        if sys.gettrace() is not self._former:
            sys.settrace(self._former)
