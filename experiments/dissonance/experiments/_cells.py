"""One run of the matrix: a pattern in a runtime, as it comes or guarded, under one family of faults."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from dissonance.faults import Family
from dissonance.harness import Answer, Limits, Restartable, Run, ScriptedHuman, record_action, run
from dissonance.harness.limits import DAY
from dissonance.harness.runtimes import adapted
from dissonance.patterns.ports import Settings as Ported

from ._families import FAMILIES, Judged, bound_of, plan_of, says_so
from ._ported import TASK, built
from ._reference import reference

__all__ = ["DEFAULTS", "GUARDED", "SETTINGS", "Cell", "Row", "task_of"]

Row: TypeAlias = dict[str, str | int | float | bool | None]

DEFAULTS, GUARDED = "defaults", "guarded"
SETTINGS = (DEFAULTS, GUARDED)

_PATIENCE = 600.0
"""Real seconds: on a busy machine a run of CrewAI takes its time."""

_ALONE = ("loops", "process")
"""Families whose plans have two rules, so that no run without faults can tell what each was observed to do."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run. ``calls``: after so many the harness stops it; ``absent``: how its framework is installed, if it is not."""

    pattern: str
    runtime: str
    family: Family
    settings: str
    seed: int
    calls: int
    absent: str = ""

    @property
    def name(self) -> str:
        """What tells it from the others."""
        seed = f"-{self.seed}" if self.seed else ""
        return f"{self.pattern.replace('_', '-')}-{self.runtime.replace('_', '-')}-{self.family}-{self.settings}{seed}"

    def played(self, **how: Any) -> Run:
        """The run."""
        if self.runtime != "plain":
            import_module(f"dissonance.patterns.ports.{self.runtime}")  # outside of the run, as in a user's process
        return run(
            _Workflow(self.pattern, self.runtime, self.settings, self.family == "transport", self.family == "process"),
            task_of(self.seed),
            plan=plan_of(self.family, self.seed),
            seed=self.seed,
            limits=Limits(calls=self.calls, seconds=DAY, real_seconds=_PATIENCE),
            human=_reviewer() if self.pattern == "human_gate" else None,
            **({"baseline": self.family not in _ALONE} | how),
        )

    def __call__(self) -> Row:
        place: Row = {
            "pattern": self.pattern,
            "runtime": self.runtime,
            "family": self.family,
            "settings": self.settings,
            "seed": self.seed,
        }
        if self.absent:
            return place | {"absent": self.absent}
        with _unheard():
            made = self.played(store=None)
        return place | _measured(made, FAMILIES[self.family].judge, self.seed)


def task_of(seed: int) -> str:
    """The task: the same work, with other figures for each seed."""
    return TASK.replace("1,200", f"1,{200 + seed}").replace("14 percent", f"{14 + seed % 30} percent")


def _measured(made: Run, judge: Callable[[Run, int], Judged], seed: int) -> Row:
    counts = made.faults.values()
    found = judge(made, seed)
    struck = sum(min(counted.reached, counted.changed) for counted in counts)
    if not struck:
        found = Judged(status="unknown", reason="the fault reached nobody: nothing here answers to it")
    observed = [counted.observed for counted in counts if counted.observed is not None]
    return {
        "status": found.status,
        "reason": _line(found.reason),
        "silent": found.silent,
        "outcome": "unfinished" if made.outcome == "completed" and says_so(made.result) else made.outcome,
        "stopped_by": _stopper(made),
        "error": _line(made.error_text or ""),
        "fired": sum(counted.fired for counted in counts),
        "reached": sum(counted.reached for counted in counts),
        "changed": sum(counted.changed for counted in counts),
        "observed": sum(observed) if observed else None,
        "calls": made.calls,
        "tokens": made.tokens,
        "usd": made.usd,
        "seconds": made.seconds,
        "tier": made.tier,
    }


def _line(text: str) -> str:
    """One line of it, without the traceback that AutoGen writes into its errors: that names files of this machine."""
    return " ".join(text.partition("Traceback")[0].split())[:300]


def _stopper(made: Run) -> str:
    """Who ended it: the harness, a guard by its name, the error that was raised, or the end of the work."""
    if made.outcome == "stopped_by_harness":
        return f"harness: {made.stopped_by}"
    if made.stopped_by:
        return made.stopped_by
    if made.outcome != "completed":
        return (made.error_text or made.outcome).partition(":")[0]
    return bound_of(made.result) or "its own end"


@contextmanager
def _unheard() -> Iterator[None]:
    """What frameworks log of errors that were injected on purpose does not fill the terminal, if nobody handles it."""
    last, logging.lastResort = logging.lastResort, None
    try:
        yield
    finally:
        logging.lastResort = last


@cache
def _reviewer() -> ScriptedHuman:
    """One for all runs of a process, so that they share their baselines: a minute later, yes."""
    return ScriptedHuman(Answer("approve"))


# --- the workflows ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Workflow:
    """A factory: equal ones make the same workflow, so that the runs of one share its run without faults."""

    pattern: str
    runtime: str
    settings: str
    streamed: bool
    restartable: bool

    def __call__(self) -> Any:
        settings = Ported(guarded=self.settings == GUARDED, streamed=self.streamed)
        if self.restartable:
            return _restartable(self.pattern, self.runtime, settings)
        if self.runtime == "plain":
            return _callable(self.pattern, reference(self.pattern, settings))
        return built(self.runtime, self.pattern, settings, _act)


def _act(action: str) -> str:
    """The effect of ``human_gate``: it cannot be undone."""
    record_action("the approved action", action=action)
    return action.upper()


def _restartable(pattern: str, runtime: str, settings: Ported) -> Restartable:
    """The workflow of a process that is started again: with what its framework keeps, if it is guarded, else anew."""
    if runtime == "langgraph" and settings.guarded:
        play = _callable(pattern, _on_saver(pattern, settings))
    elif runtime == "plain" and settings.guarded:
        play = _stored(pattern, settings)
    else:
        fresh = _Workflow(pattern, runtime, GUARDED if settings.guarded else DEFAULTS, settings.streamed, False)

        def begin(task: str, human: Any = None) -> Any:
            made = fresh()
            return (adapted(made) or made)(task, **({} if human is None else {"human": human}))

        play = _callable(pattern, begin)
    return Restartable(start=play, resume=play)


def _callable(pattern: str, play: Callable[..., Any]) -> Callable[..., Any]:
    """The workflow with a parameter ``human`` where it has one."""
    if pattern == "human_gate":
        return lambda task, human: play(task, human=human)
    return lambda task: play(task)


def _stored(pattern: str, settings: Ported) -> Callable[..., Any]:
    """The reference on a store in a file, which outlives the process."""

    def url(folder: Path) -> str:
        return f"sqlite:///{folder / 'store.db'}"

    if pattern == "human_gate":
        return lambda task, human, folder: reference(pattern, settings, url(folder))(task, human=human)
    return lambda task, folder: reference(pattern, settings, url(folder))(task)


def _on_saver(pattern: str, settings: Ported) -> Callable[..., Any]:
    """A graph with a saver that outlives the process, here in the memory of the harness."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import Command

    saver = InMemorySaver()
    config = {"configurable": {"thread_id": "matrix"}}

    async def play(task: str, human: Any = None) -> Any:
        graph = built("langgraph", pattern, settings, _act)
        graph.checkpointer = saver
        under_way = (await graph.aget_state(config)).next
        state = await graph.ainvoke(None if under_way else {"task": task}, config, durability="sync")
        for number in count(1):
            waiting = state.get("__interrupt__")
            if not waiting:
                return state
            answer = await human.ask(_Interrupt(number, waiting[0].value))
            state = await graph.ainvoke(Command(resume=answer.decision == "approve"), config, durability="sync")

    return play


@dataclass(frozen=True)
class _Interrupt:
    """A graph's interrupt as a request to the human."""

    number: int
    action: Any
    deadline: float | None = None
    reason: str = "the graph has interrupted itself"

    @property
    def id(self) -> str:
        return f"interrupt-{self.number}"

    @property
    def summary(self) -> str:
        return str(self.action)
