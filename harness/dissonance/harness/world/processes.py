"""Child processes: they run in real time, whatever the clock says."""

from __future__ import annotations

import multiprocessing.util
import os
import subprocess
from collections.abc import Callable
from typing import Any

from .patches import Patches
from .strand import current_world, stepping_out

__all__ = ["install_processes"]

_real_init = subprocess.Popen.__init__
_real_wait = subprocess.Popen._wait  # type: ignore[attr-defined]
_STARTERS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")


def _init(process: subprocess.Popen[Any], args: Any, *rest: Any, **options: Any) -> None:
    command = args if isinstance(args, str | bytes | os.PathLike) else next(iter(args), "")
    _note(os.fsdecode(command))
    _real_init(process, args, *rest, **options)


def _wait(process: subprocess.Popen[Any], timeout: float | None) -> int:
    with stepping_out():  # with a timeout it polls, and would sleep through years of virtual time
        return _real_wait(process, timeout)  # type: ignore[no-any-return]


def _note(what: str) -> None:
    world = current_world()
    if world is not None:
        world.escape(f"child process {what!r}")


def _noting(name: str, start: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        _note(name)
        return start(*args, **options)

    return noted


def install_processes(patches: Patches) -> None:
    """Note each child process as an escape, and wait for one of ``subprocess`` in real time."""
    patches.set(subprocess.Popen, "__init__", _init)
    patches.set(subprocess.Popen, "_wait", _wait)
    for name in _STARTERS:
        if hasattr(os, name):
            patches.set(os, name, _noting(f"os.{name}", getattr(os, name)))
    spawn = multiprocessing.util.spawnv_passfds
    patches.set(multiprocessing.util, "spawnv_passfds", _noting("multiprocessing", spawn))
