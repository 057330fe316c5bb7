"""An asyncio event loop on the world's clock."""

from __future__ import annotations

import asyncio
import itertools
import os
import selectors
import socket
import threading
from asyncio import events
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context
from types import MappingProxyType
from typing import Any

from dissonance.harness.errors import RunStopped

from .kernel import World
from .strand import Strand, current_strand, current_world, to_ticks

__all__ = ["VirtualLoop", "VirtualPolicy", "every_task"]


class VirtualTask(asyncio.Task[Any]):
    """A task that hashes by creation order, so that sets of tasks iterate alike in every run."""

    def __init__(self, coro: Generator[Any, Any, Any] | Coroutine[Any, Any, Any], *, loop: VirtualLoop, **options: Any):
        self._number = next(loop.numbers)
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualFuture(asyncio.Future[Any]):
    """A future that hashes by creation order."""

    def __init__(self, *, loop: VirtualLoop) -> None:
        self._number = next(loop.numbers)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


_NO_FILES: Mapping[Any, selectors.SelectorKey] = MappingProxyType({})


class _Selector(selectors.BaseSelector):
    """Parks the loop's strand instead of waiting for files; real files are looked at, and noted as an escape."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._files: selectors.BaseSelector | None = None  # made for the first file: few loops ever have one

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.loop is not None:
            self.loop.world.escape(_describe_file(fileobj))
        if self._files is None:
            self._files = selectors.DefaultSelector()
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        if self._files is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return self._files.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _NO_FILES if self._files is None else self._files.get_map()

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert self.loop is not None
        found = self._look()
        if found:
            return found
        if timeout is not None and timeout <= 0:
            self.loop.world.give_way()
        else:
            self.loop.wait(self.has_ready_files if self.get_map() else None)
        return self._look()

    def _look(self) -> list[tuple[selectors.SelectorKey, int]]:
        return self._files.select(0) if self._files is not None and self._files.get_map() else []

    def has_ready_files(self) -> bool:
        """Whether one of the real files can be read or written."""
        return bool(self._look())


def _describe_file(file: Any) -> str:
    """``real socket to '10.0.0.1'``, or its number where it is no connected socket."""
    number = file if isinstance(file, int) else file.fileno()
    try:
        with socket.socket(fileno=os.dup(number)) as connection:
            return f"real socket to {connection.getpeername()[0]!r}"
    except (OSError, IndexError):
        return f"real file descriptor {number}"


class VirtualLoop(asyncio.SelectorEventLoop):
    """``loop.time()`` is virtual; waiting parks the strand; nothing touches a socket."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers = itertools.count(1)
        self._strand: Strand | None = None
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-9
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self.world.now

    def create_future(self) -> asyncio.Future[Any]:
        """A future that hashes by creation order."""
        return VirtualFuture(loop=self)

    def wait(self, files_are_ready: Callable[[], bool] | None) -> None:
        """Park until the next timer, a call from another strand, or a real file is ready."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        strand = self._strand = current_strand()
        if strand is not None and files_are_ready is not None:
            self.world.outside.watch_files(strand, files_are_ready)
        try:
            self.world.park(to_ticks(timers[0].when()) if timers else None, self)
        finally:
            self._strand = None
            if strand is not None and files_are_ready is not None:
                self.world.outside.forget_files(strand)

    def jump(self, seconds: float) -> bool:
        """Let so many seconds pass at once, if no task, timer, file or other strand has anything to do in them.

        What ``asyncio.sleep`` would come to, without the future, the timer and the round of the loop.
        """
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        until = self.world.ticks + to_ticks(seconds)
        if self._ready or (timers and to_ticks(timers[0].when()) <= until):  # type: ignore[attr-defined]
            return False
        return not self._selector.get_map() and self.world.jump(until)  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        if self.world.shuffle is not None and len(ready) > 1:
            order = list(ready)
            self.world.shuffle.shuffle(order)
            ready.clear()
            ready.extend(order)
        super()._run_once()  # type: ignore[misc]

    def close(self) -> None:
        """Close it, and complain of the failed tasks that nobody looked at.

        asyncio would do so whenever the collector came by them, in the middle of whatever code that interrupts.
        """
        if not self.is_closed():
            for task in sorted((task for task in every_task() if _is_unseen(task, self)), key=hash):
                error = task.exception()  # which is now seen
                if not isinstance(error, RunStopped):
                    message = "Task exception was never retrieved"
                    self.call_exception_handler({"message": message, "exception": error, "task": task})
        super().close()

    def _write_to_self(self) -> None:
        """Another strand has scheduled a callback: wake this loop."""
        if self._strand is not None:
            self.world.wake(self._strand)

    # The self-pipe would be two real sockets for each loop; the baton wakes it instead.
    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None
        self._internal_fds = 0

    def _close_self_pipe(self) -> None:
        pass

    # They would need that pipe, and no signal is part of a run that repeats.
    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        """Accepted; the handler is never called."""

    def remove_signal_handler(self, sig: int) -> bool:
        """False: there is none."""
        return False


def every_task() -> list[asyncio.Task[Any]]:
    """The tasks of this process that somebody still holds, also those that are done, in no order."""
    known = "_all_tasks" if hasattr(asyncio.tasks, "_all_tasks") else "_scheduled_tasks"  # before Python 3.12; since
    return list(getattr(asyncio.tasks, known))


def _is_unseen(task: asyncio.Task[Any], loop: VirtualLoop) -> bool:
    return task._log_traceback and task.get_loop() is loop


def _make_task(loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None) -> asyncio.Task[Any]:
    assert isinstance(loop, VirtualLoop)
    if context is None:
        return VirtualTask(coro, loop=loop)
    return VirtualTask(coro, loop=loop, context=context)


class VirtualPolicy(events.AbstractEventLoopPolicy):
    """Gives virtual loops to threads inside the world, and the former policy's loops to all others."""

    def __init__(self, world: World, former: events.AbstractEventLoopPolicy) -> None:
        self._world = world
        self._former = former
        self._loops = threading.local()

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop(self._world) if current_world() is self._world else self._former.new_event_loop()

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        if current_world() is not self._world:
            return self._former.get_event_loop()
        if getattr(self._loops, "current", None) is None:
            self._loops.current = self.new_event_loop()
        return self._loops.current  # type: ignore[no-any-return]

    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if current_world() is self._world:
            self._loops.current = loop
        else:
            self._former.set_event_loop(loop)

    def get_child_watcher(self) -> Any:
        return self._former.get_child_watcher()

    def set_child_watcher(self, watcher: Any) -> None:
        self._former.set_child_watcher(watcher)
