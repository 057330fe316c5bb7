"""What a run gives: :class:`Run`, to be looked at, judged and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from .call import JsonObject
from .checks.terminates import terminates
from .checks.verdict import Check, Tier, Verdict
from .errors import BadInput, CheckFailed
from .exchange import FaultCount
from .history import History, Outcome
from .judge import explain, judge
from .same import difference

__all__ = ["RecordedError", "Run", "Totals", "apart", "totals"]


class RecordedError(Exception):
    """What a stored run's workflow raised, as text: the exception itself is gone."""


@dataclass(eq=False, kw_only=True)
class Run:
    """What happened.

    ``calls`` counts requests to ``messages``; ``seconds`` are virtual; ``tokens`` are input and
    output, estimated; ``usd`` is by list prices. ``error`` is what the workflow raised,
    ``error_text`` that or the harness's reason to stop, in a line. ``tier`` with ``demoted_by`` says
    how far the run repeats. ``plan`` holds the rules as JSON, ``schedule`` the plan's seed of the order
    in which tasks and threads run. ``faults`` holds the four counters of each rule. ``baseline`` is the
    same without faults (None where there was no plan, or none was wanted), ``baseline_problem``
    says why it is no use. ``abandoned`` names threads and tasks that would not end,
    ``refused_hosts`` hosts that the workflow tried to reach. ``path`` is the run's folder, None
    where it was not stored. ``verdicts`` are those given so far. ``again`` makes the same run once more.
    """

    workflow: str
    task: Any
    seed: int
    model: JsonObject
    plan: tuple[JsonObject, ...]
    schedule: int | None
    outcome: Outcome
    stopped_by: str | None
    result: Any
    error: BaseException | None
    error_text: str | None
    history: History
    calls: int
    seconds: float
    tokens: int
    usd: float
    tier: Tier
    demoted_by: tuple[str, ...] = ()
    faults: dict[str, FaultCount] = field(default_factory=dict)
    baseline: Run | None = None
    baseline_problem: str | None = None
    abandoned: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()
    notes: JsonObject = field(default_factory=dict)
    path: Path | None = None
    replay_line: str | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    again: Callable[[], History] | None = field(default=None, repr=False)

    @cached_property
    def same_twice(self) -> str | None:
        """The first event, in words, in which a second run of the same plan differs; None where the two are the same.

        Asking runs it once more. Also None where that would prove nothing: for a stored run, in tier
        T3, and where the limit on real time ended it.
        """
        if self.again is None or self.tier == "T3" or self.stopped_by == "real_seconds":
            return None
        return difference(self.history, apart(self.again), self.tier)

    def judge(self, *checks: Check) -> tuple[Verdict, ...]:
        """The verdict of each check (default: ``terminates()``). Before a *fail* is reported, the run is made again."""
        for check in checks:
            if isinstance(check, type) or not callable(check):
                name = check.__name__ if isinstance(check, type) else check
                raise BadInput(f"{name!r} is no check: give one that is made, such as terminates()")
        verdicts = tuple(judge(self, check) for check in checks or (terminates(),))
        self.verdicts.extend(verdicts)
        return verdicts

    def check(self, *checks: Check) -> tuple[Verdict, ...]:
        """The verdicts, if all pass; else :class:`CheckFailed` with reasons, evidence and the line that replays."""
        __tracebackhide__ = True  # pytest shows the caller's line and the message
        verdicts = self.judge(*checks)
        if any(verdict.status != "pass" for verdict in verdicts):
            raise CheckFailed(explain(self, verdicts))
        return verdicts


Made = TypeVar("Made")


def apart(play: Callable[[], Made]) -> Made:
    """Play it, in a thread of its own where this one has an event loop: a run or a check may stand in an async test.

    Not inside an exception's handler: what the workflow raises would have that exception as its context.
    """
    if _has_loop():
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(play).result()
    return play()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Totals(TypedDict):
    """Sums over a run."""

    calls: int
    seconds: float
    tokens: int
    usd: float


def totals(history: History) -> Totals:
    """The sums over a history, as :class:`Run` names them."""
    replies = history.replies()
    usages = [reply.usage for reply in replies if reply.usage is not None]
    return {
        "calls": len(history.calls()),
        "seconds": history[-1].at,
        "tokens": sum(usage.total for usage in usages),
        "usd": sum(reply.usd for reply in replies),
    }
