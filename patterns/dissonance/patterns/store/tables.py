"""The tables, and the versions of their schema.

Rows are only added; what changes in one is set once, from null: ``closed_at``, ``answer``, ``notified_at``,
``done_at``. So two processes can't undo each other's work, whatever the order in which they commit. Times are
seconds since 1970. What people and models write is kept in JSON, which holds any text (a text column of
PostgreSQL takes no null character).
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Connection,
    Double,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

__all__ = ["MIGRATIONS", "answers", "asks", "checkpoints", "effects", "runs", "version"]

_PREFIX = "dissonance_"
_metadata = MetaData()

version = Table(
    f"{_PREFIX}schema",
    _metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)
"""One row: which of the migrations have been made."""

runs = Table(
    f"{_PREFIX}runs",
    _metadata,
    Column("n", Integer, Identity(), primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("pattern", String, nullable=False, index=True),
    Column("task", JSON, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
)

checkpoints = Table(
    f"{_PREFIX}checkpoints",
    _metadata,
    Column("n", Integer, Identity(), primary_key=True),
    Column("run", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("value", JSON, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("run", "stage"),
)

asks = Table(
    f"{_PREFIX}asks",
    _metadata,
    Column("n", Integer, Identity(), primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("run", String, nullable=False, index=True),
    Column("request", JSON, nullable=False),
    Column("default", JSON, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("deadline_at", Double),
    Column("notified_at", Double),
    Column("answer", Integer, index=True),
)
"""``answer`` is the number of the answer that counts: the first that came in time."""

answers = Table(
    f"{_PREFIX}answers",
    _metadata,
    Column("n", Integer, Identity(), primary_key=True),
    Column("ask", String, ForeignKey(asks.c.id), nullable=False, index=True),
    Column("answer", JSON, nullable=False),
    Column("at", Double, nullable=False),
)

effects = Table(
    f"{_PREFIX}effects",
    _metadata,
    Column("key", String, primary_key=True),
    Column("action", JSON, nullable=False),
    Column("planned_at", Double, nullable=False),
    Column("done_at", Double),
    Column("result", JSON),
)
"""``key`` is the idempotency key: one row, one effect."""


def _first(connection: Connection) -> None:
    _metadata.create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first,)
"""What brings a database from each version to the next; a new version appends one, and changes none."""
