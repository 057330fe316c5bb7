"""Tasks that arrive while others are being done."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from worlds import succeed

from dissonance.patterns import Outcome, Served, Signal, StepBudget, Usage, Worker, arriving, serve, supervise


async def nap(task: str) -> Outcome[str]:
    """Work that takes as many seconds as its task says; a negative number fails at once."""
    if task.startswith("-"):
        raise ValueError(task)
    await asyncio.sleep(float(task))
    return Outcome(output=task, finished=True, steps=1, usage=Usage())


async def after(*tasks: tuple[float, str]) -> AsyncIterator[str]:
    """Each task at its second."""
    for at, task in tasks:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        yield task


async def served(tasks: AsyncIterator[str], at_once: int = 4) -> list[tuple[float, str]]:
    clock = asyncio.get_running_loop()
    return [(clock.time(), each.task) async for each in serve(nap, tasks, at_once=at_once)]


def test_each_task_begins_when_it_arrives_and_is_given_when_it_ends() -> None:
    assert succeed(lambda: served(after((0, "9"), (1, "2"), (20, "5")))).result == [(3, "2"), (9, "9"), (25, "5")]


def test_no_task_is_taken_before_there_is_a_slot() -> None:
    taken: list[float] = []

    async def source() -> AsyncIterator[str]:
        for task in ("4", "6", "1"):
            taken.append(asyncio.get_running_loop().time())
            yield task

    result = succeed(lambda: served(source(), at_once=2)).result
    assert (result, taken) == ([(4, "4"), (5, "1"), (6, "6")], [0, 0, 0])


def test_a_failed_task_loses_no_other() -> None:
    async def outcomes() -> list[Served[str]]:
        return [each async for each in serve(nap, after((0, "5"), (1, "-1"), (2, "1")))]

    results = succeed(outcomes).result
    assert [(each.index, each.task, str(each.error)) for each in results] == [
        (2, "-1", "-1"),
        (3, "1", "None"),
        (1, "5", "None"),
    ]


def test_a_queue_ends_with_none() -> None:
    async def queued() -> list[tuple[float, str]]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        for each in ("3", "1", None):
            queue.put_nowait(each)
        return await served(arriving(queue))

    assert succeed(queued).result == [(1, "1"), (3, "3")]


def test_who_leaves_early_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def work(task: str) -> Outcome[str]:
        try:
            return await nap(task)
        finally:
            ended.append(task)

    async def first() -> float:
        async with contextlib.aclosing(serve(work, after((0, "1"), (0, "99"), (50, "1")))) as results:
            async for _ in results:
                break
        return asyncio.get_running_loop().time()

    assert (succeed(first).result, ended) == (1, ["1", "99"])


def test_an_error_of_the_source_is_passed_on() -> None:
    async def source() -> AsyncIterator[str]:
        yield "9"
        raise OSError("the queue is gone")

    async def failing() -> None:
        with pytest.raises(OSError, match="the queue is gone"):
            await served(source())

    assert succeed(failing).seconds == 0


def test_at_once_is_checked() -> None:
    with pytest.raises(ValueError, match="at_once=0: give 1 or more"):
        asyncio.run(served(after(), at_once=0))


# --- in front of a supervisor -------------------------------------------------------------------


def pool(seconds: Sequence[float], done: list[str]) -> list[Worker[str]]:
    def at(name: str, duration: float) -> Worker[str]:
        async def work(prompt: str) -> Outcome[str]:
            await asyncio.sleep(duration)
            done.append(name)
            return Outcome(output="ok", finished=True, steps=1, usage=Usage())

        return Worker(name, work)

    return [at(f"w{number}", each) for number, each in enumerate(seconds)]


def passing(task: str, output: str) -> Signal:
    return Signal(output == "ok", "not ok")


def test_tasks_go_to_the_worker_that_has_least_in_hand() -> None:
    """Twelve tasks at once, three workers, one of them five times as slow: who is fast gets more."""
    done: list[str] = []

    async def all_of_them() -> int:
        team = supervise(None, workers=pool([10, 10, 50], done), checks=[passing])  # type: ignore[call-overload]
        return len([each async for each in serve(team, after(*[(0, str(n)) for n in range(12)]), at_once=3)])

    played = succeed(all_of_them)
    assert (played.result, played.seconds) == (12, 60)
    assert {name: done.count(name) for name in ("w0", "w1", "w2")} == {"w0": 6, "w1": 5, "w2": 1}


def guessing(share: float, seed: int) -> Worker[str]:
    """Right with probability ``share`` when it draws blindly; right at once when it is told what was wrong."""
    chance = random.Random(seed)

    async def work(prompt: str) -> Outcome[str]:
        right = "Write ok" in prompt or chance.random() < share
        return Outcome(output="ok" if right else "wrong", finished=True, steps=1, usage=Usage(calls=1))

    return Worker("guesser", work)


@pytest.mark.parametrize("informed", [True, False])
def test_informed_retries_against_blind_ones(informed: bool) -> None:
    """Told what is wrong it needs 1 + (1 - p) attempts in the mean, drawing again 1/p; within three standard errors."""
    p, tasks = 0.2, 2000

    def says_how(task: str, output: str) -> Signal:
        return Signal(output == "ok", "Write ok")

    async def attempts() -> list[int]:
        team: Any = supervise(None, workers=[guessing(p, 7)], checks=[says_how], informed=informed)  # type: ignore[call-overload]
        return [(await team(str(n))).steps for n in range(tasks)]

    counts = asyncio.run(attempts())
    mean, variance = (2 - p, p * (1 - p)) if informed else (1 / p, (1 - p) / p**2)
    assert abs(sum(counts) / tasks - mean) <= 3 * (variance / tasks) ** 0.5


def test_what_never_passes_is_a_dead_letter_with_all_its_attempts() -> None:
    letters: list[Any] = []

    async def bad(prompt: str) -> Outcome[str]:
        return Outcome(output="wrong", finished=True, steps=1, usage=Usage())

    async def all_of_them() -> list[bool]:
        team = supervise(
            None,  # type: ignore[call-overload]
            workers=[Worker("a", bad), Worker("b", bad)],
            checks=[passing],
            guards=[StepBudget(3)],
            dead_letter=letters.append,
        )
        return [each.outcome.finished async for each in serve(team, after((0, "1"), (0, "2"))) if each.outcome]

    assert succeed(all_of_them).result == [False, False]
    assert [(letter.stopped_by, len(letter.attempts)) for letter in letters] == [("step_budget", 3)] * 2
