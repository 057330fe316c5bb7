"""Child processes: they run in real time, whatever the clock says."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from .patches import Patches
from .strand import current_world, stepping_out

__all__ = ["install_processes"]

_real_init = subprocess.Popen.__init__
_real_wait = subprocess.Popen._wait  # type: ignore[attr-defined]


def _init(process: subprocess.Popen[Any], args: Any, *rest: Any, **options: Any) -> None:
    world = current_world()
    if world is not None:
        command = args if isinstance(args, str | bytes | os.PathLike) else next(iter(args), "")
        world.escape(f"child process {os.fsdecode(command)!r}")
    _real_init(process, args, *rest, **options)


def _wait(process: subprocess.Popen[Any], timeout: float | None) -> int:
    with stepping_out():  # with a timeout it polls, and would sleep through years of virtual time
        return _real_wait(process, timeout)  # type: ignore[no-any-return]


def install_processes(patches: Patches) -> None:
    """Note each child process as an escape, and wait for it in real time."""
    patches.set(subprocess.Popen, "__init__", _init)
    patches.set(subprocess.Popen, "_wait", _wait)
