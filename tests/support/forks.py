"""Children forked from this process, with all modules loaded: milliseconds to start, and they can be killed."""

from __future__ import annotations

import os
import resource
import select
import signal
import traceback
from collections.abc import Callable
from functools import partial

__all__ = ["fork", "joined", "killed", "on_a_disk_of"]


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
    reads, writes = os.pipe()
    pid = fork(partial(child, writes))
    os.close(writes)
    os.read(reads, 1)
    select.select([reads], [], [], seconds)  # its end closes the pipe
    os.kill(pid, signal.SIGKILL)
    os.close(reads)
    code = joined(pid)
    assert code in (0, -signal.SIGKILL), "the child failed by itself"
    return code != 0
