"""A PostgreSQL server of the tests' own: private, empty, without durability, gone when they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

OWNER = "dissonance"

_numbers = count(1)


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``; Debian keeps it off the PATH."""
    beside = shutil.which("initdb")
    if beside is not None:
        return Path(beside).parent
    return next(
        (found.parent for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None
    )


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """The URL of a new server, which listens on a Unix socket in a temporary folder and nowhere else.

    PostgreSQL refuses to run as root, so that for root it runs as the user ``postgres``, or else ``nobody``.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # not pytest's: a socket's path may have 107 bytes
    user = _unprivileged()
    if user is not None:
        shutil.chown(folder, user)

    def call(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / name, "--pgdata", folder / "data", *arguments],
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open for as long as the server runs
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"

    settings = f"-F -c listen_addresses='' -c unix_socket_directories='{folder}'"
    try:
        call("initdb", "--username", OWNER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
        call("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "--options", settings)
        try:
            yield f"postgresql+psycopg://{OWNER}@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "--mode", "immediate")
    finally:
        shutil.rmtree(folder)


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of a new and empty database of that server; it is dropped at the end, whoever still uses it."""
    import psycopg

    name = f"dissonance_{os.getpid()}_{next(_numbers)}"
    address, question, options = server.partition("?")
    with psycopg.connect(server.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"{address.rpartition('/')[0]}/{name}{question}{options}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _unprivileged() -> str | None:
    import pwd

    if os.geteuid() != 0:
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"
