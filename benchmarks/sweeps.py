"""Runs by the hundred and thousand: what one costs with either client, back-off in virtual time, kills, memory.

Supervise's runs make 10 calls each: five drafts, each rejected by the judge. Both clients play the same
runs in turns, in this process.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from anthropic import AsyncAnthropic

from dissonance.faults import At, FaultPlan, RateLimit, RejectWork, Rule, When
from dissonance.harness import Run, Scripted, many_runs, run
from dissonance.harness.direct import DirectAnthropic
from dissonance.harness.sweep import Case, Progress, sweep
from dissonance.harness.sweep.segments import Segments
from dissonance.patterns import Agent, StepBudget, supervise

from .rows import Row, timed

__all__ = ["rows"]

_WIRE = AsyncAnthropic(api_key="none")
_DIRECT = DirectAnthropic()
_OK = Scripted("All is well.")
_REJECTS = FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork())])
_LIMITED = FaultPlan(rules=[Rule(when=When(call=1, attempt=1), fault=RateLimit(retry_after=0.5))])
_KILLS = 200
_CASES = 400


# --- runs -------------------------------------------------------------------------------------


async def _ask(client: AsyncAnthropic, task: str) -> None:
    said: Any = [{"role": "user", "content": task}]
    await client.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=said)


def _one_call(client: AsyncAnthropic) -> Run:
    return run(partial(_ask, client), "Say it.", model=_OK, store=None)


def _ten_calls(client: AsyncAnthropic) -> Run:
    workers, judge = [Agent("writer", "Write a notice.")], Agent("judge", "Judge the notice.")
    made = supervise(client, workers=workers, judge=judge, guards=[StepBudget(5)], attempts_per_worker=9)
    return run(made, "Write it.", plan=_REJECTS, baseline=False, store=None)


def _run_cost(
    name: str, play: Callable[[AsyncAnthropic], Run], calls: int, target: float, rounds: int
) -> Iterator[Row]:
    """CPU milliseconds of a run with the direct client; and as a share of what the wire's costs."""
    runs = 100
    for client in (_WIRE, _DIRECT):
        made = play(client)
        assert made.calls == calls, (made.calls, made.error_text)

    def spent(client: AsyncAnthropic) -> float:
        with many_runs():
            return timed(lambda: [play(client) for _ in range(runs)]) * 1000 / runs

    pairs = [(spent(_DIRECT), spent(_WIRE)) for _ in range(rounds)]
    direct, wire = (median(side) for side in zip(*pairs, strict=True))
    detail = f"{1000 / direct:,.0f} runs a second and core; over the wire {1000 / wire:,.0f}"
    yield Row(f"{name}, direct client", target, direct, "ms", detail)
    share = median(one / other for one, other in pairs)
    yield Row(f"{name}, direct over wire", 0.1, share, "times", f"{direct:.2f} ms against {wire:.2f} ms")


def _back_off(runs: int = 50) -> Row:
    """Wall time of runs whose first call gets a 429, through the SDK's own back-off."""
    began = time.perf_counter()
    waited = 0.0
    for _ in range(runs):
        made = run(partial(_ask, _WIRE), "Say it.", model=_OK, plan=_LIMITED, baseline=False, store=None)
        assert (made.outcome, made.calls) == ("completed", 2)
        waited += made.seconds
    spent = time.perf_counter() - began
    return Row(f"{runs} runs with a 429 each", 1.0, spent, "s wall", f"{waited:.0f} virtual seconds")


# --- sweeps -----------------------------------------------------------------------------------


def _cheap(case: Case) -> dict[str, Any]:
    drawn = int.from_bytes(blake2b(b"%d" % case.seed, digest_size=4).digest(), "big")
    return {"drawn": drawn / 2**32, "verdict": "fail" if drawn % 5 == 0 else "pass"}


def _swept(runs: int, jobs: int) -> Any:
    """What a fresh process measures of a sweep; see ``_swept``."""
    command = [sys.executable, "-m", "benchmarks._swept", str(runs), str(jobs)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _at_scale(runs: int = 10_000) -> Iterator[Row]:
    """Memory of a sweep against one of a tenth of its runs, parent and workers; its time on two cores against one.

    On two cores, parent and workers share them: where nothing else runs, the CPU time of all of them, over that of the
    same sweep in one process, is twice the share of its wall time. It is what a busy machine can measure, too.
    """
    few, many, alone = _swept(runs // 10, 2), _swept(runs, 2), _swept(runs, 1)
    for who in ("parent", "workers"):
        one, other = many[who]["peak"], few[who]["peak"]
        detail = f"peak {one:.0f} MB against {other:.0f} MB, fresh processes, two workers, a call a run"
        yield Row(f"memory of a sweep of {runs:,} over {runs // 10:,}, {who}", 1.2, one / other, "times", detail)
    parent, workers, single = many["parent"]["cpu"], many["workers"]["cpu"], alone["parent"]["cpu"]
    detail = f"{parent:.1f} s of the parent and {workers:.1f} s of the workers against {single:.1f} s, {runs:,} runs"
    yield Row("a sweep on two workers over one, CPU of all", 2 / 1.7, (parent + workers) / single, "times", detail)
    detail = f"{many['wall']:.1f} s against {alone['wall']:.1f} s: {alone['wall'] / many['wall']:.2f} times as fast"
    yield Row("a sweep on two workers over one, wall", 1 / 1.7, many["wall"] / alone["wall"], "times", detail)


def _play(folder: Path, started: int) -> None:
    def tell(progress: Progress) -> None:
        if progress.done:
            os.write(started, b".")

    sweep(_cheap, {}, seeds=_CASES, folder=folder, progress=tell)


def _kill_once(folder: Path, seconds: float) -> bool:
    """Kill a forked sweep so long after its first acknowledged result; whether it was still at work."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    child = os.fork()
    if not child:
        try:
            _play(folder, writes)
        except BlockingIOError:
            os._exit(2)
        finally:
            os._exit(0)
    os.close(writes)
    os.read(reads, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.close(reads)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _losses(kills: int = _KILLS) -> Row:
    """Acknowledged results that a kill lost or doubled; each killed sweep is resumed until it is whole."""
    draw = random.Random(0)
    done = lost = sweeps = 0
    with TemporaryDirectory() as root:
        whole = sweep(_cheap, {}, seeds=_CASES, folder=Path(root, "whole")).path.read_bytes()
        while done < kills:
            sweeps += 1
            folder = Path(root, str(sweeps))
            before: dict[int, Any] = {}
            while done < kills and _kill_once(folder, draw.uniform(0, 0.01)):
                done += 1
                now = dict(Segments(folder / "segments", _CASES).rows())  # raises for one that is there twice
                lost += len([number for number, row in before.items() if now.get(number) != row])
                before = now
            lost += sweep(_cheap, {}, seeds=_CASES, folder=folder).path.read_bytes() != whole
    return Row("results lost or doubled", 0, lost, "of all", f"{done} kills of {sweeps} sweeps of {_CASES} cases")


def rows(rounds: int) -> Iterator[Row]:
    """Runs with either client, then sweeps."""
    yield from _run_cost("a run of one call", _one_call, 1, 1000 / 2500, rounds)
    yield from _run_cost("supervise, 10 calls", _ten_calls, 10, 1000 / 500, rounds)
    yield _back_off()
    yield from _at_scale()
    yield _losses()
