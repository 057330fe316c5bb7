"""Runs a second of each of the six patterns, with the direct client and over the wire; and two things made of runs.

Both clients play the same runs in turns, in this process and in one block of :func:`~dissonance.harness.many_runs`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel

from dissonance.faults import FaultPlan, Space, find_minimal, repertoire, slots_of
from dissonance.harness import Run, ScriptedHuman, many_runs, run
from dissonance.harness.direct import DirectAnthropic
from dissonance.patterns import (
    Agent,
    Lead,
    Piece,
    Proposal,
    Sink,
    Stage,
    StepBudget,
    chain,
    debate,
    delegate,
    fan_out,
    human_gate,
    solo,
    supervise,
)
from dissonance.patterns.store import Store
from dissonance.reports import Case, probe_report, write_report

from .rows import Row, timed

__all__ = ["rows"]

TASK = "Summarise: Northwind sold 1,200 units in March 2024. Its margin was 14 percent."
RUNS = 20


class _Notice(BaseModel):
    task: str
    facts: str = ""
    draft: str = ""
    notice: str = ""


def _chain(client: AsyncAnthropic) -> Any:
    names = ("facts", "draft", "notice")
    works = [(name, solo(client, Agent(f"{name}-writer", f"Write the {name}."))) for name in names]
    return chain(_Notice, [Stage(name, work, sees=["task"]) for name, work in works])


def _fan_out(client: AsyncAnthropic) -> Any:
    work = solo(client, Agent("analyst", "Report what you are asked for."))
    return fan_out(work, split=lambda task: [Piece(name=name, task=f"{name}: {task}") for name in "abcd"])


def _supervise(client: AsyncAnthropic) -> Any:
    workers, judge = [Agent("writer", "Write a notice.")], Agent("judge", "Judge the notice.")
    return supervise(client, workers=workers, judge=judge, guards=[StepBudget(5)])


def _delegate(client: AsyncAnthropic) -> Any:
    members = (Agent("finance", "Report the finances."), Agent("sales", "Report the sales."))
    return delegate(
        client, Lead(Agent("head", "Have the reports written, then sum up."), members), guards=[StepBudget(9)]
    )


def _debate(client: AsyncAnthropic) -> Any:
    sides = [Agent("for", "Argue for it."), Agent("against", "Argue against it.")]
    return debate(client, sides, arbitrator=Agent("arbiter", "Decide."))


async def _send(key: str, action: Any) -> str:
    return "done"


def _human_gate(client: AsyncAnthropic) -> Any:
    async def gated(task: str, human: Any) -> Any:
        with Store("sqlite://") as store:
            propose = solo(client, Agent("clerk", "Propose what to do."), Proposal[str])
            return await human_gate(propose, Sink(_send), store=store, human=human)(task)

    return gated


_PATTERNS: dict[str, Callable[[AsyncAnthropic], Any]] = {
    "chain": _chain,
    "fan_out": _fan_out,
    "supervise": _supervise,
    "delegate": _delegate,
    "debate": _debate,
    "human_gate": _human_gate,
}


def _played(name: str, client: AsyncAnthropic) -> Run:
    human = ScriptedHuman() if name == "human_gate" else None
    return run(_PATTERNS[name](client), TASK, human=human, store=None)


def _spent(name: str, client: AsyncAnthropic) -> float:
    return timed(lambda: [_played(name, client) for _ in range(RUNS)])


def _pattern(name: str, rounds: int) -> Row:
    """What a run with the direct client costs, over what the same run costs over the wire."""
    clients = (DirectAnthropic(), AsyncAnthropic(api_key="none"))
    with many_runs():
        made, same = (_played(name, client) for client in clients)
        assert made.outcome == "completed", made.error_text
        assert list(made.history) == list(same.history)
        spent = [[_spent(name, client) for client in clients] for _ in range(rounds)]
    direct, wire = (1000 * median(side) / RUNS for side in zip(*spent, strict=True))
    detail = f"{made.calls} calls; {1000 / direct:,.0f} runs a second and core, over the wire {1000 / wire:,.0f}"
    return Row(f"{name}, direct over wire", 0.1, median(one / other for one, other in spent), "times", detail)


def _search() -> Row:
    """CPU seconds until the smallest plan is found that brings out one planted bug."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from planted import PLANTED
    from planted import TASK as GIVEN

    bug = PLANTED[0]
    known = repertoire(bug.families)
    found: list[Any] = []

    def search() -> None:
        space = Space(slots=slots_of(bug.flow(False), GIVEN, faults=known, human=bug.human), faults=known)
        found.append(find_minimal(bug.flow(False), bug.checks, space, task=GIVEN, human=bug.human))

    spent = timed(search)
    assert found[0].plan == FaultPlan(rules=bug.rules)
    return Row(
        "search to a minimal plan", 10.0, spent, "s", f"{bug.name}; {found[0].runs} runs; see benchmarks.planted"
    )


def _report(rounds: int) -> Row:
    """CPU seconds for the page of one run; matplotlib is loaded beforehand."""
    made = _played("supervise", DirectAnthropic())
    verdicts = made.judge()

    def write() -> None:
        with TemporaryDirectory() as folder:
            write_report(
                probe_report(
                    "What breaks it?", [Case(name="plain", question="Does it end?", run=made, verdicts=verdicts)]
                ),
                folder,
            )

    write()
    return Row("a report of one run", 2.0, median(timed(write) for _ in range(rounds)), "s", f"{rounds} rounds")


def rows(rounds: int) -> Iterator[Row]:
    """The six patterns; a search; a report."""
    for name in _PATTERNS:
        yield _pattern(name, rounds)
    yield _search()
    yield _report(rounds)
