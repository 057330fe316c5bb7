"""Ending code that catches everything: ``except BaseException`` in a loop swallows each exception that a call raises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from .places import is_harness, is_library, is_shim

__all__ = ["insist", "untraced"]


def insist(error: BaseException) -> None:
    """Raise ``error`` in the calling thread also at the workflow's next line, which is in the handler that catches it.

    By tracing, which :func:`untraced` ends; an exception in the tracer takes effect in the traced
    line. Only the workflow's own frames are traced: asyncio's must tidy up. The interpreter stops
    to trace where a tracer raises, so a profiler, which sees each frame end, takes care of the
    handlers further out, until the workflow has been left.
    """
    floor = _trace(sys._getframe(1), error)
    way_out = set(_frames(sys._getframe(1), floor))

    def go_on(frame: FrameType, event: str, argument: Any) -> None:
        if event != "return":
            return
        if frame.f_back is None or frame.f_back is floor:
            sys.setprofile(None)
            way_out.clear()
        elif frame.f_back in way_out:  # else it is of something aside, as a finalizer
            _trace(frame.f_back, error)

    sys.setprofile(go_on)


def _frames(frame: FrameType | None, floor: FrameType | None) -> Iterator[FrameType]:
    while frame is not None and frame is not floor:
        yield frame
        frame = frame.f_back


def _trace(frame: FrameType | None, error: BaseException) -> FrameType | None:
    """Let the workflow's frames from here on raise the error; returns the harness's frame that called them."""

    def raise_it(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":  # not at "exception", which the same handler would catch
            raise error
        return raise_it

    while frame is not None and is_harness(frame):
        frame = frame.f_back
    while frame is not None and (is_shim(frame) or not is_harness(frame)):
        if not is_library(frame) and not is_shim(frame):
            frame.f_trace = raise_it
        frame = frame.f_back
    sys.settrace(_trace_nothing)
    return frame


def _trace_nothing(frame: FrameType, event: str, argument: Any) -> None:
    return None


class untraced:
    """After the block, the thread is traced as before it (by a debugger, by coverage, or not at all)."""

    def __enter__(self) -> None:
        self._former = sys.gettrace(), sys.getprofile()

    def __exit__(self, *_: object) -> None:
        trace, profile = self._former
        if sys.getprofile() is not profile:
            sys.setprofile(profile)
        if sys.gettrace() is not trace:
            sys.settrace(trace)
