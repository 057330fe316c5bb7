"""One clock and one baton: the scheduler of the virtual world.

A *strand* is a line of execution inside the world: the thread that entered it, or a thread that
was started within. Real OS threads, but exactly one strand runs at any moment: it runs until it
parks (sleeps, waits for a lock, a queue, a future, or sits in an event loop's ``select``), and
then hands the baton to the next ready one. When none is ready, the clock jumps to the earliest
deadline; with no deadline either, nobody can ever run again, and the world ends with a report of
who waits for what. So time passes only where something waits for it, and the order of events is
the same in each run.

A strand that blocks where the world cannot see it (in C) would keep the baton for ever: the
watchdog takes it away, and the strand is *outside* until it next enters the world. While somebody
is outside, or a loop watches real files, the clock keeps step with real time.

Time is kept in whole nanoseconds: floating-point sums would make equal moments differ.
``guard`` is held by whoever changes who has the baton, for microseconds; never while waiting.
"""

from __future__ import annotations

import _thread
import contextlib
import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

from dissonance.harness.errors import RunStopped

from .insist import insist
from .outside import Outside
from .patches import Patches
from .strand import NANOSECONDS, Strand, become, current_strand, to_ticks

__all__ = ["BLOCKED_SECONDS", "CLEANUP_SECONDS", "FOREIGN_GRACE", "World"]

CLEANUP_SECONDS = 60.0
"""Virtual seconds for which the world goes on after its end, so that what is left can finish."""

FOREIGN_GRACE = 0.5
"""Real seconds to wait for a thread outside the world before a standstill is called a deadlock."""

BLOCKED_SECONDS = 2.0
"""Real seconds for which a strand may keep the baton without using the processor before it counts as blocked."""

_REAL_CHECK_EVERY = 256
_IMPATIENCE = 1.0  # real seconds that an interrupted main strand waits for its turn before it takes it

_real_monotonic = time.monotonic
_allocate_lock = _thread.allocate_lock


class World:
    """The scheduler. ``seconds`` is the cap on virtual time, ``real_seconds`` that on real time.

    ``shuffle`` seeds the order in which ready strands and tasks run (None: first come, first
    served), so that interleavings can be explored and replayed. ``escapes`` names what kept the run
    from being deterministic (see :attr:`tier`), ``abandoned`` what would not stop at its end, ``children``
    the processes that were started within, by their ids.
    ``blocked_seconds`` (real) is how long a strand may block in C before it loses the baton.
    ``patches`` are undone when it has ended. ``began`` is where its clock starts, below ``seconds``: a run's
    second process goes on in the first one's time.
    """

    def __init__(
        self,
        *,
        seconds: float = 30 * 86400.0,
        real_seconds: float | None = None,
        shuffle: int | None = None,
        blocked_seconds: float = BLOCKED_SECONDS,
        began: float = 0.0,
    ) -> None:
        self._ticks = to_ticks(began)
        self._cap = to_ticks(seconds)
        self._capped_seconds = seconds
        self._real_seconds = real_seconds
        self._real_deadline = None if real_seconds is None else _real_monotonic() + real_seconds
        self.blocked_seconds = blocked_seconds
        self.shuffle = None if shuffle is None else random.Random(shuffle)

        self.guard = _allocate_lock()  # raw locks: threading's own are virtual while the world runs
        self._in_kernel: Strand | None = None
        self._ready: deque[Strand] = deque()
        self._timers: list[tuple[int, int, Strand, int]] = []
        self._sequence = 0
        self.outside = Outside()
        self.main = Strand(self, "main")
        self.running: Strand | None = self.main
        self.strands: list[Strand] = [self.main]

        self.patches = Patches()
        self.numbers = itertools.count(1)
        self.switches = 0
        self.breaths = 0
        self.captured_threads = 0
        self.escapes: list[str] = []
        self.abandoned: list[str] = []
        self.children: dict[int, tuple[str, Any]] = {}
        self.ending: RunStopped | None = None
        self._told = False
        self.closing = False
        self.over = False

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
        until = self._ticks + to_ticks(max(0.0, seconds))
        while not self.jump(max(until, self._ticks)) and self.park(until, "sleep"):
            pass

    def jump(self, until: int) -> bool:
        """Let time pass for the strand that has the baton, if nothing else could happen before it would wake up."""
        if self._ready or until > self._cap or self.ending is not None or self.closing or not self.outside.empty:
            return False
        if (self._timers and self._timers[0][0] <= until) or self.running is not current_strand():
            return False
        self._ticks = until
        self.breathe()
        return True

    def park(self, until: int | None, waits_for: Any) -> bool:
        """Hand the baton on until another strand wakes this one (True) or the clock is at ``until`` (False).

        True at once for a strand that comes from outside: while it had no baton, what it waits for may have come.
        Raises :class:`RunStopped` in the main strand when the world ends, and in any other one
        when it is being torn down.
        """
        me = self._calling_strand()
        if self._in_kernel is me:
            return False  # a finalizer that the collector ran in the midst of a switch: it cannot wait
        self._refuse_after_the_end(me)
        came_back = self._enter_kernel(me)
        try:
            if came_back:
                return True
            me.generation += 1
            me.parked, me.waits_for = True, waits_for
            if until is not None:
                self._sequence += 1
                heapq.heappush(self._timers, (until, self._sequence, me, me.generation))
            following = self._pass_on(me)
        except BaseException:
            me.parked = False
            raise
        finally:
            self._leave_kernel()
        if following is not me:
            self._await_baton(me)
        self._tell(me)
        return me.woken

    def come_in(self) -> None:
        """Wait for the baton, where the calling strand blocked outside and has lost it."""
        self._enter_kernel(self._calling_strand())
        self._leave_kernel()

    def give_way(self) -> None:
        """Let the other ready strands run first, without time passing."""
        self.breathe()
        me = self._calling_strand()
        self._refuse_after_the_end(me)
        if self._ready or self.outside.has_returned:
            self._queue_up(me)
            self._tell(me)

    def _queue_up(self, me: Strand) -> None:
        self._enter_kernel(me)
        try:
            self._ready.append(me)
            following = self._pass_on(me)
        finally:
            self._leave_kernel()
        if following is not me:
            self._await_baton(me)

    def wake(self, strand: Strand) -> None:
        """Make a parked strand ready; from a thread outside the world this is an escape."""
        if self.over:
            return
        me = current_strand()
        if me is None or me.world is not self:
            self.escape(f"foreign thread {threading.current_thread().name!r}")
            self.outside.call_in(strand)
        elif self._in_kernel is me or self.running is not me:
            self.outside.call_in(strand)
        else:
            with self.guard:
                self._make_ready(strand, woken=True)

    def breathe(self) -> None:
        """Look at the real clock now and then; end the world when its real time is up."""
        self.breaths += 1
        if self.breaths % _REAL_CHECK_EVERY == 0:
            self._check_real_time()

    def _check_real_time(self) -> None:
        if self.ending is None and self.real_time_is_up():
            from .report import describe_busy

            self.end(self.out_of_real_time(describe_busy(self)))

    def real_time_is_up(self) -> bool:
        """Whether the cap on real time has passed."""
        return self._real_deadline is not None and _real_monotonic() > self._real_deadline

    def out_of_real_time(self, where: str) -> RunStopped:
        """What ends a world whose real time is up, and where it was then."""
        return RunStopped(
            "real_seconds", f"the run took more than {self._real_seconds:g} s of real time; it was {where}"
        )

    # --- strands ----------------------------------------------------------------------------

    def enter(self) -> None:
        """Make the calling thread the main strand."""
        if current_strand() is not None:
            raise RuntimeError("this thread is in a world already")
        self.main.thread = threading.current_thread()
        become(self.main)

    def leave(self) -> None:
        """Take the calling thread out of the world; who comes back later finds it over."""
        with self.guard:
            self.over = True
            self.running = None
            late = [strand for strand in self._ready if strand is not self.main and strand.parks_left > 0]
        for strand in late + self.outside.turn_away():
            strand.doomed = True
            strand.go.release()
        become(None)

    def spawn(self, name: str) -> Strand:
        """A new strand, ready; its thread calls :meth:`attach` first and :meth:`finish` last."""
        strand = Strand(self, name)
        self._enter_kernel(self._calling_strand())
        try:
            self.captured_threads += not self.closing  # asyncio tidies up with a thread of its own
            self.strands.append(strand)
            self._ready.append(strand)
        finally:
            self._leave_kernel()
        return strand

    def attach(self, strand: Strand) -> bool:
        """The calling thread becomes ``strand`` and waits for the baton; False: the world has ended meanwhile."""
        become(strand)
        strand.go.acquire()
        return not strand.doomed

    def finish(self, strand: Strand) -> None:
        """The strand's thread is about to end: wake who joins it and hand the baton on."""
        try:
            self._enter_kernel(strand)
        except RunStopped:
            strand.done = True
            return
        try:
            strand.done = True
            self.strands.remove(strand)
            for joiner in strand.joiners:
                self._make_ready(joiner, woken=True)
            with contextlib.suppress(RunStopped):
                self._pass_on(strand)
        finally:
            self._leave_kernel()
            become(None)

    # --- the end ----------------------------------------------------------------------------

    def end(self, reason: RunStopped) -> None:
        """End the world: the main strand gets ``reason`` raised where it waits, or will wait next."""
        if self.ending is None:
            self.ending = reason
            self._limit_cleanup()
            self.outside.call_in(self.main)

    def close(self) -> None:
        """The workflow has finished: what it left behind has :data:`CLEANUP_SECONDS` to end, and then is abandoned."""
        self.closing = True
        self._limit_cleanup()

    @contextlib.contextmanager
    def cleaning_up(self) -> Iterator[None]:
        """As :meth:`close`, for a block; after it the world goes on as before, unless it has ended."""
        former = self._cap, self.main.parks_left
        self.close()
        try:
            yield
        finally:
            if self.ending is None:
                self.closing = False
                self._cap, self.main.parks_left = former

    def unwind(self) -> list[Strand]:
        """Let every strand but the main one unwind, from the main strand; returns those that would not."""
        self.close()
        if self.running is not self.main:
            self._come_back(self.main)
        stubborn = [self.main]
        while left := [strand for strand in self.strands if strand not in stubborn]:
            for strand in left:
                strand.doomed = True
            while not (left[0].done or left[0].outside) and left[0].parks_left > 0:
                self._lend_baton(left[0])
            if not left[0].done:
                stubborn.append(left[0])
        return stubborn[1:]

    def _lend_baton(self, strand: Strand) -> None:
        with self.guard:
            self._make_ready(strand, woken=True)
        self._queue_up(self.main)

    def _limit_cleanup(self) -> None:
        self._cap = self._ticks + to_ticks(CLEANUP_SECONDS)

    def _refuse_after_the_end(self, me: Strand) -> None:
        self._tell(me)
        if me is self.main and (self.ending is not None or self.closing):
            me.parks_left -= 1
            if me.parks_left <= 0:
                self._refuse(me)

    def _tell(self, me: Strand) -> None:
        """Raise what ends the world: once in the main strand, again and again in a doomed one."""
        if me.doomed:
            me.parks_left -= 1
            if me.parks_left <= 0:
                self._rest_for_ever(me)
            raise _run_is_over()
        if me is not self.main:
            return
        if self.ending is not None and not self._told:
            self._told = True
            raise self.ending
        if me.parks_left <= 0:
            self._refuse(me)

    def _refuse(self, main: Strand) -> NoReturn:
        """The main strand may not park any more; it is made to end where it will not."""
        error = self.ending or _run_is_over()
        if main.parks_left < 0:
            insist(error)
        main.parks_left -= 1
        raise error

    def _rest_for_ever(self, me: Strand) -> None:
        """A strand that does not end gives the baton away, and never gets it back."""
        self._enter_kernel(me)
        try:
            self._pass_on(me)
        finally:
            self._leave_kernel()
        while True:
            me.go.acquire()

    # --- for the watchdog, which holds the guard ----------------------------------------------

    def evict(self, blocked: float, where: str) -> None:
        """Take the baton from a strand that has blocked for so many real seconds, if another one can run."""
        culprit = self.running
        if culprit is None:
            return
        self.escape(f"thread {culprit.name!r} blocked outside the world at {where}")
        self._take_returned()
        if not self._ready:
            self._let_due_strands_run(blocked)
        if self._ready:
            self._put_outside(culprit, where)
            self._give_baton(self._take_ready())

    def _let_due_strands_run(self, blocked: float) -> None:
        due = self._first_due()
        patient = blocked < Outside.PATIENCE
        if due is None:
            if not patient and self._real_deadline is None:
                self._standstill()
        elif not patient or due - self._ticks <= to_ticks(blocked):
            self._jump(due)

    def seize(self, culprit: Strand, where: str) -> bool:
        """After the end: give a worker up that keeps the baton; the main strand goes on without it, if it can."""
        culprit.doomed = True
        self._take_returned()
        if self.main not in self._ready:
            return False
        self._put_outside(culprit, where)
        self._ready.remove(self.main)
        self._give_baton(self.main)
        return True

    def _put_outside(self, strand: Strand, where: str) -> None:
        strand.outside, strand.waits_for = True, where
        self.outside.add(strand)

    # --- the baton --------------------------------------------------------------------------

    def _calling_strand(self) -> Strand:
        me = current_strand()
        if me is None or me.world is not self:
            raise RuntimeError("a thread outside this world waits in it")
        return me

    def _enter_kernel(self, me: Strand) -> bool:
        """With the baton and the guard; returns whether it had to come back from outside for it."""
        came_back = False
        while True:
            if self.running is me:
                self.guard.acquire()
                if self.running is me:
                    self._in_kernel = me
                    return came_back
                self.guard.release()
            self._come_back(me)
            came_back = True

    def _leave_kernel(self) -> None:
        self._in_kernel = None
        self.guard.release()

    def _come_back(self, me: Strand) -> None:
        """From outside: queue up for the baton, unless the world is over."""
        if not self.over:
            self.outside.come_back(me)
            if not self.over:
                self._await_baton(me)
        if self.over:
            me.doomed = True
            raise _run_is_over()

    def _await_baton(self, me: Strand) -> None:
        try:
            me.go.acquire()
        except KeyboardInterrupt:  # Ctrl-C reaches the main strand where it waits: it needs the baton to handle it
            self.outside.call_in(me)
            while not me.go.acquire(timeout=_IMPATIENCE):
                self._take_baton_by_force(me)
            raise

    def _take_baton_by_force(self, me: Strand) -> None:
        with self.guard:
            self._take_returned()
            if me in self._ready and self.running is not None and not self.outside.listening:
                self._ready.remove(me)
                self._put_outside(self.running, "an interrupt")
                self._give_baton(me)

    def _pass_on(self, me: Strand) -> Strand:
        following = self._next()
        if following is not me:
            self._give_baton(following)
        return following

    def _give_baton(self, strand: Strand) -> None:
        self.switches += 1
        self.running = strand
        strand.go.release()

    def _make_ready(self, strand: Strand, *, woken: bool) -> None:
        if strand.claim_wake(woken):
            self._ready.append(strand)

    def _take_returned(self) -> None:
        while (entry := self.outside.returned()) is not None:
            strand, generation = entry
            if generation is None:
                strand.outside = strand.parked = False
                self.outside.discard(strand)
                if strand not in self._ready:
                    self._ready.append(strand)
            elif generation == strand.generation:
                self._make_ready(strand, woken=True)

    def _take_ready(self) -> Strand:
        if self.shuffle is not None and len(self._ready) > 1:
            self._ready.rotate(-self.shuffle.randrange(len(self._ready)))
        return self._ready.popleft()

    def _next(self) -> Strand:
        while True:
            if self.outside.has_returned:
                self._take_returned()
            if self._ready:
                return self._take_ready()
            self._idle()

    # --- nobody is ready ----------------------------------------------------------------------

    def _idle(self) -> None:
        if self.over:  # the main strand went without the baton
            raise _run_is_over()
        self.breathe()
        due = self._first_due()
        ended_without_main = self.main.outside and (self.ending is not None or self.closing)
        if ended_without_main or self.outside.expects_somebody:
            self._check_real_time()
            self._keep_step(due)
        elif due is not None:
            self._jump(due)
        else:
            self._wait_for_a_sign()

    def _first_due(self) -> int | None:
        while self._timers:
            tick, _, strand, generation = self._timers[0]
            if strand.parked and strand.generation == generation:
                return tick
            heapq.heappop(self._timers)
        return None

    def _jump(self, due: int) -> None:
        """Set the clock to the earliest deadline and make ready all that is due then."""
        if due > self._cap:
            self._time_is_up()
            return
        self._ticks = max(due, self._ticks)
        while (tick := self._first_due()) is not None and tick <= self._ticks:
            self._make_ready(heapq.heappop(self._timers)[2], woken=False)

    def _time_is_up(self) -> None:
        if self.ending is None and not self.closing:
            self.end(RunStopped("seconds", f"the run went on for more than {self._capped_seconds:g} virtual seconds"))
        else:
            self._give_up()

    def _give_up(self) -> None:
        """What is left does not end: the main strand goes on without it."""
        self.main.parks_left = 0
        self._make_ready(self.main, woken=True)

    def _keep_step(self, due: int | None) -> None:
        """Wait in real time for what is outside; the clock goes along, as far as the next deadline."""
        began = _real_monotonic()
        limit = None if due is None else (due - self._ticks) / NANOSECONDS
        for strand in self._listen(self.outside.slice(limit)):
            self._make_ready(strand, woken=True)
        self._ticks += to_ticks(_real_monotonic() - began)
        if due is not None and due <= self._ticks:
            self._ticks = due
            self._jump(due)

    def _listen(self, seconds: float) -> list[Strand]:
        self.guard.release()
        try:
            return self.outside.listen(seconds)
        finally:
            self.guard.acquire()

    def _wait_for_a_sign(self) -> None:
        """Nobody is ready and no deadline is left: only somebody outside could still wake a strand."""
        if not self.outside.empty and self._real_deadline is not None and not self.real_time_is_up():
            self._listen(Outside.SLICE)
            self._check_real_time()
        elif not (self._foreign_threads() and self._hear_within(FOREIGN_GRACE)):
            self._standstill()

    def _hear_within(self, seconds: float) -> bool:
        self._listen(seconds)
        return self.outside.has_returned

    def _foreign_threads(self) -> bool:
        inside = {strand.thread for strand in self.strands}
        return any(thread not in inside for thread in threading.enumerate())

    def _standstill(self) -> None:
        if self.ending is not None or self.closing:
            self._give_up()
        else:
            from .report import describe_deadlock

            self.end(RunStopped("deadlock", describe_deadlock(self)))


def _run_is_over() -> RunStopped:
    return RunStopped("run_ended", "the run is over")
