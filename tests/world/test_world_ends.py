"""What never stops by itself is stopped, each with the right culprit; and all is put back on the way out."""

from __future__ import annotations

import _thread
import asyncio
import datetime
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import thread as pool_module
from typing import Any

import pytest
from worlds import Played, play, succeed

from dissonance.harness import BusyError
from dissonance.harness.errors import RunStopped
from dissonance.harness.world import World, current_world, inside

REAL_SECONDS = 0.2


def reason_of(played: Played, limit: str) -> str:
    """Why it was stopped, with line numbers left out."""
    assert played.stopped[0] == limit
    return re.sub(r"\.py:\d+", ".py", played.stopped[1])


# --- deadlocks ----------------------------------------------------------------------------------


def deadlock(played: Played) -> list[str]:
    text = reason_of(played, "deadlock")
    first, *waits = text.split("; ")
    assert first == "deadlock: nothing can run and nothing is due" or first.startswith("deadlock")
    return waits


def test_two_tasks_that_wait_for_each_other() -> None:
    async def workflow() -> None:
        tasks: dict[str, asyncio.Task[None]] = {}

        async def wait_for(other: str) -> None:
            await asyncio.sleep(1)
            await tasks[other]

        for name, other in (("lead", "worker"), ("worker", "lead")):
            tasks[name] = asyncio.create_task(wait_for(other), name=name)
        await asyncio.sleep(5)
        await tasks["lead"]

    assert deadlock(play(workflow)) == [
        "task 'workflow' at test_world_ends.py in workflow waits for task 'lead'",
        "task 'lead' at test_world_ends.py in wait_for waits for task 'worker'",
        "task 'worker' at test_world_ends.py in wait_for waits for task 'lead'",
    ]


def test_two_tasks_and_their_events() -> None:
    async def workflow() -> None:
        ping, pong = asyncio.Event(), asyncio.Event()

        async def player(mine: asyncio.Event, theirs: asyncio.Event) -> None:
            await mine.wait()
            theirs.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(player(ping, pong), name="ping")
            group.create_task(player(pong, ping), name="pong")

    assert deadlock(play(workflow))[1:] == [
        "task 'ping' at test_world_ends.py in player waits for Event.wait",
        "task 'pong' at test_world_ends.py in player waits for Event.wait",
    ]


def test_two_threads_and_two_locks() -> None:
    def workflow() -> None:
        left, right = threading.Lock(), threading.Lock()

        def take(first: Any, second: Any) -> None:
            with first:
                time.sleep(1)
                with second:
                    pass

        threads = [
            threading.Thread(target=take, args=order, name=name)
            for name, order in (("anna", (left, right)), ("bert", (right, left)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert deadlock(play(workflow)) == [
        "thread 'main' waits for the end of thread 'anna' at test_world_ends.py in workflow",
        "thread 'anna' waits for a lock that thread 'bert' holds at test_world_ends.py in take",
        "thread 'bert' waits for a lock that thread 'anna' holds at test_world_ends.py in take",
    ]


def test_a_task_and_a_thread() -> None:
    async def workflow() -> None:
        answers: queue.Queue[int] = queue.Queue()

        def ask() -> int:
            return answers.get()

        answers.put(await asyncio.to_thread(ask))

    assert deadlock(play(workflow)) == [
        "task 'workflow' at test_world_ends.py in workflow waits for threads.to_thread",
        "thread 'asyncio_0' waits for Queue.get at test_world_ends.py in ask",
    ]


def test_a_thread_that_takes_its_own_lock_twice() -> None:
    def workflow() -> None:
        lock = threading.Lock()
        with lock, lock:
            pass

    assert deadlock(play(workflow)) == [
        "thread 'main' waits for a lock that it holds itself, or that nobody releases at test_world_ends.py in workflow"
    ]


def test_a_pool_too_small_for_its_own_work() -> None:
    def workflow() -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:

            def outer() -> None:
                pool.submit(int).result()

            pool.submit(outer).result()

    assert deadlock(play(workflow)) == [
        "thread 'main' waits for Future.result at test_world_ends.py in workflow",
        "thread 'pool_0' waits for Future.result at test_world_ends.py in outer",
    ]


# --- swallowing ---------------------------------------------------------------------------------


def test_a_task_that_swallows_cancellation_is_abandoned_by_name() -> None:
    async def workflow() -> str:
        async def deaf() -> None:
            while True:
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    pass

        task = asyncio.create_task(deaf(), name="deaf")
        await asyncio.sleep(2)
        task.cancel()
        return "done"

    played = succeed(workflow)
    assert (played.result, played.world.ending, played.world.abandoned) == ("done", None, ["task 'deaf'"])
    assert played.seconds <= 2 + 61


def test_a_task_that_waits_for_ever_is_no_deadlock_after_the_workflow() -> None:
    async def workflow() -> str:
        async def deaf() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.Event().wait()

        asyncio.create_task(deaf(), name="deaf").add_done_callback(print)
        await asyncio.sleep(2)
        return "done"

    played = succeed(workflow)
    assert (played.result, played.world.ending, played.world.abandoned) == ("done", None, ["task 'deaf'"])


def swallowing(kind: type[BaseException], wait: Callable[[], None]) -> Callable[[], None]:
    def workflow() -> None:
        while True:
            try:
                wait()
            except kind:
                pass

    return workflow


@pytest.mark.parametrize("kind", [Exception, BaseException])
def test_a_loop_that_swallows_everything_ends_at_the_cap(kind: type[BaseException]) -> None:
    played = play(swallowing(kind, lambda: time.sleep(1)), seconds=50)
    assert (played.stopped[0], played.seconds <= 50 + 60) == ("seconds", True)


@pytest.mark.parametrize("kind", [Exception, BaseException])
def test_an_async_loop_that_swallows_everything_ends_at_the_cap(kind: type[BaseException]) -> None:
    async def workflow() -> None:
        while True:
            try:
                await asyncio.sleep(1)
            except kind:
                pass

    assert play(workflow, seconds=50).stopped[0] == "seconds"


def test_a_thread_that_swallows_everything_is_abandoned_by_name() -> None:
    def workflow() -> str:
        deaf = swallowing(BaseException, lambda: time.sleep(1))
        threading.Thread(target=deaf, name="deaf", daemon=True).start()
        time.sleep(3)
        return "done"

    played = succeed(workflow)
    assert (played.result, played.seconds, played.world.abandoned) == ("done", 3.0, ["thread 'deaf'"])


LEAVES_THREAD = """
import threading, time
from dissonance.harness.world import World, current_world, inside
def deaf():
    while True:
        try: time.sleep(1)
        except BaseException: pass
with inside(World()):
    threading.Thread(target=deaf).start()
    time.sleep(1)
print("left")
"""
LEAVES_TASK = """
import asyncio
from dissonance.harness.world import World, complete, inside
async def deaf():
    while True:
        try: await asyncio.sleep(1)
        except BaseException: pass
async def workflow():
    asyncio.create_task(deaf())
    await asyncio.sleep(1)
world = World()
with inside(world):
    complete(world, workflow())
print("left")
"""


@pytest.mark.parametrize("script", [LEAVES_THREAD, LEAVES_TASK], ids=["thread", "task"])
def test_the_interpreter_does_not_wait_for_what_was_abandoned(script: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_ending_a_world_by_hand_reaches_a_waiting_main_strand() -> None:
    world = World()
    reason = RunStopped("calls", "enough")
    with pytest.raises(RunStopped) as caught, inside(world):
        threading.Thread(target=lambda: world.end(reason)).start()
        threading.Event().wait()
    assert (caught.value, world.ending) == (reason, reason)


def test_cleanup_runs_after_the_end() -> None:
    seen: list[str] = []

    async def workflow() -> None:
        try:
            while True:
                await asyncio.sleep(9)
        finally:
            await asyncio.sleep(5)
            seen.append("cleaned up")

    played = play(workflow, seconds=10)
    assert (played.stopped[0], seen) == ("seconds", ["cleaned up"])


# --- busy: the limit on real time -----------------------------------------------------------------


def spin() -> None:
    while True:
        pass


async def spin_async() -> None:
    while True:
        await asyncio.sleep(0)


def spin_in_thread() -> None:
    thread = threading.Thread(target=spin, name="spinner")
    thread.start()
    thread.join()


BUSY = {
    "sync": (spin, "at test_world_ends.py in spin in thread 'main'"),
    "async": (spin_async, "busy with task 'workflow' at test_world_ends.py in spin_async"),
    "thread": (spin_in_thread, "at test_world_ends.py in spin in thread 'spinner'"),
}


@pytest.mark.parametrize("kind", list(BUSY))
def test_a_busy_loop_ends_with_its_real_time(kind: str) -> None:
    workflow, culprit = BUSY[kind]
    played = play(workflow, real_seconds=REAL_SECONDS)
    assert (
        reason_of(played, "real_seconds") == f"the run took more than {REAL_SECONDS} s of real time; it was {culprit}"
    )
    assert played.error is played.world.ending


def test_a_traced_busy_loop_ends_too() -> None:
    former = sys.gettrace()
    sys.settrace(lambda frame, event, argument: None)
    try:
        played = play(spin_in_thread, real_seconds=REAL_SECONDS)
    finally:
        sys.settrace(former)
    assert reason_of(played, "real_seconds").endswith("in spin in thread 'spinner'")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_busy_thread_that_swallows_everything_ends_with_its_world() -> None:
    ended = _thread.allocate_lock()
    ended.acquire()

    def deaf() -> None:
        try:
            while True:
                try:
                    sum(range(100))
                except BaseException:
                    continue
        finally:
            ended.release()

    def workflow() -> None:
        threading.Thread(target=deaf, name="deaf").start()
        time.sleep(1)

    played = play(workflow, real_seconds=REAL_SECONDS)
    assert (played.stopped[0], played.world.abandoned[0][:13]) == ("real_seconds", "thread 'deaf'")
    assert ended.acquire(timeout=30)


def test_blocking_in_c_in_the_main_strand_ends_with_its_real_time() -> None:
    held = _thread.allocate_lock()
    held.acquire()
    played = play(held.acquire, real_seconds=REAL_SECONDS, blocked_seconds=0.05)
    assert (played.stopped[0], played.world.tier) == ("real_seconds", "T3")


# --- exceptions and what is put back -------------------------------------------------------------


def state() -> dict[str, Any]:
    """All that a world replaces."""
    clocks = ("sleep", "time", "monotonic", "perf_counter", "gmtime", "localtime", "ctime", "asctime", "strftime")
    counters = ("time_ns", "monotonic_ns", "perf_counter_ns")
    kept: dict[str, Any] = {name: getattr(time, name) for name in clocks + counters}
    for module, names in (
        (threading, ("_allocate_lock", "Lock", "_CRLock", "_start_new_thread", "_time")),
        (queue, ("SimpleQueue", "time")),
        (pool_module, ("_global_shutdown_lock",)),
        (_thread, ("start_new_thread",)),
        (os, ("fork", "system")),
    ):
        kept |= {f"{module.__name__}.{name}": vars(module)[name] for name in names}
    for kind, names in (
        (threading.Thread, ("join", "is_alive")),
        (Future, ("__init__", "__hash__")),
        (ThreadPoolExecutor, ("submit",)),
        (subprocess.Popen, ("__init__", "_wait")),
        (datetime.datetime, ("now", "utcnow")),
    ):
        kept |= {f"{kind.__name__}.{name}": vars(kind).get(name) for name in names}
    return kept | {
        "policy": asyncio.get_event_loop_policy(),
        "tasks.set": vars(asyncio.tasks).get("set"),
        "SIGINT": signal.getsignal(signal.SIGINT),
        "trace": sys.gettrace(),
    }


def fail() -> None:
    raise LookupError("lost")


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def leave_threads() -> None:
    threading.Thread(target=lambda: time.sleep(10**6)).start()


def exit_early() -> None:
    raise SystemExit(3)


WAYS_OUT: dict[str, tuple[Callable[[], Any], dict[str, Any], type[BaseException] | None]] = {
    "returns": (lambda: time.sleep(1), {}, None),
    "raises": (fail, {}, LookupError),
    "exits": (exit_early, {}, SystemExit),
    "Ctrl-C": (interrupt, {}, KeyboardInterrupt),
    "leaves threads": (leave_threads, {}, None),
    "deadlock": (lambda: threading.Event().wait(), {}, RunStopped),
    "virtual time is up": (swallowing(BaseException, lambda: time.sleep(1)), {"seconds": 50}, RunStopped),
    "real time is up": (spin, {"real_seconds": 0.1}, RunStopped),
    "async": (lambda: asyncio.sleep(5), {}, None),
}


@pytest.mark.parametrize("way", list(WAYS_OUT))
def test_everything_is_put_back(way: str) -> None:
    workflow, options, error = WAYS_OUT[way]
    before = state()
    with inside(World()):
        changed = state()
    played = play(workflow, **options)
    assert state() == before
    assert {name for name in before if before[name] is not changed[name]} >= before.keys() - {"SIGINT", "trace"}
    assert (None if played.error is None else type(played.error)) is error


def press_ctrl_c(main: int) -> None:
    """Until the main strand has asked for the baton: an interrupt just before it falls asleep does not wake it."""
    world = current_world()
    assert world is not None
    while not world.outside.has_returned:
        signal.pthread_kill(main, signal.SIGINT)
        pressed = time.thread_time()
        while not world.outside.has_returned and time.thread_time() < pressed + 0.1:
            pass


def test_ctrl_c_reaches_the_main_strand_while_it_waits() -> None:
    """It gets the baton, handles the interrupt, and the world goes on."""

    def workflow() -> float:
        main = threading.main_thread().ident
        assert main is not None

        def press() -> None:
            time.sleep(3)
            press_ctrl_c(main)
            time.sleep(4)

        thread = threading.Thread(target=press)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait()
        thread.join()
        return time.monotonic()

    played = succeed(workflow)
    assert (played.result, played.world.ending) == (7.0, None)


def test_a_second_world_is_refused() -> None:
    def workflow() -> None:
        with inside(World()):
            pass

    error = play(workflow).error
    assert isinstance(error, BusyError)
    assert str(error).startswith("a process holds one world at a time")
    assert play(lambda: 1).result == 1


def test_a_thread_outside_the_world_cannot_wait_in_it() -> None:
    with pytest.raises(RuntimeError, match="a thread outside this world waits in it"):
        World().sleep(1)


def test_a_hundred_worlds_leave_no_file_open() -> None:
    async def workflow() -> None:
        await asyncio.gather(asyncio.to_thread(time.sleep, 1), asyncio.sleep(2))

    succeed(workflow)
    before = os.listdir("/dev/fd")
    for _ in range(100):
        succeed(workflow)
    assert len(os.listdir("/dev/fd")) == len(before)
