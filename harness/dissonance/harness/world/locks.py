"""The lock on which ``threading`` builds everything else, so that its waiting is virtual.

Conditions, events, semaphores, barriers, timers and queues are made of it, and with them
``concurrent.futures`` and what frameworks build on it. A lock outlives the world it was made in:
outside any world it is a plain lock.
"""

from __future__ import annotations

import _thread
from collections import deque
from types import TracebackType

from .strand import Strand, current_strand, to_ticks

__all__ = ["VirtualLock"]

_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident


class VirtualLock:
    """``threading.Lock`` whose waiting parks the strand, so that another one can release it."""

    __slots__ = ("__weakref__", "_holder", "_lock", "_waiters")

    def __init__(self) -> None:
        self._lock = _allocate_lock()
        self._waiters: deque[Strand] = deque()
        self._holder = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As ``threading.Lock.acquire``; ``timeout`` is in virtual seconds."""
        if self._lock.acquire(False):
            self._holder = _get_ident()
            return True
        if not blocking:
            return self._lock.acquire(blocking, timeout)  # refuses a timeout
        strand = current_strand()
        if strand is None:
            return self._lock.acquire(True, timeout)
        until = None if timeout < 0 else strand.world.ticks + to_ticks(timeout)
        return self._wait(strand, until)

    def _wait(self, strand: Strand, until: int | None) -> bool:
        while True:
            self._waiters.append(strand)
            try:
                if self._lock.acquire(False):  # a thread outside the world may have released it meanwhile
                    break
                woken = strand.world.park(until, self)
            finally:
                if strand in self._waiters:
                    self._waiters.remove(strand)
            if self._lock.acquire(False):
                break
            if not woken:
                return False
        self._holder = strand.ident
        return True

    def release(self) -> None:
        """As ``threading.Lock.release``."""
        self._lock.release()
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.world.wake(waiter)

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._lock.locked()

    def describe_wait(self, strand: Strand) -> str:
        """For the deadlock's report: who holds it, where that is another strand."""
        for other in strand.world.strands:
            if other.ident == self._holder and other is not strand:
                return f"a lock that thread {other.name!r} holds"
        return "a lock that it holds itself, or that nobody releases"

    def _at_fork_reinit(self) -> None:
        self._lock = _allocate_lock()
        self._waiters.clear()

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked
    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
