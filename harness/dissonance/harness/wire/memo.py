"""A cache with a cap, for what is worth keeping but must not grow for ever."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Memo"]

_ENTRY = 100  # what an entry of a cache weighs beside its text, in characters

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """A cache that is emptied when the characters that it holds exceed its cap."""

    __slots__ = ("_cap", "_size", "data")

    def __init__(self, cap: int) -> None:
        self.data: dict[K, V] = {}
        self._cap = cap
        self._size = 0

    def keep(self, key: K, value: V, size: int) -> V:
        size += _ENTRY
        if self._size + size > self._cap:
            self.data.clear()
            self._size = 0
        self.data[key] = value
        self._size += size
        return value
