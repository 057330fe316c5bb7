"""Histories made by hand, for tests of the report alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from dissonance.harness.call import Usage
from dissonance.harness.history import (
    CallSent,
    Event,
    FaultFired,
    GuardFired,
    History,
    ReplyReceived,
    RunEnded,
    RunStarted,
    Stopped,
)


@dataclass
class Counted:
    fired: int
    reached: int
    changed: int
    observed: int | None


@dataclass
class MadeRun:
    """What the report reads of a run."""

    history: History
    plan: tuple[dict[str, Any], ...] = ()
    schedule: int | None = None
    outcome: str = "completed"
    stopped_by: str | None = None
    error: str | None = None
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    tier: str = "T1"
    demoted_by: tuple[str, ...] = ()
    faults: dict[str, Counted] = field(default_factory=dict)
    baseline: MadeRun | None = None
    path: Path | None = None
    replay_line: str | None = None


def loop_history(rounds: int, *, faults: bool = True, guard: bool = False, stopped: bool = False) -> History:
    """A writer and a judge in turn, 4 s a call with 1 s between; the judge's first call is retried after a 529."""
    events: list[Event] = [
        RunStarted(id=0, at=0.0, workflow="review", task="t", seed=0, model={"name": "Gullible"}, rules=("r1",))
    ]

    def call(agent: str, ordinal: int, attempt: int, at: float, status: int = 200) -> float:
        sent = CallSent(
            id=len(events), at=at, agent=agent, endpoint="messages", model="claude-sonnet-4-5", ordinal=ordinal,
            attempt=attempt, tokens=100, max_tokens=1024, stream=False, system=None, tools=None, messages=("m",), params=None,
        )  # fmt: skip
        events.append(sent)
        if faults and agent == "judge":
            events.append(
                FaultFired(id=len(events), at=at, agent=agent, rule="r1", fault="RejectWork", call=sent.id, side="reply", changed=True)
            )  # fmt: skip
        good = status == 200
        events.append(
            ReplyReceived(
                id=len(events), at=at + 4, agent=agent, call=sent.id, status=status, seconds=4.0, ending="complete",
                usage=Usage(input_tokens=100 * ordinal, output_tokens=50) if good else None, usd=0.001 * ordinal if good else 0.0,
                stop_reason="end_turn" if good else None, error=None if good else "overloaded_error", reached=("r1",) if faults else (),
            )
        )  # fmt: skip
        return at + 5

    now = 0.0
    for number in range(1, rounds + 1):
        now = call("writer", number, 1, now)
        if number == 1:
            now = call("judge", 1, 1, now, status=529)
        now = call("judge", number, 2 if number == 1 else 1, now)
    if guard:
        events.append(GuardFired(id=len(events), at=now, agent=None, guard="step_budget", reason="12 of 12", data={}))
    if stopped:
        events.append(Stopped(id=len(events), at=now, limit="seconds", reason="2700 s are over"))
    outcome: Literal["stopped_by_harness", "completed"] = "stopped_by_harness" if stopped else "completed"
    events.append(
        RunEnded(id=len(events), at=now, outcome=outcome, stopped_by="seconds" if stopped else None, error=None, result=None)
    )  # fmt: skip
    return History(events)


@pytest.fixture(scope="session")
def make_history() -> Callable[..., History]:
    return loop_history


@pytest.fixture(scope="session")
def make_run() -> Callable[..., MadeRun]:
    def make(rounds: int = 3, **changes: Any) -> MadeRun:
        shape = {key: changes.pop(key) for key in ("faults", "guard", "stopped") if key in changes}
        history = loop_history(rounds, **shape)
        replies = history.replies()
        totals: dict[str, Any] = {
            "calls": len(history.calls()),
            "tokens": sum(r.usage.input_tokens + r.usage.output_tokens for r in replies if r.usage),
            "usd": sum(r.usd for r in replies),
            "seconds": history[-1].at,
        }
        return MadeRun(history=history, **(totals | changes))

    return make
