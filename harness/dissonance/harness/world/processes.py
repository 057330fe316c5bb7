"""Child processes: they run in real time, whatever the clock says, and are killed where the harness ends the run."""

from __future__ import annotations

import contextlib
import multiprocessing.util
import os
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .patches import Patches
from .strand import current_world, stepping_out

if TYPE_CHECKING:
    from .kernel import World

__all__ = ["install_processes", "kill_children"]

_real_init = subprocess.Popen.__init__
_real_wait = subprocess.Popen._wait  # type: ignore[attr-defined]
_SERVERS = ("resource_tracker", "multiprocessing.forkserver")
"""What multiprocessing starts once for all that is to come."""

_DEATH_SECONDS = 1.0
_STARTERS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")


def _init(process: subprocess.Popen[Any], args: Any, *rest: Any, **options: Any) -> None:
    command = args if isinstance(args, str | bytes | os.PathLike) else next(iter(args), "")
    name = os.fsdecode(command)
    _note(name)
    _real_init(process, args, *rest, **options)
    _count(process.pid, name, process)


def _wait(process: subprocess.Popen[Any], timeout: float | None) -> int:
    with stepping_out():  # with a timeout it polls, and would sleep through years of virtual time
        return _real_wait(process, timeout)  # type: ignore[no-any-return]


def _note(what: str) -> None:
    world = current_world()
    if world is not None:
        world.escape(f"child process {what!r}")


def _count(child: int, name: str, process: subprocess.Popen[Any] | None = None) -> None:
    world = current_world()
    if world is not None and child:
        world.children[child] = (name, process)


def _noting(name: str, start: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        _note(name)
        started = start(*args, **options)
        if name != "os.system" and not any(server in repr(args) for server in _SERVERS):
            _count(started[0] if isinstance(started, tuple) else started, name)
        return started

    return noted


def kill_children(world: World) -> list[str]:
    """Kill what was started in this world and still runs; what there was."""
    killed = []
    for child, (name, process) in world.children.items():
        if _runs(child):
            os.kill(child, signal.SIGKILL)
            killed.append(f"child process {name!r}, which was killed")
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_DEATH_SECONDS)
    return killed


def _runs(child: int) -> bool:
    """Whether it is there; it is left to whoever waits for it."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def install_processes(patches: Patches) -> None:
    """Note each child process as an escape, and wait for one of ``subprocess`` in real time."""
    patches.set(subprocess.Popen, "__init__", _init)
    patches.set(subprocess.Popen, "_wait", _wait)
    for name in _STARTERS:
        if hasattr(os, name):
            patches.set(os, name, _noting(f"os.{name}", getattr(os, name)))
    spawn = multiprocessing.util.spawnv_passfds
    patches.set(multiprocessing.util, "spawnv_passfds", _noting("multiprocessing", spawn))
