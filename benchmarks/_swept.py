"""The process that ``benchmarks.sweeps`` measures: ``python -m benchmarks._swept RUNS JOBS``; prints a JSON object.

::

    {"wall": seconds, "parent": {"cpu": seconds, "peak": megabytes}, "workers": {"cpu": of all, "peak": of the largest}}

A first sweep starts the workers; what is measured is a second one. With one job the work is the parent's own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anthropic import AsyncAnthropic

from dissonance.harness import Scripted, run
from dissonance.harness.direct import DirectAnthropic
from dissonance.harness.sweep import Case, sweep

_DIRECT = DirectAnthropic()
_OK = Scripted("All is well.")


async def _ask(client: AsyncAnthropic, task: str) -> None:
    said: Any = [{"role": "user", "content": task}]
    await client.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=said)


def one_call(case: Case) -> dict[str, Any]:
    """A run of one call, and who made it at what cost so far."""
    made = run(partial(_ask, _DIRECT), "Say it.", model=_OK, seed=case.seed, store=None)
    assert made.calls == 1, made.error_text
    return {"worker": os.getpid(), "cpu": time.process_time(), "peak": _peak()}


def measured(runs: int, jobs: int) -> dict[str, Any]:
    """A sweep of so many runs."""
    with TemporaryDirectory() as folder:
        sweep(one_call, {}, seeds=50, folder=Path(folder, "first"), jobs=jobs)
        began, cpu = time.perf_counter(), time.process_time()
        swept = sweep(one_call, {}, seeds=runs, folder=Path(folder, "second"), jobs=jobs)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        table = swept.table()
    spent = table.groupby("worker")["cpu"]
    return {
        "wall": wall,
        "parent": {"cpu": cpu, "peak": _peak()},
        "workers": {"cpu": float((spent.max() - spent.min()).sum()), "peak": float(table["peak"].max())},
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    from benchmarks._swept import measured  # workers find its functions there, and not in this module

    print(json.dumps(measured(int(sys.argv[1]), int(sys.argv[2]))))
