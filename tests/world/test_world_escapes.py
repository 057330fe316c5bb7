"""What the world cannot control is detected, named, and demotes the run to T3; it never hangs it."""

from __future__ import annotations

import _thread
import asyncio
import multiprocessing
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from worlds import Played, later, play, succeed

from dissonance.harness.world import watchdog
from dissonance.harness.world.outside import Outside
from dissonance.harness.world.strand import current_strand

LOCK_FROM_OUTSIDE = _thread.allocate_lock()
QUEUE_FROM_OUTSIDE: queue.SimpleQueue[int] = queue.SimpleQueue()
BLOCKED = {"blocked_seconds": 0.05, "real_seconds": 5.0}


def escapes(played: Played) -> list[str]:
    assert played.world.tier == "T3"
    return [re.sub(r"\.py:\d+", ".py", escape) for escape in played.world.escapes]


def test_a_lock_from_outside_held_across_a_sleep() -> None:
    """The waiter blocks in C with the baton; it loses it, the holder goes on and releases, the waiter comes back."""

    def workflow() -> list[str]:
        order: list[str] = []

        def wait() -> None:
            with LOCK_FROM_OUTSIDE:
                order.append("waiter")

        thread = threading.Thread(target=wait, name="waiter")
        with LOCK_FROM_OUTSIDE:
            thread.start()
            time.sleep(3600)
            order.append("holder")
        thread.join()
        time.sleep(1)
        return order

    played = succeed(workflow, **BLOCKED)
    assert played.result == ["holder", "waiter"]
    assert escapes(played) == ["thread 'waiter' blocked outside the world at test_world_escapes.py in wait"]


def test_who_waits_for_a_processor_or_a_disk_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with much to do, a strand may get next to no processor time for seconds."""

    def workflow() -> bool:
        with LOCK_FROM_OUTSIDE:
            return LOCK_FROM_OUTSIDE.acquire(timeout=0.4)

    assert play(workflow, **BLOCKED).world.tier == "T3"
    monkeypatch.setattr(watchdog, "_goes_on", lambda strand: True)
    played = succeed(workflow, **BLOCKED)
    assert (played.result, played.world.escapes) == (False, [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells what a thread waits for")
def test_what_goes_on_is_told_from_what_sleeps() -> None:
    def workflow() -> tuple[bool, bool]:
        me = current_strand()
        assert me is not None
        sleeper = threading.Thread(target=time.sleep, args=(60,))
        sleeper.start()
        time.sleep(1)  # it sleeps by now, and this strand runs
        (parked,) = (strand for strand in me.world.strands if strand.thread is sleeper)
        return watchdog._goes_on(me), all(
            watchdog._goes_on(parked) for _ in range(10_000)
        )  # until it has fallen asleep

    assert succeed(workflow).result == (True, False)


def test_who_comes_back_joins_the_thread_that_let_it_go_on() -> None:
    """The holder ends while the main strand is on its way back: the join must not wait for what has happened."""

    def workflow() -> float:
        def hold() -> None:
            with LOCK_FROM_OUTSIDE:
                time.sleep(1)

        thread = threading.Thread(target=hold, name="holder")
        thread.start()
        time.sleep(0.5)
        with LOCK_FROM_OUTSIDE:
            pass
        thread.join()
        return time.monotonic()

    played = succeed(workflow, **BLOCKED)
    assert 1.0 <= played.result < 1.2
    assert escapes(played) == ["thread 'main' blocked outside the world at test_world_escapes.py in workflow"]


def test_a_queue_in_c_from_outside() -> None:
    def workflow() -> int:
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.append(QUEUE_FROM_OUTSIDE.get()))
        thread.start()
        time.sleep(10)
        QUEUE_FROM_OUTSIDE.put(5)
        thread.join()
        return got[0]

    played = succeed(workflow, **BLOCKED)
    assert (played.result, len(escapes(played))) == (5, 1)


def test_a_thread_that_blocks_for_ever_does_not_keep_the_world() -> None:
    held = _thread.allocate_lock()
    held.acquire()

    def block() -> None:
        held.acquire()

    def workflow() -> str:
        threading.Thread(target=block, name="stuck", daemon=True).start()
        time.sleep(3600)
        return "done"

    played = succeed(workflow, **BLOCKED)
    held.release()
    assert (played.result, escapes(played)) == (
        "done",
        ["thread 'stuck' blocked outside the world at test_world_escapes.py in block"],
    )
    (abandoned,) = played.world.abandoned
    assert re.sub(r":\d+", "", abandoned) == "thread 'stuck', last seen at test_world_escapes.py in block"


def test_a_main_strand_that_blocks_lets_the_others_run() -> None:
    """Only a thread of the world can free it, and it gets the baton to do so."""
    held = _thread.allocate_lock()
    held.acquire()

    def workflow() -> str:
        threading.Thread(target=later(60, held.release)).start()
        held.acquire()
        return "done"

    assert succeed(workflow, **BLOCKED).result == "done"


def test_a_main_strand_that_comes_back_and_leaves_is_not_missed() -> None:
    """The thread that freed it may be looking for a successor at that moment; it ends all the same."""
    before = threading.active_count()
    for _ in range(5):
        held = _thread.allocate_lock()
        held.acquire()

        def workflow(held: _thread.LockType = held) -> None:
            threading.Thread(target=later(60, held.release)).start()
            held.acquire()

        succeed(workflow, **BLOCKED)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        pass
    assert threading.active_count() == before


def test_a_main_strand_that_blocks_for_ever_ends_with_its_real_time_though_others_run() -> None:
    held = _thread.allocate_lock()
    held.acquire()

    def sleep_on() -> None:
        while True:
            time.sleep(1)

    def workflow() -> None:
        threading.Thread(target=sleep_on).start()
        held.acquire()

    played = play(workflow, blocked_seconds=0.05, real_seconds=0.3)
    assert (played.stopped[0], played.world.abandoned) == ("real_seconds", [])
    assert played.stopped[1].endswith("in workflow in thread 'main'")


def test_a_thread_that_joins_one_that_blocks_for_ever_is_a_deadlock_where_real_time_has_no_limit() -> None:
    held = _thread.allocate_lock()
    held.acquire()

    def workflow() -> None:
        thread = threading.Thread(target=held.acquire, name="stuck", daemon=True)
        thread.start()
        thread.join()

    played = play(workflow, blocked_seconds=0.05)
    held.release()
    assert (played.stopped[0], played.stopped[1].count("thread 'stuck'")) == ("deadlock", 2)


def test_a_foreign_thread_that_calls_the_loop() -> None:
    """It wakes the loop, though nothing of the world would have."""
    answer: list[Callable[[], object]] = []
    go = _thread.allocate_lock()
    go.acquire()

    def outside() -> None:
        go.acquire()
        answer[0]()

    thread = threading.Thread(target=outside, name="foreign")
    thread.start()

    async def workflow() -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        answer.append(lambda: loop.call_soon_threadsafe(future.set_result, "answer"))
        loop.call_soon(go.release)
        return str(await future)

    played = succeed(workflow)
    thread.join()
    assert (played.result, escapes(played)) == ("answer", ["foreign thread 'foreign'"])


def test_a_real_connection_keeps_the_clock_in_step() -> None:
    """No false timeout: while real files are open, virtual seconds are real ones."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def workflow() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            line = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return line

    played = succeed(workflow, real_seconds=5.0)
    assert played.result == b"hello\n"
    assert played.seconds < 5
    assert "real socket to '127.0.0.1'" in escapes(played)


@pytest.mark.parametrize("timeout", [None, 20])
def test_a_child_process_is_waited_for_in_real_time(timeout: float | None) -> None:
    played = succeed(lambda: subprocess.run([sys.executable, "-c", ""], timeout=timeout).returncode)
    assert (played.result, played.seconds < 1) == (0, True)
    assert escapes(played)[0] == f"child process {sys.executable!r}"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "posix_spawn", "system", "spawn context"])
def test_a_child_process_is_noted_however_it_is_started(start: str) -> None:
    def workflow() -> None:
        if start == "fork":
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        elif start == "posix_spawn":
            os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit"], {}), 0)
        elif start == "system":
            assert os.system("exit 0") == 0
        else:
            context = multiprocessing.get_context("spawn")
            child = context.Process(target=int)
            child.start()
            child.join()

    name = "multiprocessing" if start == "spawn context" else f"os.{start}"
    assert f"child process {name!r}" in escapes(succeed(workflow))


def test_an_asyncio_child_process() -> None:
    async def workflow() -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('out')", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out, process.returncode

    played = succeed(workflow, **BLOCKED)
    assert played.result == (b"out\n", 0)


def test_computing_for_long_is_no_escape() -> None:
    """Busy and blocked look alike to the clock, but not to the processor."""

    def workflow() -> int:
        deadline = time.thread_time() + 0.3
        rounds = 0
        while time.thread_time() < deadline:
            rounds += 1
        return rounds

    played = succeed(workflow, blocked_seconds=0.05)
    assert (played.world.tier, played.world.escapes) == ("T1", [])


def test_patience_with_what_is_outside_is_limited() -> None:
    door = Outside()
    door.add("a future")
    assert (door.empty, door.expects_somebody) == (False, True)
    deadline = time.monotonic() + 10 * Outside.PATIENCE
    while door.expects_somebody and time.monotonic() < deadline:
        door.listen(Outside.SLICE)
    assert (door.empty, door.expects_somebody) == (False, False)
    door.arrived("a future")
    assert door.empty
