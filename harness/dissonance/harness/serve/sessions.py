"""Several runs at once, told apart by path or by key, and who may use the server at all.

A path ``/runs/NAME/v1/messages`` belongs to the run ``NAME``; so does the API key ``ANYTHING:NAME``. A key without a
name gets a run of its own, numbered by first appearance: nothing is derived from the key, which is kept as a digest, in
memory alone. A server with a token takes no other key than ``TOKEN`` and ``TOKEN:NAME``, by either path.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from dissonance.harness.errors import BadInput
from dissonance.harness.secrets import hidden

from .session import Session, Settings

__all__ = ["Sessions", "checked_run", "key_of"]

_PREFIX: Final = "/runs/"
_is_name = re.compile(r"[A-Za-z0-9_.-]{1,60}").fullmatch


class Sessions:
    """The runs of a server by name: for each name the newest one, and all that have ended."""

    def __init__(self, settings: Settings, token: str | None = None) -> None:
        self._settings = settings
        self._token = token
        if token is not None:
            hidden.add(token)
        self._named: dict[str, Session] = {}
        self._by_key: dict[bytes, str] = {}
        self.all: list[Session] = []

    def allows(self, key: str) -> bool:
        """Whether whoever has this key may use the server."""
        if self._token is None:
            return True
        return hmac.compare_digest(_split(key)[0].encode(), self._token.encode())

    def name_for(self, path: str, key: str) -> str | None:
        """Whose request this is; None where the name in it can name no run."""
        if path.startswith(_PREFIX):
            return _checked(path[len(_PREFIX) :].partition("/")[0])
        secret, name = _split(key)
        if name:
            hidden.add(secret)  # without the name, too, nothing is to show it
            return _checked(name)
        digest = blake2b(key.encode("utf-8", "replace"), digest_size=16).digest()
        return self._by_key.setdefault(digest, f"run-{len(self._by_key) + 1}")

    def open(self, name: str) -> Session:
        """The run of this name that is going on; a new one where there is none."""
        session = self._named.get(name)
        if session is None or session.run is not None:
            session = self._named[name] = Session(checked_run(name), self._settings)
            self.all.append(session)
        return session

    def find(self, name: str) -> Session | None:
        """The newest run of this name."""
        return self._named.get(name)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._named.values())


def checked_run(name: str) -> str:
    """The name, if a run can have it; else :class:`BadInput`."""
    if _checked(name) is None:
        raise BadInput(f"run {name!r}: give 1 to 60 letters, digits, dots, hyphens or underscores")
    return name


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key that a request was sent with (names in lower case); empty where it has none. ``x-api-key`` goes first."""
    bearer = ""
    for name, value in headers:
        if name == b"x-api-key" and value.strip():
            return value.decode("latin-1").strip()
        if name == b"authorization":
            bearer = value.decode("latin-1").partition(" ")[2].strip()
    return bearer


def _split(key: str) -> tuple[str, str]:
    secret, _, name = key.rpartition(":") if ":" in key else (key, "", "")
    return secret, name


def _checked(name: str) -> str | None:
    return name if _is_name(name) else None
