"""A ``queue.SimpleQueue`` whose waiting the world can see."""

from __future__ import annotations

import queue
import types
from collections import deque
from typing import Any

from .locks import VirtualLock

__all__ = ["VirtualQueue"]


class VirtualQueue:
    """``queue.SimpleQueue``. Like the one in C, ``put`` may be called by a finalizer in the midst of a ``put`` or ``get``.

    (``queue._PySimpleQueue`` may not, and takes three locks for each item.)
    """

    def __class_getitem__(cls, item: Any) -> types.GenericAlias:
        return types.GenericAlias(cls, item)

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters: deque[VirtualLock] = deque()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Append an item; never blocks."""
        self._items.append(item)
        if self._waiters:
            self._waiters.popleft().release()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item; wait for one for at most ``timeout`` (virtual) seconds, else ``queue.Empty``."""
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        while not self._items:
            if not block or not self._wait(-1 if timeout is None else timeout):
                if self._items:
                    break
                raise queue.Empty
        return self._items.popleft()

    def _wait(self, timeout: float) -> bool:
        waiter = VirtualLock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            return bool(self._items) or waiter.acquire(True, timeout)
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def put_nowait(self, item: Any) -> None:
        """As :meth:`put`."""
        self.put(item)

    def get_nowait(self) -> Any:
        """As :meth:`get` without waiting."""
        return self.get(block=False)

    def empty(self) -> bool:
        """Whether there is nothing to get."""
        return not self._items

    def qsize(self) -> int:
        """The number of items."""
        return len(self._items)
