"""How far a long job is, on standard error: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Meter", "metering"]

FIRST_LINE = 2.0
"""Seconds after which a job that is still going says so where there is no terminal."""

NEXT_LINE = 10.0
"""Seconds between such lines."""


class Meter(Protocol):
    """Told how far a job is; prints what else is to be said meanwhile."""

    def at(self, done: int, total: int, what: str = "") -> None:
        """So much is done; ``what`` comes next."""

    def say(self, line: str) -> None:
        """A line of something else, as of what a workflow prints."""


class _Bar:
    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None)

    def at(self, done: int, total: int, what: str = "") -> None:
        if what:
            self._progress.update(self._task, description=what)
        self._progress.update(self._task, completed=done, total=total)

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Lines:
    def __init__(self, stream: TextIO, what: str, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._what = what
        self._clock = clock
        self._began = clock()
        self._due = self._began + FIRST_LINE
        self._before: int | None = None
        """What an earlier call of this job had done: all that the first tick counts, but one."""

    def at(self, done: int, total: int, what: str = "") -> None:
        self._what = what or self._what
        if self._before is None:
            self._before = max(0, done - 1)
        now = self._clock()
        if now < self._due or not self._before < done < total:
            return
        self._due = now + NEXT_LINE
        left = (now - self._began) / (done - self._before) * (total - done)
        self.say(f"{self._what}: {done} of {total}, about {left:.0f} s left")

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class _Quiet:
    def at(self, done: int, total: int, what: str = "") -> None:
        pass

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def metering(
    what: str, *, quiet: bool = False, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Meter]:
    """A meter for one job. ``quiet`` shows no progress; what is said is printed all the same."""
    target = sys.stderr if stream is None else stream
    if quiet:
        yield _Quiet()
    elif target.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=Console(file=target), transient=True) as progress:
            yield _Bar(progress, what)
    else:
        yield _Lines(target, what, clock)
