"""A set in the order of insertion, for where asyncio iterates a set of things that hash by address.

``asyncio.as_completed`` makes its tasks by iterating ``set(coroutines)``, so their order, and with it
all that follows, would differ from run to run.
"""

from __future__ import annotations

from asyncio import tasks
from collections.abc import Iterable, Iterator
from typing import Any

from .patches import Patches

__all__ = ["OrderedSet", "install_order"]


class OrderedSet(set[Any]):
    """A set that iterates in the order in which its elements were first put in.

    >>> list(OrderedSet("world"))
    ['w', 'o', 'r', 'l', 'd']
    """

    def __init__(self, elements: Iterable[Any] = ()) -> None:
        self._order = dict.fromkeys(elements)
        super().__init__(self._order)

    def add(self, element: Any) -> None:
        self._order.setdefault(element)
        super().add(element)

    def __iter__(self) -> Iterator[Any]:
        return iter([element for element in self._order if element in self])


def install_order(patches: Patches) -> None:
    """Make the sets that ``asyncio.wait`` and ``asyncio.as_completed`` build ordered ones."""
    patches.set(tasks, "set", OrderedSet)
