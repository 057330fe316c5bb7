"""Fan-out and fan-in: a task falls into independent parts, which are done concurrently and put together.

**When to use it.** The parts need nothing of each other and cost about the same: n profiles, n documents, n
sources. **When not.** One part needs another's result (``chain``), or whether a part is good enough must be
decided (make ``supervise`` the work of each branch).

**What it costs.** The calls of all branches, and one each for a model that splits and one that merges. With
branches of p₁ … pₙ seconds, m at once, it takes max(max p, Σp/m) at best and (2 - 1/m) times the optimum at
worst (Graham's bound of list scheduling). Hedging adds a second copy of each branch that is late.

**How it fails.** The slowest branch is the latency of all: give ``branch_guards=[TimeBox(180)]``. A failed
branch is an explicit gap, and never loses the others. A gap that a merging model passes over is put back by
the orchestrator. Branches that contradict each other are surfaced where ``facts`` can tell what they say.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar, overload

from .concurrent import all_of, first_of
from .guards import Guard, Rounds
from .guards.guard import Stop, looks_at_steps
from .outcome import NO_USAGE, Outcome, Pattern
from .parts import Conflict, FannedOut, Part, Piece, conflicts_between, table
from .provenance import Provenance
from .question import Halted
from .reply import DamagedReply
from .states import StateMachine

__all__ = ["STATES", "Reduce", "Split", "fan_out"]

STATES = StateMachine(
    "fan_out",
    {
        "splitting": ("branching", "stopped"),
        "branching": ("reducing", "stopped"),
        "reducing": ("reduced", "too_many_gaps", "failed", "stopped"),
        "reduced": (),
        "too_many_gaps": (),
        "failed": (),
        "stopped": (),
    },
)

T = TypeVar("T")
R = TypeVar("R")

Split: TypeAlias = Callable[[str], "Iterable[Piece] | Awaitable[Outcome[Iterable[Piece]]]"]
"""Gives a task's pieces: code, or an agent (see ``splitter``)."""
Reduce: TypeAlias = Callable[[str, Sequence[Part[T]], Sequence[Conflict]], R]
"""Puts the parts together: code that gives the output, or an agent that gives an awaitable Outcome (see ``merger``).
It is given the gaps and the conflicts too."""


@overload
def fan_out(
    work: Pattern[T],
    *,
    split: Split,
    at_once: int = 4,
    at_least: int = 1,
    hedge: float | None = None,
    facts: Callable[[T], Mapping[str, Any]] | None = None,
    branch_guards: Sequence[Guard] = (),
    guards: Sequence[Guard] = (),
) -> Callable[[str], Coroutine[Any, Any, FannedOut[dict[str, Any]]]]: ...
@overload
def fan_out(
    work: Pattern[T],
    *,
    split: Split,
    reduce: Reduce[T, Awaitable[Outcome[R]]],
    at_once: int = 4,
    at_least: int = 1,
    hedge: float | None = None,
    facts: Callable[[T], Mapping[str, Any]] | None = None,
    branch_guards: Sequence[Guard] = (),
    guards: Sequence[Guard] = (),
) -> Callable[[str], Coroutine[Any, Any, FannedOut[R]]]: ...
@overload
def fan_out(
    work: Pattern[T],
    *,
    split: Split,
    reduce: Reduce[T, R],
    at_once: int = 4,
    at_least: int = 1,
    hedge: float | None = None,
    facts: Callable[[T], Mapping[str, Any]] | None = None,
    branch_guards: Sequence[Guard] = (),
    guards: Sequence[Guard] = (),
) -> Callable[[str], Coroutine[Any, Any, FannedOut[R]]]: ...
def fan_out(
    work: Pattern[Any],
    *,
    split: Split,
    reduce: Reduce[Any, Any] = table,
    at_once: int = 4,
    at_least: int = 1,
    hedge: float | None = None,
    facts: Callable[[Any], Mapping[str, Any]] | None = None,
    branch_guards: Sequence[Guard] = (),
    guards: Sequence[Guard] = (),
) -> Callable[[str], Coroutine[Any, Any, FannedOut[Any]]]:
    """A pattern that does each piece of a task by ``work``, and reduces the parts to one output.

    * ``at_once`` (from 1): how many branches run at a time; the others wait in the order of the pieces.
    * ``at_least`` (from 1): so many parts make it an answer, gaps and all; with fewer it is unfinished.
    * ``hedge``: seconds after which a branch that is not done is started a second time; the first to
      finish counts, the other is cancelled. None: never.
    * ``facts``: the facts that an output states, by name; parts that differ in one are a conflict.
    * ``branch_guards``: hold for each branch by itself: a time box, guards of its calls and of its output.
      ``guards`` hold for the whole. Neither may be a guard of steps: a fan-out has no loop.

    Stopped as a whole, its output is what a reducer makes of the parts so far if that is plain code, else
    None; ``parts`` has them all.
    """
    for argument, value in [("at_once", at_once), ("at_least", at_least)]:
        if value < 1:
            raise ValueError(f"{argument}={value!r}: give 1 or more")
    if hedge is not None and not hedge > 0:
        raise ValueError(f"hedge={hedge!r}: give seconds above 0, or None")
    if loops := [guard.name for guard in (*branch_guards, *guards) if looks_at_steps(guard)]:
        raise ValueError(f"guards={loops!r}: a fan-out has no loop for them to watch; give them to the branches' work")
    plan: _Plan[Any, Any] = _Plan(
        work, split, reduce, at_once, at_least, hedge, facts, tuple(branch_guards), tuple(guards)
    )

    async def fanning_out(task: str) -> FannedOut[Any]:
        return await _Run(plan, task).run()

    return fanning_out


@dataclass(frozen=True)
class _Plan(Generic[T, R]):
    work: Pattern[T]
    split: Split
    reduce: Reduce[T, R | Awaitable[Outcome[R]]]
    at_once: int
    at_least: int
    hedge: float | None
    facts: Callable[[T], Mapping[str, Any]] | None
    branch_guards: tuple[Guard, ...]
    guards: tuple[Guard, ...]


class _Run(Generic[T, R]):
    """One task, fanned out."""

    def __init__(self, plan: _Plan[T, R], task: str) -> None:
        self._plan = plan
        self._task = task
        self._rounds = Rounds(plan.guards)
        self._slots = asyncio.Semaphore(plan.at_once)
        self._pieces: list[Piece] = []
        self._parts: dict[str, Part[T]] = {}
        self._trace = STATES.trace()

    async def run(self) -> FannedOut[R]:
        async with self._rounds:
            self._pieces = await self._split()
            self._trace.to("branching")
            await all_of(self._branch(piece) for piece in self._pieces)
            self._trace.to("reducing")
            output = self._plan.reduce(self._task, self._all(), self._conflicts())
            if not inspect.isawaitable(output):
                return await self._checked(output, None)
            made: Outcome[R] = await _kept(output)
            self._rounds.spend(made.usage)
            if made.finished:
                return await self._checked(made.require(), made.provenance)
            return self._ended(made.output, None, stop=_stop(made.stopped_by, made.reason), failed=made.reason)
        return self._ended(self._by_code(), None, stop=self._rounds.stop)

    async def _split(self) -> list[Piece]:
        pieces = self._plan.split(self._task)
        if inspect.isawaitable(pieces):
            outcome = await pieces
            self._rounds.spend(outcome.usage)
            pieces = outcome.require()
        found = list(pieces)
        names = [piece.name for piece in found]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"split gave the pieces {names!r}: give at least one, each with a name of its own")
        return found

    # --- branches -----------------------------------------------------------------------------

    async def _branch(self, piece: Piece) -> None:
        async with self._slots:
            self._rounds.begin()
            clock = asyncio.get_running_loop()
            began = clock.time()
            part = await self._attempted(piece)
            self._parts[piece.name] = replace(part, seconds=clock.time() - began)
            self._rounds.spend(part.usage)

    async def _attempted(self, piece: Piece) -> Part[T]:
        """The branch under its own guards. What it raises is a gap, unless another pattern's guard stopped it."""
        branch = Rounds(self._plan.branch_guards)
        try:
            async with branch:
                outcome = await self._worked(piece)
                return await self._received(branch, piece, outcome)
        except Halted as halted:
            if halted.scope is not self._rounds:
                raise
            return _gap(piece, branch, f"{halted.stopped_by}: {halted.reason}", halted.stopped_by)
        except Exception as error:
            partial = error.partial or None if isinstance(error, DamagedReply) else None
            return _gap(piece, branch, f"{type(error).__name__}: {error}", partial=partial)
        stop = branch.stop
        assert stop is not None, "the block ended without a part and without a stop"
        return _gap(piece, branch, f"{stop.guard}: {stop.reason}", stop.guard)

    async def _worked(self, piece: Piece) -> Outcome[T]:
        if self._plan.hedge is None:
            return await self._plan.work(piece.task)
        return await first_of(lambda: self._plan.work(piece.task), after=self._plan.hedge)

    async def _received(self, branch: Rounds, piece: Piece, outcome: Outcome[T]) -> Part[T]:
        origin = outcome.provenance or Provenance(by=piece.name)
        part: Part[T] = Part(name=piece.name, task=piece.task, usage=outcome.usage, provenance=origin)
        if not outcome.finished:
            return replace(part, partial=outcome.output, missing=outcome.reason, stopped_by=outcome.stopped_by)
        origin, stop = await branch.verify(piece.task, outcome.output, origin)
        part = replace(part, usage=outcome.usage + branch.spent, provenance=origin)
        if stop is not None:
            branch.reject(stop, origin.by)
            reason = f"{stop.guard}: {stop.reason}"
            return replace(part, partial=outcome.output, missing=reason, stopped_by=stop.guard)
        return replace(part, output=outcome.output)

    # --- the whole ----------------------------------------------------------------------------

    def _all(self) -> list[Part[T]]:
        never: dict[str, Any] = {"missing": "it was not done when the whole was stopped"}
        if self._rounds.stop is not None:
            never["stopped_by"] = self._rounds.stop.guard
        return [
            self._parts.get(piece.name) or Part(name=piece.name, task=piece.task, **never) for piece in self._pieces
        ]

    def _conflicts(self) -> tuple[Conflict, ...]:
        return () if self._plan.facts is None else conflicts_between(self._all(), self._plan.facts)

    def _by_code(self) -> R | None:
        output = self._plan.reduce(self._task, self._all(), self._conflicts())
        if inspect.iscoroutine(output):
            output.close()
        return None if inspect.isawaitable(output) else output

    async def _checked(self, output: R, origin: Provenance | None) -> FannedOut[R]:
        origin, stop = await self._rounds.verify(self._task, output, origin or Provenance(by="fan_out"))
        if stop is not None:
            self._rounds.reject(stop, origin.by)
        return self._ended(output, origin, stop=stop)

    def _ended(
        self, output: R | None, origin: Provenance | None, *, stop: Stop | None, failed: str | None = None
    ) -> FannedOut[R]:
        parts = self._all()
        gaps = [part for part in parts if part.missing is not None]
        origins = [part.provenance for part in parts if part.missing is None and part.provenance is not None]
        cut = next((part.stopped_by for part in gaps if part.stopped_by), None)
        missing = f"{len(gaps)} of {len(parts)} parts are missing: " + "; ".join(
            f"{g.name} ({g.missing})" for g in gaps
        )
        reason = failed or (stop.reason if stop is not None else missing if gaps else None)
        enough = len(parts) - len(gaps) >= self._plan.at_least
        state = "stopped" if stop else "failed" if failed else "reduced" if enough else "too_many_gaps"
        self._trace.to(state)
        return FannedOut(
            output=output,
            finished=state == "reduced",
            steps=self._rounds.steps,
            usage=self._rounds.spent,
            stopped_by=cut if stop is None else stop.guard,
            reason=reason,
            provenance=None if origin is None else origin.resting_on(*origins),
            parts=tuple(parts),
            conflicts=self._conflicts(),
        )


async def _kept(reducing: Awaitable[Outcome[R]]) -> Outcome[R]:
    """The reducer's outcome; where it fails, one that says so, since the parts are there and must not be lost."""
    try:
        return await reducing
    except Halted:
        raise
    except Exception as error:
        usage = error.usage if isinstance(error, DamagedReply) else NO_USAGE
        reason = f"the reducer failed: {type(error).__name__}: {error}"
        return Outcome(output=None, finished=False, steps=0, usage=usage, reason=reason)


def _stop(guard: str | None, reason: str | None) -> Stop | None:
    return None if guard is None else Stop(guard, str(reason))


def _gap(piece: Piece, branch: Rounds, why: str, guard: str | None = None, partial: Any = None) -> Part[Any]:
    """A part that is missing. It is paid for all the same: the calls that were made are counted."""
    said = branch.said if partial is None else partial
    usage = branch.metered if branch.metered != NO_USAGE else branch.spent
    return Part(name=piece.name, task=piece.task, missing=why, stopped_by=guard, partial=said, usage=usage)
