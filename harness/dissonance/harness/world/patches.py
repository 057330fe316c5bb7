"""Replaced attributes of other modules, put back in reverse order whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import Any

__all__ = ["Patches"]

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

    def set(self, target: Any, name: str, value: Any) -> None:
        """Replace ``target.name``."""
        self._undo.append((target, name, vars(target).get(name, _MISSING)))
        setattr(target, name, value)

    def __enter__(self) -> Patches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._undo:
            target, name, former = self._undo.pop()
            if former is _MISSING:
                delattr(target, name)
            else:
                setattr(target, name, former)
