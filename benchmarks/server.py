"""The loopback server's CPU time a request, beside a bare starlette application that parses the same body.

``wrk`` sends the same request over 32 connections, again and again. So a text's tokens are counted once, as they are in
a workflow, which resends what it has sent before; a new text costs about a tenth of a microsecond a character on top.
The CPU time is that of the server's process alone, as the system counts it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .rows import Row

__all__ = ["rows"]

_TICKS = os.sysconf("SC_CLK_TCK")
_SECONDS = 2

_SCRIPT = """
local text = string.rep("ACME sold 1,200 units in May 2024; the north grew, and the south did not. ", {repeats})
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["anthropic-version"] = "2026-10-21"
wrk.headers["x-api-key"] = "benchmark"
wrk.body = '{{"model":"claude-sonnet-4-6","max_tokens":300,"stream":{stream},"system":"You are the writer.",' ..
  '"messages":[{{"role":"user","content":"' .. text .. '"}}]}}'
"""


@dataclass(frozen=True)
class _Kind:
    name: str
    target: float  # milliseconds
    repeats: int
    stream: bool


_KINDS = (
    _Kind("small JSON", 0.15, 2, False),
    _Kind("SSE", 0.40, 2, True),
    _Kind("810 kB in one message", 1.8, 10_950, False),
)


def rows(rounds: int) -> Iterator[Row]:
    """For each kind of request its CPU time, and the ratio to the bare application's."""
    if shutil.which("wrk") is None or not Path("/proc/self/stat").exists():
        return
    with _server("harness") as harness, _server("bare") as bare:
        for kind in _KINDS:
            pairs = [(_measured(harness, kind), _measured(bare, kind)) for _ in range(max(2, rounds // 3))][1:]
            mine, other = (median(side) for side in zip(*pairs, strict=True))
            detail = f"{mine:.3f} ms a request against {other:.3f} ms, {len(pairs)} rounds of {_SECONDS} s"
            yield Row(f"served: {kind.name}", kind.target, mine, "ms", detail)
            yield Row(f"served: {kind.name}, over starlette", 2.0, median(a / b for a, b in pairs), "times", detail)


def _measured(server: tuple[int, int], kind: _Kind) -> float:
    """Milliseconds of the server's CPU time a request."""
    pid, port = server
    with TemporaryDirectory() as folder:
        script = Path(folder) / "request.lua"
        script.write_text(_SCRIPT.format(repeats=kind.repeats, stream="true" if kind.stream else "false"))
        before = _cpu_seconds(pid)
        command = [
            "wrk",
            "-t1",
            "-c32",
            f"-d{_SECONDS}",
            "--timeout=30s",
            "-s",
            str(script),
            f"http://127.0.0.1:{port}/v1/messages",
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"the server did not answer as it should:\n{said}")
    requests = re.search(r"(\d+) requests in", said)
    assert requests is not None, said
    return 1000 * (_cpu_seconds(pid) - before) / int(requests[1])


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _server(which: str) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its process id and its port."""
    command = [sys.executable, "-m", "benchmarks._server", which]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()
