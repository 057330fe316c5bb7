"""Names that modules bound to what a world replaces, by ``from time import sleep`` or ``from threading import Lock``.

Replacing ``time.sleep`` leaves them as they are; so they are found and replaced as well. What is
out of reach are default arguments, class attributes, and copies in containers.

The standard library keeps its own: ``subprocess`` and others measure with them what really happens.
So do pytest and its kin, which run outside the world anyway.
"""

from __future__ import annotations

import _thread
import queue
import sys
import threading
import time
from types import ModuleType
from typing import Any

__all__ = ["look_around", "names_of"]

_OWN = sys.stdlib_module_names | {"_pytest", "pytest", "coverage", "hypothesis", "xdist", "execnet"}
_CLOCKS = ("sleep", "time", "monotonic", "perf_counter", "gmtime", "localtime", "ctime", "strftime", "asctime")
_WANTED = {
    id(value): value
    for value in (
        *(getattr(time, name) for name in _CLOCKS),
        *(getattr(time, f"{name}_ns") for name in ("time", "monotonic", "perf_counter")),
        threading.Lock,
        _thread.allocate_lock,
        _thread.start_new_thread,
        queue.SimpleQueue,
    )
}
_seen: dict[str, object] = {}
_found: dict[int, list[tuple[ModuleType, str]]] = {}


def names_of(function: Any) -> list[tuple[ModuleType, str]]:
    """Each module and global name that is bound to one of the functions, as of the last :func:`look_around`."""
    known = _found.get(id(function), [])
    return [(module, name) for module, name in known if vars(module).get(name) is function]


def look_around() -> None:
    """Look at the modules that were imported since the last time; and once more at the script, which may go on."""
    global _seen
    if sys.modules != _seen:  # thousands are compared at the cost of hundreds in the loop
        former, _seen = _seen, dict(sys.modules)
        for name, module in _seen.items():
            if former.get(name) is not module and isinstance(module, ModuleType) and not _keeps_its_own(name):
                _look_at(module)
    _look_at(sys.modules["__main__"])


def _keeps_its_own(name: str) -> bool:
    top = name.partition(".")[0]
    return top in _OWN or name.startswith(__package__)


def _look_at(module: ModuleType) -> None:
    for name, value in list(vars(module).items()):
        if id(value) in _WANTED:
            places = _found.setdefault(id(value), [])
            if (module, name) not in places:
                places.append((module, name))
