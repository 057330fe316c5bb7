"""One clock and one baton: the scheduler of the virtual world.

A *strand* is a line of execution inside the world: the thread that entered it, or a thread that
was started within. Real OS threads, but exactly one strand runs at any moment: it runs until it
parks (sleeps, waits for a lock, a queue, a future, or sits in an event loop's ``select``), and
then hands the baton to the next ready one. When none is ready, the clock jumps to the earliest
deadline; with no deadline either, nobody can ever run again, and the world ends with a report of
who waits for what. So time passes only where something waits for it, and the order of events is
the same in each run.

Time is kept in whole nanoseconds: floating-point sums would make equal moments differ.
"""

from __future__ import annotations

import _thread
import contextlib
import heapq
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import RunStopped

__all__ = ["CLEANUP_PARKS", "FOREIGN_GRACE", "NANOSECONDS", "Strand", "World", "current_strand", "current_world", "to_ticks"]

NANOSECONDS = 1_000_000_000
CLEANUP_PARKS = 1000
"""How often a strand may park after the world has ended, so that ``finally`` blocks can finish."""

FOREIGN_GRACE = 0.5
"""Real seconds to wait for a thread outside the world before a standstill is called a deadlock."""

_REAL_CHECK_EVERY = 256

_real_monotonic = time.monotonic
_allocate_lock = _thread.allocate_lock
_local = threading.local()


def to_ticks(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * NANOSECONDS)


def current_strand() -> Strand | None:
    """The strand that the calling thread is, or None outside any world."""
    return getattr(_local, "strand", None)


def current_world() -> World | None:
    """The world that the calling thread is in, or None."""
    strand = current_strand()
    return None if strand is None else strand.world


@dataclass(eq=False, slots=True)
class Strand:
    """A line of execution: its thread waits on ``go`` whenever another strand has the baton.

    ``waits_for`` says on what a parked strand waits: a text, or an object that describes itself
    by ``describe_wait()``. A ``doomed`` one is being unwound; a ``lost`` one has not come back.
    """

    world: World
    name: str
    go: Any = field(default_factory=_allocate_lock)
    generation: int = 0
    parked: bool = False
    woken: bool = False
    done: bool = False
    doomed: bool = False
    lost: bool = False
    parks_left: int = CLEANUP_PARKS
    waits_for: Any = ""
    joiners: list[Strand] = field(default_factory=list)
    thread: threading.Thread | None = None
    ident: int = 0

    def __post_init__(self) -> None:
        self.go.acquire()


class World:
    """The scheduler. ``seconds`` is the cap on virtual time, ``real_seconds`` that on real time.

    ``shuffle`` seeds the order in which ready strands and tasks run (None: first come, first
    served), so that interleavings can be explored and replayed. ``escapes`` names what kept the run
    from being deterministic (see :attr:`tier`), ``abandoned`` what would not stop at its end.
    """

    def __init__(
        self, *, seconds: float = 30 * 86400.0, real_seconds: float | None = None, shuffle: int | None = None
    ) -> None:
        self._ticks = 0
        self._cap = to_ticks(seconds)
        self._real_deadline = None if real_seconds is None else _real_monotonic() + real_seconds
        self._real_seconds = real_seconds
        self._ready: deque[Strand] = deque()
        self._timers: list[tuple[int, int, Strand, int]] = []
        self._sequence = 0
        self._breaths = 0
        self._injected: deque[Strand] = deque()
        self._bell = _allocate_lock()  # a raw lock: threading's own are virtual while the world runs
        self._bell.acquire()
        self.switches = 0
        self.abandoned: list[str] = []
        self.main = Strand(self, "main")
        self.running = self.main
        self.strands: list[Strand] = [self.main]
        self.shuffle = None if shuffle is None else random.Random(shuffle)
        self.ending: RunStopped | None = None
        self.captured_threads = 0
        self.escapes: list[str] = []

    # --- the clock --------------------------------------------------------------------------

    @property
    def ticks(self) -> int:
        """Virtual nanoseconds since the world began."""
        return self._ticks

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return self._ticks / NANOSECONDS

    @property
    def tier(self) -> Literal["T1", "T2", "T3"]:
        """T1: one strand. T2: captured threads. T3: something escaped (``escapes`` names it)."""
        if self.escapes:
            return "T3"
        return "T2" if self.captured_threads else "T1"

    def escape(self, what: str) -> None:
        """Note what the world could not control; each culprit once."""
        if what not in self.escapes:
            self.escapes.append(what)

    # --- waiting ----------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let the calling strand sleep for virtual seconds."""
        self.park(self._ticks + to_ticks(max(0.0, seconds)), "sleep")

    def park(self, until: int | None, waits_for: Any) -> bool:
        """Hand the baton on until another strand wakes this one (True) or the clock is at ``until`` (False).

        Raises :class:`RunStopped` in the main strand when the world ends, and in any other one
        when it is being torn down.
        """
        me = current_strand()
        if me is None or me.world is not self:
            raise RuntimeError("park() was called from a thread outside this world")
        self._refuse_after_the_end(me)
        me.generation += 1
        me.woken, me.parked, me.waits_for = False, True, waits_for
        if until is not None:
            self._sequence += 1
            heapq.heappush(self._timers, (until, self._sequence, me, me.generation))
        self._hand_over(me)
        self._refuse_after_the_end(me)
        return me.woken

    def wake(self, strand: Strand) -> None:
        """Make a parked strand ready; from a thread outside the world this is an escape."""
        if current_strand() is None:
            self.escape(f"foreign thread {threading.current_thread().name!r}")
            self._injected.append(strand)
            with contextlib.suppress(RuntimeError):  # it has rung already
                self._bell.release()
        else:
            self._make_ready(strand, woken=True)

    def give_way(self) -> None:
        """Let the other ready strands run first, without time passing."""
        self.breathe()
        me = current_strand()
        if me is None:
            return
        self._refuse_after_the_end(me)
        if self._ready or self._injected:
            self._ready.append(me)
            self._hand_over(me)
            self._refuse_after_the_end(me)

    def breathe(self) -> None:
        """Look at the real clock now and then; end the world when its real time is up."""
        self._breaths += 1
        if self._breaths % _REAL_CHECK_EVERY == 0 and self.real_time_is_up() and self.ending is None:
            self.end(RunStopped("real_seconds", f"the run took more than {self._real_seconds} s of real time"))

    def real_time_is_up(self) -> bool:
        """Whether the cap on real time has passed."""
        return self._real_deadline is not None and _real_monotonic() > self._real_deadline

    # --- strands ----------------------------------------------------------------------------

    def enter(self) -> None:
        """Make the calling thread the main strand."""
        if current_strand() is not None:
            raise RuntimeError("this thread is in a world already")
        self.main.ident = _thread.get_ident()
        _local.strand = self.main

    def leave(self) -> None:
        """Take the calling thread out of the world."""
        _local.strand = None

    def spawn(self, name: str) -> Strand:
        """A new strand, ready; its thread calls :meth:`attach` first and :meth:`finish` last."""
        strand = Strand(self, name)
        self.captured_threads += 1
        self.strands.append(strand)
        self._ready.append(strand)
        return strand

    def attach(self, strand: Strand) -> None:
        """The calling thread becomes ``strand`` and waits for the baton."""
        _local.strand = strand
        strand.ident = _thread.get_ident()
        strand.go.acquire()

    def finish(self, strand: Strand) -> None:
        """The strand's thread is about to end: wake who joins it and hand the baton on."""
        strand.done = True
        if strand in self.strands:
            self.strands.remove(strand)
        for joiner in strand.joiners:
            self._make_ready(joiner, woken=True)
        if strand.lost:
            return
        following = self._next()
        _local.strand = None
        self._give_baton(following)

    def end(self, reason: RunStopped) -> None:
        """End the world: the main strand gets ``reason`` raised where it waits."""
        if self.ending is None:
            self.ending = reason
            self._make_ready(self.main, woken=True)

    def unwind(self) -> list[str]:
        """Let every strand but the main one unwind, from the main strand; the names of those that would not."""
        stubborn = []
        for strand in [s for s in self.strands if s is not self.main]:
            strand.doomed = True
            while not strand.done and strand.parks_left > 0:
                self._make_ready(strand, woken=True)
                self._ready.append(self.main)
                self._hand_over(self.main)
            if not strand.done:
                stubborn.append(strand.name)
        return stubborn

    def seize(self, reason: RunStopped) -> None:
        """End the world from outside it, when its running strand does not come back.

        Called by the watchdog, in its own thread. A worker that holds the baton is given up: the
        main strand goes on without it, and the worker is stopped where it next enters the world.
        """
        if self.ending is None:
            self.ending = reason
        culprit = self.running
        if culprit is not self.main:
            culprit.lost = culprit.doomed = True
            self.abandoned.append(f"thread {culprit.name!r}")
            if culprit in self.strands:
                self.strands.remove(culprit)
            self.main.parked = False
            if self.main in self._ready:
                self._ready.remove(self.main)
            self._give_baton(self.main)

    def _foreign_threads(self) -> bool:
        inside = {strand.thread for strand in self.strands}
        return any(t not in inside and t is not threading.main_thread() for t in threading.enumerate())

    # --- inside -----------------------------------------------------------------------------

    def _refuse_after_the_end(self, me: Strand) -> None:
        if me.doomed:
            me.parks_left -= 1
            raise RunStopped("run_ended", "the run is over")
        if self.ending is not None and me is self.main:
            me.parks_left -= 1
            if me.parks_left == CLEANUP_PARKS - 1 or me.parks_left <= 0:
                raise self.ending

    def _make_ready(self, strand: Strand, *, woken: bool) -> None:
        if strand.parked:
            strand.parked, strand.woken = False, woken
            self._ready.append(strand)

    def _hand_over(self, me: Strand) -> None:
        following = self._next()
        if following is not me:
            self._give_baton(following)
            me.go.acquire()

    def _give_baton(self, strand: Strand) -> None:
        self.switches += 1
        self.running = strand
        strand.go.release()

    def _next(self) -> Strand:
        while True:
            while self._injected:
                self._make_ready(self._injected.popleft(), woken=True)
            if self._ready:
                return self._take_ready()
            if not self._advance():
                self._stuck()

    def _take_ready(self) -> Strand:
        if self.shuffle is not None and len(self._ready) > 1:
            self._ready.rotate(-self.shuffle.randrange(len(self._ready)))
        return self._ready.popleft()

    def _advance(self) -> bool:
        """Jump to the earliest live deadline and make ready all that is due then."""
        due: int | None = None
        while self._timers and (due is None or self._timers[0][0] <= due):
            tick, _, strand, generation = self._timers[0]
            if strand.generation != generation or not strand.parked:
                heapq.heappop(self._timers)
                continue
            if tick > self._cap and self.ending is None:
                self.end(
                    RunStopped("seconds", f"the run went on for more than {self._cap / NANOSECONDS:g} virtual seconds")
                )
                return True
            heapq.heappop(self._timers)
            due = max(tick, self._ticks)
            self._ticks = due
            self._make_ready(strand, woken=False)
        self.breathe()
        return due is not None or self.ending is not None and bool(self._ready)

    def _stuck(self) -> None:
        """Nobody is ready and no deadline is left: only a foreign thread could still wake somebody."""
        if self._foreign_threads() and self._bell.acquire(timeout=FOREIGN_GRACE):
            return
        if self.ending is None:
            from .report import describe_deadlock

            self.end(RunStopped("deadlock", describe_deadlock(self)))
        else:
            self.main.parks_left = 0
            self._make_ready(self.main, woken=True)
