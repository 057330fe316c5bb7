"""The parent's end of the process in which the user's workflow runs: asks it, waits, and kills it when it must."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

from dissonance.harness.errors import BadInput, DissonanceError

from .proof import hashing

__all__ = ["Gone", "HarnessBroke", "Unanswered", "Worker"]

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)')
_TAIL = 200
"""Lines of the child's standard error that are kept."""

_DUMPED_EARLY = 3.0  # seconds; the child counts from when it has started, which takes one or two
"""Seconds before it would be killed, at which a child says where its threads are."""


class Gone(Exception):
    """The child is no more. ``killed``: it did not answer in time; otherwise it ended by itself."""

    def __init__(self, reason: str, *, killed: bool) -> None:
        super().__init__(reason)
        self.killed = killed


class HarnessBroke(DissonanceError):
    """The child failed outside the workflow; the message is its traceback."""


class Unanswered(DissonanceError):
    """The model had no reply to what the workflow asked; the message says to what."""


class Worker:
    """A child process that answers requests one at a time; a context manager that leaves none behind.

    ``tell`` gets each line that the workflow prints.
    """

    def __init__(self, tell: Callable[[str], None], hash_seed: str | None = None) -> None:
        self._tell = tell
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dissonance.cli.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=hashing(hash_seed),
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._pumps = [
            _started(self._pump_answers, self._process.stdout),
            _started(self._pump_printed, self._process.stderr),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ask(
        self, request: dict[str, Any], seconds: float, progress: Callable[[int, int, str], None] | None = None
    ) -> dict[str, Any]:
        """The answer to a request. ``progress`` gets what a search says of itself before.

        :raises BadInput: the child found the request unusable.
        :raises Unanswered: a recorded or scripted model had no reply.
        :raises Gone: there is no answer, and no progress, within these real seconds (the child is killed),
            or the child died.
        """
        self._send({**request, "stack_after": max(seconds - _DUMPED_EARLY, seconds / 2)})
        while "progress" in (answer := self._line(seconds)):
            if progress is not None:
                progress(*answer["progress"])
        if "bad_input" in answer:
            raise BadInput(answer["bad_input"])
        if "unanswered" in answer:
            raise Unanswered(answer["unanswered"])
        if "broken" in answer:
            raise HarnessBroke(answer["broken"])
        return answer

    def _line(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.kill()
            raise Gone(f"it did not come back within {seconds:.0f} s{self._place()}", killed=True) from None
        if not line:
            self.kill()
            raise Gone(f"the workflow ended its process ({_ending(self._process.returncode)})", killed=False)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End the child and all that it has started, at once."""
        if self._ended:
            return
        self._ended = True
        _kill_group(self._process)
        self._process.wait()
        for pump in self._pumps:
            pump.join(timeout=1)  # a grandchild that left the group may hold the pipe
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close(pipe)

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it is dead, which the answer will tell
            pass

    def _place(self) -> str:
        """Where the workflow was, from the stacks that a child prints before it is killed."""
        frames = [match for line in self._tail if (match := _FRAME.search(line))]
        here = str(Path.cwd())
        own = [
            frame for frame in frames if frame["file"].startswith(here) and "dissonance/harness" not in frame["file"]
        ]
        for frame in own or frames:
            return f"; it was at {Path(frame['file']).name}:{frame['line']} in {frame['name']}"
        return ""

    def _pump_answers(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._answers.put(line)
        self._answers.put(b"")

    def _pump_printed(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self._tail.append(text)
            self._tell(text)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it is gone, or about to be
        process.kill()


def _started(pump: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=pump, args=(pipe,), daemon=True)
    thread.start()
    return thread


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:  # what was still to be written has nobody to read it
        pass


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
