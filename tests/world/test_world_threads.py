"""Captured threads: locks, queues, pools and joins in virtual time."""

from __future__ import annotations

import _thread
import asyncio
import os
import queue
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Lock
from typing import Any

import pytest
from worlds import later, play, succeed, worked

POOL_FROM_OUTSIDE = ThreadPoolExecutor(2)
QUEUE_FROM_OUTSIDE: queue.Queue[str] = queue.Queue()


def started(*targets: Callable[[], Any]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


# --- pools --------------------------------------------------------------------------------------


def test_a_pool_keeps_its_order_and_takes_the_makespan() -> None:
    def workflow() -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda s: worked(s, s), [3, 1, 2]))

    played = succeed(workflow)
    assert (played.result, played.seconds, played.world.tier) == ([3, 1, 2], 3.0, "T2")


@pytest.mark.parametrize("cores", [1, 64])
def test_a_pool_of_no_given_size_is_the_same_on_all_machines(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight workers, of threads and of asyncio alike: twenty pieces of work take three turns."""
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    def threads() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(worked, [1.0] * 20))

    async def executor() -> None:
        await asyncio.gather(*(asyncio.to_thread(worked, 1.0) for _ in range(20)))

    assert (succeed(threads).seconds, succeed(executor).seconds) == (3.0, 3.0)


def test_a_result_times_out_at_its_second() -> None:
    def workflow() -> tuple[float, str]:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(lambda: worked(10, "late"))
            with pytest.raises(TimeoutError):
                future.result(timeout=4)
            return time.monotonic(), str(future.result(timeout=6))

    played = succeed(workflow)
    assert (played.result, played.seconds) == ((4.0, "late"), 10.0)


def test_a_pools_work_may_submit_more() -> None:
    """``submit`` holds the pools' global lock as it starts a thread: no other strand may run meanwhile."""

    def workflow() -> int:
        with ThreadPoolExecutor(4) as pool:

            def depth(left: int) -> int:
                time.sleep(1)
                return 1 + pool.submit(depth, left - 1).result() if left else 1

            return pool.submit(depth, 3).result()

    played = succeed(workflow)
    assert (played.result, played.seconds) == (4, 4.0)


def test_a_pool_made_before_the_world_works_in_it_and_after_it() -> None:
    def workflow() -> Any:
        return POOL_FROM_OUTSIDE.submit(lambda: worked(5, 7)).result()

    before = POOL_FROM_OUTSIDE._work_queue
    runs = [succeed(workflow) for _ in range(3)]
    assert [(run.result, run.seconds, run.world.tier) for run in runs] == [(7, 5.0, "T2")] * 3
    assert POOL_FROM_OUTSIDE._work_queue is before
    assert not POOL_FROM_OUTSIDE._threads
    with ThreadPoolExecutor(1) as outside:
        assert outside.submit(lambda: "real").result(timeout=5) == "real"


def test_a_pool_left_over_by_one_world_works_in_the_next() -> None:
    pool = ThreadPoolExecutor(2)

    def workflow() -> Any:
        return pool.submit(lambda: worked(5, 7)).result()

    assert [succeed(workflow).seconds for _ in range(3)] == [5.0, 5.0, 5.0]
    pool.shutdown()


def test_a_pool_with_threads_from_outside_is_an_escape_and_no_hang() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="foreign") as pool:
        pool.submit(int).result()
        played = succeed(lambda: pool.submit(lambda: "seen").result(timeout=60))
        assert pool.submit(lambda: "still").result(timeout=5) == "still"
    assert (played.result, played.world.tier) == ("seen", "T3")
    assert played.world.escapes[0].startswith("thread pool from outside the run, with threads 'foreign_0'")


# --- queues and locks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [queue.Queue, queue.LifoQueue, lambda: queue.SimpleQueue(), lambda: QUEUE_FROM_OUTSIDE]
)
def test_a_queue_between_threads(kind: Callable[[], Any]) -> None:
    def workflow() -> list[Any]:
        line = kind()
        threads = started(lambda: [line.put(worked(3, n)) for n in range(2)])
        got = [line.get(), time.monotonic(), line.get(timeout=10), time.monotonic()]
        with pytest.raises(queue.Empty):
            line.get(timeout=5)
        join(threads)
        return [*got, time.monotonic()]

    assert succeed(workflow).result == [0, 3.0, 1, 6.0, 11.0]


def test_names_bound_at_import_are_virtual_too() -> None:
    def workflow() -> float:
        lock, line = Lock(), SimpleQueue[str]()
        lock.acquire()
        start_new_thread(later(3, lock.release), ())
        with lock:
            started(later(4, line.put, "done"))
            line.get()
        return time.monotonic()

    played = succeed(workflow)
    assert (played.result, played.world.tier) == (7.0, "T2")


def test_a_full_queue_holds_its_producer_up() -> None:
    def workflow() -> float:
        line: queue.Queue[int] = queue.Queue(maxsize=1)
        threads = started(later(5, line.get))
        line.put(1)
        line.put(2)
        put_at = time.monotonic()
        join(threads)
        return put_at

    assert succeed(workflow).result == 5.0


def test_a_simple_queue_keeps_the_contract_of_the_one_in_c() -> None:
    def workflow() -> list[Any]:
        line: queue.SimpleQueue[int] = queue.SimpleQueue()
        line.put_nowait(1)
        line.put(2, block=True, timeout=1)
        seen: list[Any] = [line.qsize(), line.empty(), line.get_nowait(), line.get(), line.empty()]
        with pytest.raises(queue.Empty):
            line.get_nowait()
        with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
            line.get(timeout=-1)
        return [*seen, str(queue.SimpleQueue[int]).endswith("[int]")]

    assert succeed(workflow).result == [2, False, 1, 2, True, True]


def test_each_primitive_wakes_at_its_second() -> None:
    def event() -> bool:
        flag = threading.Event()
        started(later(2, flag.set))
        return flag.wait(1) is False and flag.wait(5)

    def condition() -> bool:
        changed = threading.Condition()

        def notify() -> None:
            time.sleep(2)
            with changed:
                changed.notify()

        started(notify)
        with changed:
            return changed.wait(5)

    def semaphore() -> bool:
        places = threading.Semaphore(0)
        started(later(2, places.release))
        return not places.acquire(timeout=1) and places.acquire()

    def barrier() -> bool:
        gate = threading.Barrier(2)
        started(later(2, gate.wait))
        return gate.wait() in (0, 1)

    def timer() -> bool:
        rung = threading.Event()
        threading.Timer(2, rung.set).start()
        return rung.wait()

    def lock() -> bool:
        held = threading.Lock()

        def hold() -> None:
            with held:
                time.sleep(2)

        started(hold)
        time.sleep(0)
        return not held.acquire(timeout=1) and held.acquire() and held.locked()

    def reentrant() -> bool:
        held = threading.RLock()

        def hold() -> None:
            with held, held:
                time.sleep(2)

        started(hold)
        time.sleep(0)
        with held:
            return True

    for primitive in (event, condition, semaphore, barrier, timer, lock, reentrant):
        played = succeed(primitive)
        assert (primitive.__name__, played.result, played.seconds) == (primitive.__name__, True, 2.0)


def test_a_lock_keeps_its_contract() -> None:
    def workflow() -> bool:
        lock = threading.Lock()
        with pytest.raises(RuntimeError, match="release unlocked lock"):
            lock.release()
        with lock, pytest.raises(ValueError, match="can't specify a timeout for a non-blocking call"):
            lock.acquire(False, 1)
        return lock.locked()

    assert succeed(workflow).result is False


def test_locks_of_a_world_are_plain_locks_after_it() -> None:
    lock, line = succeed(lambda: (threading.Lock(), queue.SimpleQueue())).result
    thread = threading.Thread(target=lambda: [lock.acquire(), line.put("put"), lock.release()])
    with lock:
        thread.start()
        with pytest.raises(queue.Empty):
            line.get(timeout=0.01)
    assert line.get(timeout=5) == "put"
    thread.join()


# --- threads -------------------------------------------------------------------------------------


def test_a_join_times_out_at_its_second_and_leaves_no_trace() -> None:
    """A joiner that gave up is not woken from its next sleep by the thread's end."""

    def workflow() -> list[Any]:
        (thread,) = started(lambda: time.sleep(5))
        thread.join(2)
        seen = [time.monotonic(), thread.is_alive()]
        time.sleep(10)
        return [*seen, time.monotonic(), thread.is_alive()]

    assert succeed(workflow).result == [2.0, True, 12.0, False]


def test_a_thread_has_its_identity_as_soon_as_it_is_started() -> None:
    def workflow() -> list[bool]:
        (thread,) = started(lambda: None)
        return [thread.ident is not None, thread in threading.enumerate(), "run" not in vars(thread)]

    assert succeed(workflow).result == [True, True, True]


def test_a_raw_thread_is_captured() -> None:
    def workflow() -> float:
        line: queue.Queue[float] = queue.Queue()
        _thread.start_new_thread(lambda: line.put(worked(5) or time.monotonic()), ())
        return line.get()

    played = succeed(workflow)
    assert (played.result, played.world.tier) == (5.0, "T2")


def test_an_exception_in_a_thread_reaches_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(str(args.exc_value)))

    def fail() -> None:
        raise LookupError("lost")

    succeed(lambda: join(started(fail)))
    assert seen == ["lost"]


def test_threads_that_are_left_over_are_unwound_with_their_cleanup() -> None:
    """Sleeping, waiting, or not yet begun: each ends with the world; its ``finally`` runs."""
    ended: list[str] = []

    def left(name: str, wait: Callable[[], Any]) -> Callable[[], None]:
        def body() -> None:
            try:
                wait()
            finally:
                ended.append(name)

        return body

    def workflow() -> None:
        started(left("sleeping", lambda: time.sleep(10**6)), left("waiting", threading.Event().wait))
        time.sleep(1)
        started(left("not begun", lambda: None))

    played = succeed(workflow)
    assert (sorted(ended), played.seconds, played.world.abandoned) == (["sleeping", "waiting"], 1.0, [])


def real_threads() -> Iterator[str]:
    return (thread.name for thread in threading.enumerate())


def test_no_thread_stays_behind() -> None:
    def workflow() -> None:
        started(lambda: time.sleep(10**6))
        ThreadPoolExecutor(3).submit(time.sleep, 10)

    before = sorted(real_threads())
    for _ in range(50):
        assert play(workflow).error is None
    deadline = time.monotonic() + 5
    while sorted(real_threads()) != before and time.monotonic() < deadline:
        pass  # a thread has left its world a few instructions before it is gone
    assert sorted(real_threads()) == before
