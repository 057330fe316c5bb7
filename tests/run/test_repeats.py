"""Workflows in tasks, pools, threads and graphs: exact makespans, and one history each time."""

from __future__ import annotations

import gc
import os
import threading

import pytest
from doubles import Says
from repeated import WORKFLOWS

from dissonance.harness import Run, run

TIMES = 1000
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


def test_nothing_is_left_of_a_run() -> None:
    """Threads and files are as many after a hundred runs of each kind as after ten."""

    def left() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/dev/fd"))

    for _ in range(10):
        played("raw_threads_with_queues"), played("run_in_executor")
    before = left()
    for _ in range(100):
        played("raw_threads_with_queues"), played("run_in_executor")
    assert left() == before
