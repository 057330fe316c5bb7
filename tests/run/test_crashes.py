"""A real ``kill -9`` of a forked child."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dissonance.harness import BadInput, record_checkpoint
from dissonance.harness.crashes import instants, kill_at, kill_at_record


def transfer(path: Path) -> Callable[[], None]:
    """Two rows in one transaction."""

    def work() -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("create table if not exists moved (amount)")
            database.execute("insert into moved values (-40)")
            database.execute("insert into moved values (40)")

    return work


def moved(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as database:
        known = database.execute("select 1 from sqlite_master where name = 'moved'").fetchone()
        return [row[0] for row in database.execute("select amount from moved")] if known else []


def test_a_transaction_is_whole_wherever_the_process_dies(tmp_path: Path) -> None:
    count = instants(transfer(tmp_path / "counted"))
    ends = set()
    for instant in range(count):
        path = tmp_path / str(instant)
        assert kill_at(instant, transfer(path))
        ends.add(tuple(moved(path)))
    assert ends == {(), (-40, 40)}


def test_work_that_ends_before_is_not_killed(tmp_path: Path) -> None:
    assert not kill_at(10_000, transfer(tmp_path / "a"))
    assert moved(tmp_path / "a") == [-40, 40]


def test_it_dies_at_the_nth_record(tmp_path: Path) -> None:
    def work() -> None:
        for number in range(4):
            (tmp_path / str(number)).touch()
            record_checkpoint(str(number))

    assert kill_at_record("checkpoint", 2, work)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    assert not kill_at_record("checkpoint", 5, work)


def test_what_the_work_raises_is_told() -> None:
    def work() -> None:
        raise ValueError("no such table")

    with pytest.raises(RuntimeError, match="ValueError: no such table"):
        instants(work)


@pytest.mark.parametrize("instant", [-1, 1.5, True])
def test_an_instant_is_a_whole_number(instant: object) -> None:
    with pytest.raises(BadInput, match=r"kill_at\(instant="):
        kill_at(instant, lambda: None)  # type: ignore[arg-type]
