"""Children forked from this process, with all modules loaded: milliseconds to start, and they can be killed."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from functools import partial

__all__ = ["fork", "joined", "killed", "on_a_disk_of", "seconds_at_work"]


def fork(work: Callable[[], object]) -> int:
    """Run ``work`` in a child; gives its process id. The child runs no clean-up of this process's."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def joined(child: int) -> int:
    """Wait for the child: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def on_a_disk_of(size: int, work: Callable[[], object]) -> int:
    """The exit code of a child whose files may have so many bytes, as though the disk were full then."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        work()

    return joined(fork(limited))


def killed(child: Callable[[int], object], seconds: float) -> bool:
    """Kill the child so long after it says that it has started; whether it was still at work.

    It says so by writing a byte to the file descriptor that it is given.
    """
    pid, says = _started(child)
    select.select([says], [], [], seconds)  # its end closes the pipe
    os.kill(pid, signal.SIGKILL)
    os.close(says)
    code = joined(pid)
    assert code in (0, -signal.SIGKILL), "the child failed by itself"
    return code != 0


def seconds_at_work(child: Callable[[int], object]) -> float:
    """How long after it says that it has started the child ends, of itself."""
    pid, says = _started(child)
    began = time.perf_counter()
    os.read(says, 1)
    spent = time.perf_counter() - began
    os.close(says)
    assert joined(pid) == 0, "the child failed by itself"
    return spent


def _started(child: Callable[[int], object]) -> tuple[int, int]:
    reads, writes = os.pipe()
    pid = fork(partial(child, writes))
    os.close(writes)
    os.read(reads, 1)
    return pid, reads
