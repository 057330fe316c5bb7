"""A database by URL: connections, transactions, and a schema of the right version.

The dialects differ here and nowhere else. Every transaction on SQLite begins with ``BEGIN IMMEDIATE``, so that
it never has to upgrade a read lock, which is where concurrent writers fail; a file is in WAL mode. On
PostgreSQL transactions are *read committed*, and what must happen once is decided by a unique key or by an
``UPDATE … WHERE … IS NULL``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from dissonance.patterns.outcome import PatternError

from . import tables

__all__ = ["SCHEMA", "Database", "StoreError", "as_json", "insert_new"]

SCHEMA = len(tables.MIGRATIONS)
"""The version of the schema that this release reads and writes."""

_BUSY_SECONDS = 30.0
_MIGRATING = 0x0D155  # the number of the advisory lock that two starting processes meet at


class StoreError(PatternError):
    """The store can't do what it was asked to."""


class Database:
    """An engine whose schema is up to date. Raises StoreError for a URL or a schema that it can't use."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(_read(url))
        try:
            with self.transaction() as connection:
                _migrate(connection)
        except BaseException:
            self.engine.dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it or, where the block raises or the process dies, nothing."""
        with self.engine.begin() as connection:
            yield connection


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the row unless one with its unique key is there; whether it was inserted.

    Where another process is inserting the same key, it waits for the end of that transaction.
    """
    insert: Callable[[Table], Any] = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    one = next(iter(table.primary_key))
    return connection.execute(insert(table).values(**row).on_conflict_do_nothing().returning(one)).first() is not None


def _read(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        shown = parsed.render_as_string() if parsed is not None else url
        raise StoreError(f"url={shown!r}: give sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _engine(url: URL) -> Engine:
    common: dict[str, Any] = {"json_serializer": _dumps}
    if url.get_backend_name() == "postgresql":
        try:
            return create_engine(url, pool_pre_ping=True, **common)
        except ImportError as error:
            raise StoreError(
                f"url={url.render_as_string()!r}: PostgreSQL needs {error.name}: install dissonance[postgres]"
            ) from error
    if url.database in (None, "", ":memory:"):  # each connection is a database of its own, so there may be one only
        common |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, **common)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _connected(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver's own idea of when a transaction begins is switched off
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}").close()


def as_json(value: object) -> Any:
    """The value as it comes back from the store. Raises StoreError where JSON can't hold it."""
    return json.loads(_dumps(value))


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{value!r} is no JSON value ({error}): keep only what JSON can hold") from error


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
    found = 0
    if inspect(connection).has_table(tables.version.name):
        found = connection.execute(select(tables.version.c.version)).scalar_one()
    if found > len(tables.MIGRATIONS):
        raise StoreError(
            f"the store has schema {found}, this release knows {len(tables.MIGRATIONS)}: install a newer dissonance"
        )
    for migrate in tables.MIGRATIONS[found:]:
        migrate(connection)
    if found == 0:
        connection.execute(tables.version.insert().values(id=1, version=len(tables.MIGRATIONS)))
    elif found < len(tables.MIGRATIONS):
        connection.execute(tables.version.update().values(version=len(tables.MIGRATIONS)))
