"""Replaced attributes of other modules, put back in reverse order whatever happens."""

from __future__ import annotations

import _thread
import ctypes
import gc
from collections.abc import Callable
from types import TracebackType
from typing import Any

from . import bound

__all__ = ["Patches", "Standing"]

_MISSING = object()


class Patches:
    """A context manager that undoes every :meth:`set` on the way out.

    >>> import math
    >>> with Patches() as patches:
    ...     patches.set(math, "tau", 6)
    ...     math.tau
    6
    >>> round(math.tau, 3)
    6.283
    """

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []
        self._in_c: list[tuple[type, str, Any]] = []

    def set(self, target: Any, name: str, value: Any) -> None:
        """Replace ``target.name``."""
        self._undo.append((target, name, vars(target).get(name, _MISSING)))
        setattr(target, name, value)

    def replace(self, target: Any, name: str, value: Any) -> None:
        """Replace ``target.name``, and the names that other modules bound to it by ``from … import``."""
        former = vars(target)[name]
        self.set(target, name, value)
        for module, bound_name in bound.names_of(former):
            self.set(module, bound_name, value)

    def set_in_c(self, target: type, name: str, value: Any) -> None:
        """Replace an attribute of a class that is written in C, which ``setattr`` refuses."""
        self._in_c.append((target, name, vars(target)[name]))
        _write_in_c(target, name, value)

    def __enter__(self) -> Patches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    def undo(self) -> None:
        """Put everything back."""
        while self._in_c:
            _write_in_c(*self._in_c.pop())
        while self._undo:
            target, name, former = self._undo.pop()
            if former is _MISSING:
                delattr(target, name)
            else:
                setattr(target, name, former)


class Standing:
    """Patches that ``install`` sets when the first holder comes, and that are undone when the last one goes.

    A holder is a ``with`` block, in any thread; whoever comes while they stand finds them and pays nothing. So they must
    be the same for everybody: what they do is decided where they are called.
    """

    def __init__(self, install: Callable[[Patches], None]) -> None:
        self._install = install
        self._turn = _thread.allocate_lock()
        self._holders = 0
        self._patches = Patches()

    def __enter__(self) -> None:
        with self._turn:
            if not self._holders:
                try:
                    self._install(self._patches)
                except BaseException:
                    self._patches.undo()
                    raise
            self._holders += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._holders -= 1
            if not self._holders:
                self._patches.undo()


def _write_in_c(target: type, name: str, value: Any) -> None:
    (attributes,) = gc.get_referents(vars(target))  # the dictionary behind the read-only view
    attributes[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(target))
