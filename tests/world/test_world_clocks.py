"""All clocks agree with virtual time inside, and with nothing else outside."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from time import monotonic as bound_monotonic
from time import sleep as bound_sleep
from typing import Any

import pytest
from worlds import play, succeed

from dissonance.harness.world import EPOCH, VirtualLoop, World, complete, inside

HOUR = 3600.0

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # deprecated in Python 3.12; still used


def readings() -> dict[str, Any]:
    return {
        "time": time.time() - EPOCH,
        "time_ns": (time.time_ns() - EPOCH * 10**9) / 1e9,
        "monotonic": time.monotonic(),
        "monotonic_ns": time.monotonic_ns() / 1e9,
        "perf_counter": time.perf_counter(),
        "perf_counter_ns": time.perf_counter_ns() / 1e9,
        "bound": bound_monotonic(),
        "now": datetime.datetime.now(datetime.UTC).timestamp() - EPOCH,
        "local now": datetime.datetime.now().timestamp() - EPOCH,
        "utcnow": datetime.datetime.utcnow().replace(tzinfo=datetime.UTC).timestamp() - EPOCH,
        "today": datetime.datetime.today().timestamp() - EPOCH,
    }


def test_each_clock_reads_the_same_virtual_hour() -> None:
    def workflow() -> dict[str, Any]:
        time.sleep(HOUR)
        return readings()

    assert succeed(workflow).result == dict.fromkeys(readings(), HOUR)


def test_the_loop_and_a_thread_read_the_same_clocks() -> None:
    async def workflow() -> tuple[float, dict[str, Any]]:
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time(), await asyncio.to_thread(readings)

    assert succeed(workflow).result == (HOUR, dict.fromkeys(readings(), HOUR))


def test_the_calendar_agrees() -> None:
    def workflow() -> tuple[Any, ...]:
        time.sleep(HOUR)
        return (
            time.gmtime()[:5],
            time.localtime() == time.localtime(EPOCH + HOUR),
            time.ctime() == time.ctime(EPOCH + HOUR),
            time.asctime() == time.ctime(),
            time.strftime("%s"),
            time.strftime("%Y", (1999, 1, 1, 0, 0, 0, 0, 1, 0)),
            datetime.date.today() == datetime.date.fromtimestamp(EPOCH + HOUR),
        )

    assert succeed(workflow).result == ((2026, 1, 1, 1, 0), True, True, True, str(int(EPOCH + HOUR)), "1999", True)


def test_a_subclass_of_datetime_stays_one() -> None:
    class Stamp(datetime.datetime):
        pass

    assert type(succeed(lambda: Stamp.now()).result) is Stamp


def test_a_name_bound_at_import_is_virtual_too() -> None:
    assert succeed(lambda: bound_sleep(HOUR)).seconds == HOUR


def test_a_default_argument_stays_real_as_documented() -> None:
    """Out of reach: only module-level names are found."""

    def measured(clock: Any = time.monotonic) -> Any:
        return clock

    assert succeed(lambda: measured() is not time.monotonic).result


def test_a_negative_sleep_is_refused_as_outside() -> None:
    error = play(lambda: time.sleep(-1)).error
    assert (type(error), str(error)) == (ValueError, "sleep length must be non-negative")


def test_the_standard_library_measures_reality_with_its_own_names() -> None:
    import subprocess

    real = subprocess._time  # type: ignore[attr-defined]
    assert succeed(lambda: subprocess._time is real).result  # type: ignore[attr-defined]


def test_code_in_threads_outside_is_untouched() -> None:
    """A thread that was there before reads the real clocks and makes real locks, while the world runs."""
    ask, answered = threading.Event(), threading.Event()
    read: list[float] = []

    def outside() -> None:
        ask.wait()
        with threading.Lock():
            read.append(time.time())
        thread = threading.Thread(target=lambda: read.append(time.time()))
        thread.start()
        thread.join()
        answered.set()

    thread = threading.Thread(target=outside)
    thread.start()
    before = time.time()
    with inside(World()):
        time.sleep(10**6)
        ask.set()
        while not answered.is_set():
            pass
    thread.join()
    assert len(read) == 2
    assert before <= min(read) <= max(read) <= time.time()


def test_the_cap_on_virtual_time_ends_the_world() -> None:
    def workflow() -> None:
        while True:
            time.sleep(7)

    played = play(workflow, seconds=100)
    assert played.stopped == ("seconds", "the run went on for more than 100 virtual seconds")
    assert (played.error, played.seconds) == (played.world.ending, 98.0)


def test_equal_moments_are_equal() -> None:
    """Three times a tenth is three tenths: the clock counts whole nanoseconds."""

    async def workflow() -> list[str]:
        order: list[str] = []

        async def three() -> None:
            for _ in range(3):
                await asyncio.sleep(0.1)
            order.append("three times 0.1")

        async def once() -> None:
            await asyncio.sleep(0.3)
            order.append("once 0.3")

        await asyncio.gather(three(), once())
        return [*order, str(asyncio.get_running_loop().time())]

    assert succeed(workflow).result == ["once 0.3", "three times 0.1", "0.3"]


@pytest.mark.parametrize("kind", ["sync", "async", "thread"])
def test_long_times_pass_at_once(kind: str) -> None:
    """Ten thousand sleeps are a matter of milliseconds each hundred, not of days."""

    def sync() -> None:
        for _ in range(10_000):
            time.sleep(60)

    async def asynchronous() -> None:
        for _ in range(10_000):
            await asyncio.sleep(60)

    async def threaded() -> None:
        await asyncio.to_thread(sync)

    began = time.perf_counter()
    played = succeed({"sync": sync, "async": asynchronous, "thread": threaded}[kind])
    assert played.seconds == 600_000
    assert time.perf_counter() - began < 5


def test_a_sleep_lets_others_run_who_are_due_before() -> None:
    """The shortcut for a lonely sleeper may not pass over another strand's deadline."""
    order: list[tuple[str, float]] = []

    def nap(name: str, seconds: float) -> None:
        time.sleep(seconds)
        order.append((name, time.monotonic()))

    def workflow() -> None:
        threads = [threading.Thread(target=nap, args=(f"s{seconds}", seconds)) for seconds in (5, 1, 3)]
        for thread in threads:
            thread.start()
        nap("main", 4)
        for thread in threads:
            thread.join()

    succeed(workflow)
    assert order == [("s1", 1), ("s3", 3), ("main", 4), ("s5", 5)]


def test_a_loop_jumps_only_over_empty_time() -> None:
    async def workflow() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        alone = loop.jump(5)
        loop.call_later(2, lambda: None)
        return [alone, loop.jump(1), loop.jump(1), loop.jump(5)]

    played = succeed(workflow)
    assert (played.result, played.seconds) == ([True, True, False, False], 6.0)


def test_two_coroutines_in_one_world_follow_each_other() -> None:
    world = World()
    with inside(world):
        complete(world, asyncio.sleep(3))
        time.sleep(100)
        complete(world, asyncio.sleep(4))
    assert (world.now, world.tier, world.ending) == (107.0, "T1", None)
