"""What an interrupted experiment has measured already: :class:`Journal`, one file that only grows.

Each record is whole or not there: a kill of the process (not of the power) loses at most the piece that
was being played, and a record that a kill cut short is dropped when the journal is opened again. A
record is known by a hash of its piece and of the version that played it, so changed parameters or
another version of Dissonance find nothing.

Records are pickles: open only a journal that this user wrote.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from dissonance.harness.appending import write_all
from dissonance.harness.errors import BadInput

__all__ = ["Journal"]

_HEAD = struct.Struct(">Q16s")
"""A record's length in bytes and the hash of its content."""


class Journal:
    """The measured pieces of one experiment in this file, made with its folder when the first one is added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def of(self, pieces: Sequence[Any]) -> dict[int, Any]:
        """What is measured already, by its place among ``pieces``."""
        known = dict(self._records())
        return {place: known[key] for place, piece in enumerate(pieces) if (key := _key(piece)) in known}

    def add(self, piece: Any, measured: Any) -> None:
        """Keep what a piece measured. :raises BadInput: the file cannot be written."""
        content = pickle.dumps((_key(piece), measured), protocol=5)
        try:
            if self._file is None:
                self._file = self._opened()
            write_all(self._file.fileno(), _HEAD.pack(len(content), _sum(content)) + content)
        except OSError as error:
            self.__exit__()  # opened again, it ends with its last whole record
            raise BadInput(
                f"{str(self._path)!r}: cannot keep what was measured: {error.strerror}; "
                "what it holds is intact: make room, or choose another folder with --out"
            ) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the file: all that it held stands in a report."""
        self._path.unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        """The file, unbuffered, at the end of its last whole record."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        end = sum(_HEAD.size + size for size, _ in self._whole())
        file = open(self._path, "r+b" if self._path.exists() else "w+b", buffering=0)
        file.truncate(end)
        file.seek(0, os.SEEK_END)
        return file

    def _records(self) -> Iterator[tuple[bytes, Any]]:
        for _, content in self._whole():
            try:
                yield pickle.loads(content)
            except Exception:  # of another version: its classes are not there any more
                continue

    def _whole(self) -> Iterator[tuple[int, bytes]]:
        """Size and content of each record before the first that is cut short or damaged."""
        try:
            file = open(self._path, "rb")
        except OSError:
            return
        with file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                size, expected = _HEAD.unpack(head)
                content = file.read(size)
                if len(content) < size or _sum(content) != expected:
                    return
                yield size, content


def _key(piece: Any) -> bytes:
    return _sum(f"{version('dissonance')} {type(piece).__qualname__} {piece!r}".encode())


def _sum(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
