"""The real time that one case may take. Then its worker is killed: nothing else ends what blocks in C.

The worker's alarm clock (SIGALRM) kills it without running any Python, as the case may hold the interpreter for
ever. Before, it writes the stacks of its threads into a file of the worker's own, behind the place of the item that
it was at: so whoever misses the worker knows what of. On POSIX, and where worker and sweep share the folder;
elsewhere the death is not known for what it is.
"""

from __future__ import annotations

import _thread
import faulthandler
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dissonance.harness.errors import BadInput

__all__ = ["Patience", "Stuck"]

_PLACE = 20  # digits, which stand at the beginning of a worker's file
_STACKS = ".stacks"


@dataclass(frozen=True, slots=True)
class Stuck:
    """In the place of a result: the case did not come back. ``stacks`` says where its threads were."""

    stacks: str


@dataclass(frozen=True)
class Patience:
    """``seconds`` of real time for an item; ``folder`` is where workers note what they are at. Raises BadInput."""

    folder: Path
    seconds: float

    def __post_init__(self) -> None:
        if isinstance(self.seconds, bool) or not isinstance(self.seconds, int | float) or not 0 < self.seconds < 1e9:
            raise BadInput(f"patience={self.seconds!r}: give the real seconds that a case may take, such as 300")

    @contextmanager
    def over(self, place: int) -> Iterator[None]:
        """Work on the item at this place, or die; in a worker."""
        if not hasattr(signal, "setitimer"):  # Windows
            yield
            return
        os.pwrite(_notes(self.folder), b"%*d" % (_PLACE, place), 0)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def ended(self) -> dict[int, Stuck]:
        """The items over which workers were killed since the last time, by their places."""
        found = {}
        for notes in sorted(self.folder.glob(f"*{_STACKS}")):
            place, _, stacks = notes.read_text("utf-8", "replace").partition("\n")
            if stacks:
                found[int(place)] = Stuck(stacks)
            notes.unlink()
        return found


@cache
def _notes(folder: Path) -> int:
    """This worker's file, in which its alarm clock is to write."""
    folder.mkdir(parents=True, exist_ok=True)
    file, _ = tempfile.mkstemp(suffix=_STACKS, dir=folder)
    os.write(file, b" " * _PLACE + b"\n")
    faulthandler.register(signal.SIGALRM, file=file, all_threads=True, chain=True)  # and then what it does by default
    never = _thread.allocate_lock()
    never.acquire()
    _thread.start_new_thread(never.acquire, ())  # the case may block signals in its own threads, not in this one
    return file
