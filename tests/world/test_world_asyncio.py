"""Pure asyncio in virtual time: exact, in order, and the same in each run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest
from worlds import succeed, worked


async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_parallel_branches_take_the_longest_and_serial_ones_the_sum() -> None:
    async def workflow() -> list[float]:
        await nap(2)
        return list(await asyncio.gather(nap(3), nap(1), nap(2)))

    played = succeed(workflow)
    assert (played.result, played.seconds, played.world.tier) == ([3, 1, 2], 5.0, "T1")


def test_a_blocking_sleep_holds_the_loop_up() -> None:
    async def workflow() -> float:
        task = asyncio.create_task(nap(1))
        await asyncio.sleep(0)
        time.sleep(5)
        await task
        return asyncio.get_running_loop().time()

    assert succeed(workflow).result == 5.0


def test_a_timeout_fires_at_its_second() -> None:
    async def workflow() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await nap(31)
        return asyncio.get_running_loop().time()

    assert succeed(workflow).result == 30.0


def test_call_soon_threadsafe_under_a_timeout() -> None:
    """A raw thread answers after 20 s, ten before the deadline."""

    async def workflow() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def work() -> None:
            time.sleep(20)
            loop.call_soon_threadsafe(answer.set_result, "answer")

        threading.Thread(target=work).start()
        async with asyncio.timeout(30):
            return await answer, loop.time()

    played = succeed(workflow)
    assert (played.result, played.world.tier) == (("answer", 20.0), "T2")


def test_forty_nodes_of_a_minute_take_a_minute() -> None:
    async def workflow() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(40))
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 60) for _ in range(40)))

    began = time.perf_counter()
    played = succeed(workflow)
    assert (played.seconds, played.world.tier, played.world.captured_threads) == (60.0, "T2", 40)
    assert time.perf_counter() - began < 2


def test_a_pool_of_ten_needs_four_rounds_for_forty() -> None:
    async def workflow() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(10))
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 60) for _ in range(40)))

    assert succeed(workflow).seconds == 240.0


def test_anyio_threads_and_deadlines() -> None:
    async def workflow() -> tuple[float, bool]:
        async with anyio.create_task_group() as group:
            for seconds in (1, 3, 2):
                group.start_soon(anyio.to_thread.run_sync, time.sleep, seconds)
        with anyio.move_on_after(5) as scope:
            await anyio.sleep(10)
        return anyio.current_time(), scope.cancelled_caught

    assert succeed(workflow).result == (8.0, True)


def test_loops_in_threads_run_side_by_side() -> None:
    def workflow() -> list[float]:
        ended: list[float] = []

        async def work(seconds: float) -> None:
            ended.append(await nap(seconds))

        threads = [threading.Thread(target=lambda s=s: asyncio.run(work(s))) for s in (3, 1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ended

    played = succeed(workflow)
    assert (played.result, played.seconds) == ([1, 2, 3], 3.0)


def test_a_loop_of_its_own_thread_serves_a_sync_caller() -> None:
    def workflow() -> float:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        result = asyncio.run_coroutine_threadsafe(nap(5), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        return result

    played = succeed(workflow)
    assert (played.result, played.seconds, played.world.abandoned) == (5, 5.0, [])


def test_asyncio_run_in_the_main_strand() -> None:
    played = succeed(lambda: asyncio.run(nap(4)))
    assert (played.result, played.seconds, played.world.tier) == (4, 4.0, "T1")


def test_context_goes_along_into_threads() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def workflow() -> str:
        who.set("judge")
        return await asyncio.to_thread(who.get)

    assert succeed(workflow).result == "judge"


def test_a_signal_handler_is_accepted() -> None:
    async def workflow() -> bool:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(15, lambda: None)
        return loop.remove_signal_handler(15)

    assert succeed(workflow).result is False


# --- sets of tasks and futures ------------------------------------------------------------------


def test_asyncio_wait_has_one_order_in_three_hundred_runs() -> None:
    async def workflow() -> tuple[str, ...]:
        tasks = [asyncio.create_task(nap(1), name=f"t{n}") for n in range(12)]
        done, _ = await asyncio.wait(tasks)
        return tuple(task.get_name() for task in done)

    assert len({succeed(workflow).result for _ in range(300)}) == 1


def test_asyncio_as_completed_has_one_order() -> None:
    async def workflow() -> tuple[int, ...]:
        async def number(n: int) -> int:
            await asyncio.sleep(1)
            return n

        return tuple([await first for first in asyncio.as_completed([number(n) for n in range(12)])])

    assert len({succeed(workflow).result for _ in range(100)}) == 1


def test_waiting_for_futures_of_a_pool_has_one_order() -> None:
    def workflow() -> tuple[tuple[int, ...], tuple[int, ...]]:
        with ThreadPoolExecutor(6) as pool:
            futures: list[Future[int]] = [pool.submit(worked, 1, n) for n in range(12)]
            done, _ = concurrent.futures.wait(futures)
            return tuple(f.result() for f in done), tuple(f.result() for f in concurrent.futures.as_completed(futures))

    assert len({succeed(workflow).result for _ in range(100)}) == 1


def test_what_nobody_looked_at_is_told_at_the_end_and_not_when_the_collector_comes_by(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In CPython 3.11 to log a traceback while a module is being parsed breaks the parser, as pytest found."""

    async def fail(name: str) -> None:
        held.append(asyncio.current_task())  # a cycle
        raise ValueError(name)

    async def workflow() -> None:
        tasks = [asyncio.create_task(fail(name)) for name in "abc"]
        await asyncio.wait(tasks)
        tasks[1].exception()

    held: list[object] = []
    succeed(workflow)
    told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert told == ["a", "c"]
    held.clear()
    gc.collect()
    assert len(caplog.records) == 2
