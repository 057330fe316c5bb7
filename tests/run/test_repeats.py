"""Workflows in tasks, pools, threads and graphs: exact makespans, and one history each time."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import Says
from repeated import WORKFLOWS

from dissonance.harness import Run, run

TIMES = 200
"""``python -m benchmarks.repeats 10000`` makes as many as one likes."""


def played(name: str) -> Run:
    return run(WORKFLOWS[name][0], "x", model=Says(pace=None), store=None)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_branches_take_as_long_as_the_longest(name: str) -> None:
    _, seconds, tier = WORKFLOWS[name]
    done = played(name)
    assert (done.outcome, done.seconds, done.tier, done.abandoned) == ("completed", seconds, tier, ())
    assert sorted({call.agent for call in done.history.calls()}) in (["a"], ["a", "b", "c"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_run_has_the_same_history(name: str) -> None:
    first = played(name)
    for _ in range(TIMES):
        assert played(name).history == first.history


STATM = Path("/proc/self/statm")


@pytest.fixture
def untraced_threads() -> Iterator[None]:
    """Coverage keeps something of each thread that it has traced."""
    tracer = threading.gettrace()
    threading.settrace(None)
    yield
    if tracer is not None:
        threading.settrace(tracer)


def left() -> tuple[int, int, int, float]:
    """Threads, open files, objects and megabytes of memory of this process."""
    gc.collect()
    pages = int(STATM.read_text().split()[1])
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), len(gc.get_objects()), megabytes


@pytest.mark.slow
@pytest.mark.usefixtures("untraced_threads")
@pytest.mark.skipif(not STATM.exists(), reason="asks Linux what the process holds")
@pytest.mark.parametrize("name", ["pure_asyncio", "run_in_executor", "raw_threads_with_queues"])
def test_nothing_is_left_of_a_thousand_runs(name: str) -> None:
    """Threads, files and memory are after a thousand runs as after ten."""
    for _ in range(10):
        played(name)
    threads, files, objects, megabytes = left()
    for _ in range(990):
        played(name)
    after = left()
    assert after[0] <= threads and after[1] <= files  # fewer where an earlier test's have ended meanwhile
    assert after[2] - objects < 100  # one object a run would be 990
    assert after[3] - megabytes < 10  # the allocator keeps some; ten kilobytes a run would be more
