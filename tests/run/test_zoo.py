"""What never stops is stopped, each in its own way, and the message names the culprit."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import Answers, Says, request

from dissonance.faults import RepeatToolCall, Rule
from dissonance.harness import Limits, Run, run
from dissonance.harness.wire.table import error_reply

client, async_client = Anthropic(api_key="k"), AsyncAnthropic(api_key="k")
TOOL = {"name": "search", "description": "Search.", "input_schema": {"type": "object", "properties": {}}}


def ask(**more: Any) -> Any:
    return client.messages.create(**request(**more))


async def async_ask(**more: Any) -> Any:
    return await async_client.messages.create(**request(**more))


# --- loops of calls ---------------------------------------------------------------------------


async def async_loop(task: str) -> None:
    while True:
        await async_ask()


def sync_loop(task: str) -> None:
    while True:
        ask()


def loop_in_a_thread(task: str) -> None:
    thread = threading.Thread(target=sync_loop, args=(task,), name="looper")
    thread.start()
    thread.join()
    while True:  # RunStopped ended the thread alone
        ask()


def loop_of_tool_calls(task: str) -> str:
    messages: list[Any] = [{"role": "user", "content": task}]
    while True:
        message = ask(messages=messages, tools=[TOOL])
        uses = [block for block in message.content if block.type == "tool_use"]
        if not uses:
            return "done"
        messages.append({"role": "assistant", "content": message.content})
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "nothing"} for use in uses]
        messages.append({"role": "user", "content": results})


def endless_retries(task: str) -> None:
    client.with_options(max_retries=10**6).messages.create(**request())


async def tasks_that_start_tasks(task: str) -> None:
    async def spread() -> None:
        await async_ask()
        await asyncio.gather(spread(), spread())

    await spread()


async def swallows_cancelled(task: str) -> None:
    async def deaf() -> None:
        while True:
            try:
                await async_ask()
            except asyncio.CancelledError:
                continue

    await asyncio.wait_for(deaf(), 5)


def swallows_exceptions(task: str) -> None:
    while True:
        try:
            ask()
        except Exception:
            continue


def swallows_everything(task: str) -> None:
    while True:
        try:
            ask()
        except BaseException:
            continue


async def swallows_everything_async(task: str) -> None:
    while True:
        try:
            await async_ask()
        except BaseException:
            continue


def swallows_everything_twice(task: str) -> None:
    while True:
        try:
            swallows_everything(task)
        except BaseException:
            continue


def swallows_everything_in_a_thread(task: str) -> None:
    thread = threading.Thread(target=swallows_everything, args=(task,), name="deaf")
    thread.start()
    thread.join()
    ask()


# --- loops without a call ---------------------------------------------------------------------


async def sleeps_on(task: str) -> None:
    while True:
        await asyncio.sleep(60)


def sleeps_on_sync(task: str) -> None:
    while True:
        time.sleep(60)


def sleeps_on_and_swallows(task: str) -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


async def spins_async(task: str) -> None:
    while True:
        await asyncio.sleep(0)


def spins(task: str) -> None:
    while True:
        pass


def spins_and_swallows(task: str) -> None:
    while True:
        try:
            sum(range(100))
        except BaseException:
            continue


def spins_and_swallows_in_a_thread(task: str) -> None:
    thread = threading.Thread(target=spins_and_swallows, args=(task,), name="spinner")
    thread.start()
    thread.join()


def spins_in_a_thread(task: str) -> None:
    thread = threading.Thread(target=spins, args=(task,), name="spinner", daemon=True)
    thread.start()
    thread.join()


# --- deadlocks --------------------------------------------------------------------------------


async def two_tasks(task: str) -> None:
    one, other = asyncio.Lock(), asyncio.Lock()

    async def take(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(1)
            async with second:
                pass

    first = asyncio.create_task(take(one, other), name="ann")
    second = asyncio.create_task(take(other, one), name="bob")
    await asyncio.gather(first, second)


def two_threads(task: str) -> None:
    one, other = threading.Lock(), threading.Lock()

    def take(first: threading.Lock, second: threading.Lock) -> None:
        with first:
            time.sleep(1)
            with second:
                pass

    threads = [
        threading.Thread(target=take, args=locks, name=name, daemon=True)
        for name, locks in (("ann", (one, other)), ("bob", (other, one)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def task_and_thread(task: str) -> None:
    asked: queue.Queue[str] = queue.Queue()
    answered = asyncio.get_running_loop().create_future()
    threading.Thread(target=asked.get, name="answerer", daemon=True).start()
    await answered


def one_lock_twice(task: str) -> None:
    lock = threading.Lock()
    with lock, lock:
        pass


def event_that_nobody_sets(task: str) -> None:
    threading.Event().wait()


def queue_that_nobody_fills(task: str) -> None:
    queue.Queue[str]().get()


def join_of_a_waiting_thread(task: str) -> None:
    thread = threading.Thread(target=threading.Event().wait, name="waiter", daemon=True)
    thread.start()
    thread.join()


async def future_that_nobody_completes(task: str) -> None:
    await asyncio.get_running_loop().create_future()


LIMITS = Limits(calls=12, seconds=600, real_seconds=0.4)
LONGER = Limits(calls=12, seconds=600, real_seconds=30)
ZOO: list[tuple[Callable[[str], Any], str, tuple[str, ...]]] = [
    (async_loop, "calls", ("12 calls",)),
    (sync_loop, "calls", ("12 calls",)),
    (loop_in_a_thread, "calls", ("12 calls",)),
    (loop_of_tool_calls, "calls", ("12 calls",)),
    (endless_retries, "calls", ("12 calls",)),
    (tasks_that_start_tasks, "calls", ("12 calls",)),
    (swallows_cancelled, "calls", ("12 calls",)),
    (swallows_exceptions, "calls", ("12 calls",)),
    (swallows_everything, "calls", ("12 calls",)),
    (swallows_everything_async, "calls", ("12 calls",)),
    (swallows_everything_twice, "calls", ("12 calls",)),
    (swallows_everything_in_a_thread, "calls", ("12 calls",)),
    (sleeps_on, "seconds", ("600",)),
    (sleeps_on_sync, "seconds", ("600",)),
    (sleeps_on_and_swallows, "seconds", ("600",)),
    (spins_async, "real_seconds", ("test_zoo.py", "spins_async")),
    (spins, "real_seconds", ("test_zoo.py", "in spins")),
    (spins_and_swallows, "real_seconds", ("test_zoo.py", "in spins_and_swallows")),
    (spins_in_a_thread, "real_seconds", ("test_zoo.py", "spinner")),
    (spins_and_swallows_in_a_thread, "real_seconds", ("test_zoo.py", "spinner")),
    (two_tasks, "deadlock", ("'ann'", "'bob'", "test_zoo.py")),
    (two_threads, "deadlock", ("'ann'", "'bob'")),
    (task_and_thread, "deadlock", ("task 'workflow'", "'answerer'")),
    (one_lock_twice, "deadlock", ("a lock that it holds itself",)),
    (event_that_nobody_sets, "deadlock", ("'main'",)),
    (queue_that_nobody_fills, "deadlock", ("'main'",)),
    (join_of_a_waiting_thread, "deadlock", ("'main'", "'waiter'")),
    (future_that_nobody_completes, "deadlock", ("task 'workflow'", "test_zoo.py")),
]
PLANS: dict[Callable[[str], Any], list[Any]] = {
    loop_of_tool_calls: [Rule(fault=RepeatToolCall())],
    endless_retries: [Answers(error_reply(529))],
}


def stopped(workflow: Callable[[str], Any], limits: Limits) -> Run:
    plan = PLANS.get(workflow, [])
    return run(workflow, "x", model=Says(), limits=limits, plan=plan, baseline=False, store=None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("workflow", "limit", "culprits"), ZOO, ids=[row[0].__name__ for row in ZOO])
def test_each_is_stopped_with_its_culprit(workflow: Any, limit: str, culprits: tuple[str, ...]) -> None:
    done = stopped(workflow, LIMITS if limit == "real_seconds" else LONGER)
    assert (done.outcome, done.stopped_by) == ("stopped_by_harness", limit)
    for culprit in culprits:
        assert culprit in str(done.error_text)
    assert stopped(async_loop, LONGER).stopped_by == "calls"  # nothing of it disturbs the next run
