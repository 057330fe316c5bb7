"""Who is outside the world, and how they come back: blocked strands, foreign threads, real files.

Everything here may be called from any thread without the world's guard; the deque and the bell
are atomic. The bell is a raw lock that is rung by releasing it.
"""

from __future__ import annotations

import _thread
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import ClassVar

from .strand import Strand

__all__ = ["Outside"]

_real_monotonic = time.monotonic


class Outside:
    """The door of a world: who is expected, who has come back."""

    PATIENCE: ClassVar[float] = 5.0
    """Real seconds for which the clock keeps step with real time for one that is outside; then it jumps again."""

    SLICE: ClassVar[float] = 0.05
    _FILE_SLICE: ClassVar[float] = 0.001

    def __init__(self) -> None:
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self._returned: deque[tuple[Strand, int | None]] = deque()
        self._expected: dict[Hashable, float] = {}
        self._files: dict[Strand, Callable[[], bool]] = {}
        self.listening = False

    # --- who is expected --------------------------------------------------------------------

    def add(self, what: Hashable) -> None:
        """Expect a strand, or a future that a foreign thread will complete."""
        self._expected[what] = _real_monotonic() + self.PATIENCE

    def discard(self, what: Hashable) -> None:
        """It has come, or will not come any more."""
        self._expected.pop(what, None)

    def arrived(self, what: Hashable) -> None:
        """It has come; look who is ready now."""
        self.discard(what)
        self._ring()

    def watch_files(self, strand: Strand, ready: Callable[[], bool]) -> None:
        """``strand`` parks, and is to run again when ``ready()`` says that a file of its loop is."""
        self._files[strand] = ready

    def forget_files(self, strand: Strand) -> None:
        """``strand`` runs again."""
        self._files.pop(strand, None)

    @property
    def empty(self) -> bool:
        """Whether nobody is outside, has come back, or may come by a file."""
        return not (self._expected or self._returned or self._files)

    @property
    def expects_somebody(self) -> bool:
        """Whether the clock has to keep step with real time."""
        if self._files:
            return True
        return bool(self._expected) and _real_monotonic() < max(self._expected.values())

    # --- who has come back --------------------------------------------------------------------

    def call_in(self, strand: Strand) -> None:
        """Somebody without the baton wants a parked strand to be woken."""
        self._returned.append((strand, strand.generation))
        self._ring()

    def come_back(self, strand: Strand) -> None:
        """A strand that was outside wants the baton."""
        self._returned.append((strand, None))
        self._ring()

    @property
    def has_returned(self) -> bool:
        """Whether :meth:`returned` has somebody."""
        return bool(self._returned)

    def returned(self) -> tuple[Strand, int | None] | None:
        """The next one: a strand that came back (None), or one to wake if it still waits as in that generation."""
        return self._returned.popleft() if self._returned else None

    def turn_away(self) -> list[Strand]:
        """The world is over: the strands that came back and now wait for its baton in vain."""
        return [strand for strand, generation in iter(self.returned, None) if generation is None]

    # --- waiting in real time -----------------------------------------------------------------

    def slice(self, limit: float | None) -> float:
        """Real seconds to listen at a stretch, at most ``limit``."""
        most = self._FILE_SLICE if self._files else self.SLICE
        return max(0.0005, min(most, math.inf if limit is None else limit))

    def listen(self, seconds: float) -> list[Strand]:
        """Wait for the bell for at most so many real seconds; returns the strands whose files are ready."""
        self.listening = True
        try:
            self._bell.acquire(timeout=seconds)
        finally:
            self.listening = False
        return [strand for strand, ready in list(self._files.items()) if ready()]

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has rung already
            self._bell.release()
