"""A real ``kill -9``: work in a forked child that is killed at a chosen instant, so that durable state can be looked at.

::

    for instant in range(0, instants(work), 17):
        prepare()
        kill_at(instant, work)
        resume()
        assert ...

A child is forked from this process, with all that is imported: milliseconds. Instants are counted in
function calls, Python's and C's, so that the same number hits the same place each time, between two statements or within
a commit. POSIX only, and from a process without other threads: locks that they hold would stay locked.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from .errors import BadInput

__all__ = ["instants", "kill_at", "kill_at_record"]


def instants(work: Callable[[], object]) -> int:
    """How many instants there are in ``work``, which is done once, to its end, in a child.

    :raises RuntimeError: the work raised; its traceback is in the message.
    """
    found = _in_child(lambda: _counted(work))
    assert isinstance(found, int)
    return found


def kill_at(instant: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a child that is killed (SIGKILL) at this instant, from 0; whether it was: False where it ended first.

    :raises BadInput: the instant is negative.
    :raises RuntimeError: the work raised before; its traceback is in the message.
    """
    if isinstance(instant, bool) or not isinstance(instant, int) or instant < 0:
        raise BadInput(f"kill_at(instant={instant!r}): give a whole number, 0 or more; instants(work) says how many")
    return _in_child(lambda: _killed_after(instant, work)) is None


def kill_at_record(kind: str, nth: int, work: Callable[[], object]) -> bool:
    """As :func:`kill_at`, as the ``nth`` (from 1) record of this ``kind`` is logged on ``dissonance.patterns``:
    ``checkpoint``, ``ask``, ``answer``, ``guard``, ``action``.
    """
    if isinstance(nth, bool) or not isinstance(nth, int) or nth < 1:
        raise BadInput(f"kill_at_record(nth={nth!r}): give a whole number, 1 or more")
    return _in_child(lambda: _killed_at(kind, nth, work)) is None


# --- in the child -----------------------------------------------------------------------------


def _counted(work: Callable[[], object]) -> int:
    count = 0

    def step(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _killed_after(instant: int, work: Callable[[], object]) -> bool:
    left = instant

    def step(frame: object, event: str, argument: object) -> None:
        nonlocal left
        if event in ("call", "c_call"):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return True


def _killed_at(kind: str, nth: int, work: Callable[[], object]) -> bool:
    logger = logging.getLogger("dissonance.patterns")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Killer(kind, nth))
    work()
    return True


class _Killer(logging.Handler):
    def __init__(self, kind: str, nth: int) -> None:
        super().__init__(logging.INFO)
        self._kind = kind
        self._left = nth

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if isinstance(event, dict) and event.get("kind") == self._kind:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


# --- the child --------------------------------------------------------------------------------


def _in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` gives in a forked child; None where the child was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _report(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        return None
    if not said:
        raise RuntimeError(f"the child ended by itself, with exit code {code}")
    raised, value = pickle.loads(said)
    if raised:
        raise RuntimeError(f"the work raised in the child:\n{value}")
    return value


def _report(work: Callable[[], Any], writer: int) -> None:
    """Work, and end the child at once, without this process's clean-up."""
    try:
        said = pickle.dumps((False, work()))
    except BaseException:
        said = pickle.dumps((True, traceback.format_exc()))
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(said)
    finally:
        os._exit(0)
