"""The tests' own PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import postgres
import psycopg
import pytest


def plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def test_each_database_is_empty_and_its_own(postgres_server: str) -> None:
    with postgres.database(postgres_server) as one, postgres.database(postgres_server) as other:
        with psycopg.connect(plain(one)) as connection:
            connection.execute("CREATE TABLE noted (word text)")
        with psycopg.connect(plain(other)) as connection:
            assert connection.execute("SELECT to_regclass('noted')").fetchone() == (None,)


def test_a_server_is_gone_with_its_folder() -> None:
    programs = postgres.programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: no initdb is installed")
    with postgres.server(programs) as url:
        folder = Path(url.rpartition("=")[2])
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(plain(url))
