"""Where a thread or a coroutine is, for people: the innermost line that is theirs."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["is_harness", "is_library", "is_shim", "place_of_task", "place_of_thread", "waits_in"]

_HARNESS = str(Path(__file__).parents[1])
_SHIMS = str(Path(__file__).parents[1] / "runtimes")
_BEGINNINGS = frozenset({"run", "_worker", "_bootstrap", "_bootstrap_inner"})  # of a thread and of a pool's work
_LIBRARY = sysconfig.get_path("stdlib")


def place_of_thread(ident: int) -> str:
    """``file.py:line in function``, of the innermost frame outside the harness and the standard library."""
    frames = _frames_of_thread(ident)
    return _place(next((f for f in frames if not is_library(f)), frames[0] if frames else None))


def place_of_task(task: asyncio.Task[Any]) -> str:
    """The same of a task that waits."""
    frames = _frames_of_task(task)
    return _place(next((f for f in frames if not is_library(f)), frames[-1] if frames else None))


def waits_in(waiting: int | asyncio.Task[Any]) -> str:
    """The standard library's function in which a thread (its ident) or a task waits, as ``Queue.get``; "" if in none."""
    called = ""
    for frame in _frames_of_thread(waiting) if isinstance(waiting, int) else _frames_of_task(waiting):
        if not is_library(frame) or frame.f_code.co_name in _BEGINNINGS:
            break
        name, owner = frame.f_code.co_name, frame.f_locals.get("self")
        if not name.startswith("_"):
            called = f"{Path(frame.f_code.co_filename).stem if owner is None else type(owner).__name__}.{name}"
    return called


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_name}"


def _frames_of_thread(ident: int) -> list[FrameType]:
    """Innermost first, without the harness's own."""
    return [frame for frame in _outwards(sys._current_frames().get(ident)) if not is_harness(frame)]


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frames_of_task(task: asyncio.Task[Any]) -> list[FrameType]:
    """Innermost first: a task's own stack shows its outermost coroutine only."""
    frames: list[FrameType] = []
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            frames.insert(0, frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames


def is_harness(frame: FrameType) -> bool:
    """Whether it runs code of the harness itself."""
    return frame.f_code.co_filename.startswith(_HARNESS)


def is_shim(frame: FrameType) -> bool:
    """Whether it runs what a runtime put between the workflow and its libraries: the workflow may go on outside it."""
    return frame.f_code.co_filename.startswith(_SHIMS)


def is_library(frame: FrameType) -> bool:
    """Whether it runs code of the standard library."""
    name = frame.f_code.co_filename
    return name.startswith("<frozen") or (name.startswith(_LIBRARY) and "-packages" not in name)
