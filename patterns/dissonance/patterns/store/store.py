"""The store: runs and their checkpoints, asks and their answers, effects and their idempotency keys.

Each method is one transaction, so it has happened whole or not at all, and each that adds something does so once:
called again, by this process or another, it gives back what is there. That is the whole protocol of resuming:
do everything again, and find it done.

Methods are plain functions that take about a millisecond where the database is near; call them by
``asyncio.to_thread`` where it is far. A store may be used by many threads, but not by a forked child: open one there.
Deadlines are measured by ``clock``, so machines that share a store should agree on the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from dissonance.patterns.human import HumanAnswer, HumanRequest

from . import tables
from .database import Database, StoreError, as_json, insert_new
from .rows import Ask, Checkpoint, Effect, OpenRun, Submitted, ask_of, decided, effect_of, locked, request_row

__all__ = ["Store"]


class Store:
    """Durable state at a URL of SQLAlchemy's: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.

    Brings the schema up to date as it opens. ``clock`` gives seconds since 1970; by default it is ``time.time``.
    Raises StoreError for a URL that it can't use and for a schema of a newer release.
    """

    def __init__(self, url: str = "sqlite:///dissonance.db", *, clock: Callable[[], float] | None = None) -> None:
        self._database = Database(url)
        self._clock = clock or (lambda: time.time())
        self.transaction = self._database.transaction

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._database.engine.dispose()

    # --- runs and checkpoints -----------------------------------------------------------------

    def open(self, run: str, pattern: str, task: Any) -> None:
        """A run begins, or goes on. Raises StoreError if it is known with another pattern or task."""
        row = {"id": run, "pattern": pattern, "task": as_json(task), "opened_at": self._clock()}
        with self.transaction() as connection:
            if insert_new(connection, tables.runs, row):
                return
            known = connection.execute(select(tables.runs).where(tables.runs.c.id == run)).one()
        if (known.pattern, known.task) != (pattern, row["task"]):
            raise StoreError(
                f"run={run!r} is known as {known.pattern!r} with another task: give each run an id of its own"
            )

    def finish(self, run: str) -> None:
        """The run has ended; nobody needs to resume it."""
        with self.transaction() as connection:
            table = tables.runs
            connection.execute(
                update(table).where(table.c.id == run, table.c.closed_at.is_(None)).values(closed_at=self._clock())
            )

    def unfinished(self, pattern: str | None = None) -> tuple[OpenRun, ...]:
        """The runs to be resumed, of one pattern or of all, the oldest first."""
        table = tables.runs
        query = select(table.c.id, table.c.pattern, table.c.task).where(table.c.closed_at.is_(None))
        if pattern is not None:
            query = query.where(table.c.pattern == pattern)
        return tuple(OpenRun(row.id, row.pattern, row.task) for row in self._all(query.order_by(table.c.n)))

    def checkpoint(self, run: str, stage: str) -> Checkpoint | None:
        """What a stage gave; None if it is not finished."""
        table = tables.checkpoints
        query = select(table.c.stage, table.c.value).where(table.c.run == run, table.c.stage == stage)
        return next((Checkpoint(row.stage, row.value) for row in self._all(query)), None)

    def checkpoints(self, run: str) -> tuple[Checkpoint, ...]:
        """All finished stages of a run, in the order in which they were saved."""
        table = tables.checkpoints
        query = select(table.c.stage, table.c.value).where(table.c.run == run).order_by(table.c.n)
        return tuple(Checkpoint(row.stage, row.value) for row in self._all(query))

    def save(self, run: str, stage: str, value: Any) -> Checkpoint:
        """Keep what a stage gave, a JSON value. The first to save a stage wins: go on with what comes back."""
        row = {"run": run, "stage": stage, "value": as_json(value), "at": self._clock()}
        with self.transaction() as connection:
            if insert_new(connection, tables.checkpoints, row):
                return Checkpoint(stage, row["value"], new=True)
        kept = self.checkpoint(run, stage)
        assert kept is not None  # rows are never deleted
        return kept

    # --- asks and answers ---------------------------------------------------------------------

    def ask(self, run: str, request: HumanRequest, default: HumanAnswer) -> Ask:
        """Put a request into the queue; ``default`` counts once its deadline has passed.

        An ask of this id that is there already stays as it is, its deadline too, and is given back.
        """
        now = self._clock()
        row = {
            "id": request.id,
            "run": run,
            "request": as_json(request_row(request)),
            "default": as_json(default.model_dump()),
            "asked_at": now,
            "deadline_at": None if request.deadline is None else now + request.deadline,
        }
        with self.transaction() as connection:
            insert_new(connection, tables.asks, row)
            return ask_of(locked(connection, request.id))

    def notified(self, ask: str) -> None:
        """The human has been told of the ask."""
        with self.transaction() as connection:
            table = tables.asks
            connection.execute(
                update(table).where(table.c.id == ask, table.c.notified_at.is_(None)).values(notified_at=self._clock())
            )

    def seconds_left(self, ask: Ask) -> float | None:
        """Until the deadline of an ask, 0 or less past it; None where it has none."""
        return None if ask.deadline_at is None else ask.deadline_at - self._clock()

    def pending(self) -> tuple[Ask, ...]:
        """The queue: what waits for a human and can still be answered, the oldest first."""
        table = tables.asks
        query = select(table).where(
            table.c.answer.is_(None), table.c.deadline_at.is_(None) | (table.c.deadline_at > self._clock())
        )
        return tuple(ask_of(row) for row in self._all(query.order_by(table.c.n)))

    def answer(self, ask: str, answer: HumanAnswer) -> Submitted:
        """Record an answer. The first that comes before the deadline counts; all are kept.

        Raises StoreError for an ask that nobody made.
        """
        said = as_json(answer.model_dump())
        with self.transaction() as connection:
            self._is_decided(connection, locked(connection, ask))
            number = self._record(connection, ask, said)
            deciding, answered_by = decided(connection, ask)
        return Submitted(deciding == number, answered_by)

    def decision(self, ask: str) -> HumanAnswer | None:
        """The answer that counts; None while there is time for one. Past the deadline it is the default.

        Raises StoreError for an ask that nobody made.
        """
        with self.transaction() as connection:
            return decided(connection, ask)[1] if self._is_decided(connection, locked(connection, ask)) else None

    def answers(self, ask: str) -> tuple[HumanAnswer, ...]:
        """All answers to an ask, in the order in which they came; at most one of them counts."""
        table = tables.answers
        query = select(table.c.answer).where(table.c.ask == ask).order_by(table.c.n)
        return tuple(HumanAnswer.model_validate(row.answer) for row in self._all(query))

    def _is_decided(self, connection: Connection, row: Row[Any]) -> bool:
        """Whether an answer counts; past the deadline it is made to be the default."""
        late = row.deadline_at is not None and row.deadline_at <= self._clock()
        if row.answer is None and late:
            self._record(connection, row.id, row.default)
        return late or row.answer is not None

    def _record(self, connection: Connection, ask: str, answer: Any) -> int:
        added = tables.answers.insert().values(ask=ask, answer=answer, at=self._clock())
        (number,) = connection.execute(added).inserted_primary_key or (0,)
        table = tables.asks
        connection.execute(update(table).where(table.c.id == ask, table.c.answer.is_(None)).values(answer=number))
        return int(number)

    # --- effects ------------------------------------------------------------------------------

    def perform(self, key: str, action: Any, effect: Callable[[Connection, Any], Any]) -> Effect:
        """Do ``effect(connection, action)`` in one transaction with the note that it is done: exactly once a key.

        It must do its work through ``connection`` and nothing else; it gives a JSON value. Where another process is
        at the same key this one waits. An exception of the effect undoes all and is passed on.
        """
        with self.transaction() as connection:
            found = self._planned(connection, key, action)
            if found.done:
                return found
            result = as_json(effect(connection, found.action))
            self._done(connection, key, result)
            return Effect(key, found.action, True, result, new=True)

    def plan(self, key: str, action: Any) -> Effect:
        """Note that an action is to be done by a sink of its own, first; the first action of a key stays."""
        with self.transaction() as connection:
            return self._planned(connection, key, action)

    def done(self, key: str, result: Any) -> Effect:
        """Note that the sink has done it; the first result of a key stays. Raises StoreError if nobody planned it."""
        result = as_json(result)
        with self.transaction() as connection:
            found = effect_of(connection, key)
            if found is None:
                raise StoreError(f"key={key!r}: no such effect was planned: call plan() before the sink")
            if not found.done:
                self._done(connection, key, result)
                found = Effect(key, found.action, True, result, new=True)
            return found

    def effect(self, key: str) -> Effect | None:
        """What has come of an effect; None if it was never planned."""
        with self.transaction() as connection:
            return effect_of(connection, key)

    def _planned(self, connection: Connection, key: str, action: Any) -> Effect:
        insert_new(connection, tables.effects, {"key": key, "action": as_json(action), "planned_at": self._clock()})
        found = effect_of(connection, key)
        assert found is not None  # rows are never deleted
        return found

    def _done(self, connection: Connection, key: str, result: Any) -> None:
        table = tables.effects
        connection.execute(update(table).where(table.c.key == key).values(done_at=self._clock(), result=result))

    def _all(self, query: Select[Any]) -> list[Row[Any]]:
        with self.transaction() as connection:
            return list(connection.execute(query))
