"""What a sweep has measured, on disk: lines with checksums, in files that only grow.

A line is the checksum of its JSON, a blank, and ``[case, row]``. Each start of a sweep writes a new segment,
so what a kill has left of a line stays the last of its file, and is skipped there. Any other line that does
not have its checksum is damage, and is told.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from dissonance.harness.appending import write_all
from dissonance.harness.errors import BadInput
from dissonance.harness.history import content_hash

__all__ = ["Segments"]

_NOWHERE = -1
_OFFSET_BITS = 40
_HASH = 16


class Segments:
    """The results of a sweep of so many cases in this folder; memory holds a number for each. Raises BadInput."""

    def __init__(self, folder: Path, total: int) -> None:
        self._folder = folder
        self._places = array("q", [_NOWHERE]) * total
        self._file: int | None = None
        self._end = 0
        _make(folder)
        self._paths = sorted(folder.glob("*.lines"))
        self.acknowledged = 0
        for segment, path in enumerate(self._paths):
            for offset, number, _ in _lines(path):
                self._note(path, number, segment << _OFFSET_BITS | offset)

    def missing(self) -> list[int]:
        """The numbers of the cases without a result, in order."""
        return [number for number, place in enumerate(self._places) if place == _NOWHERE]

    def __contains__(self, number: int) -> bool:
        return self._places[number] != _NOWHERE

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """Acknowledge a result: it is there from now on."""
        content = to_json([number, row])
        line = content_hash(content).encode() + b" " + content + b"\n"
        if self._file is None:
            self._open()
        assert self._file is not None
        try:
            write_all(self._file, line)
        except OSError as error:
            raise self._cannot_be_kept(error) from None
        self._note(self._paths[-1], number, len(self._paths) - 1 << _OFFSET_BITS | self._end)
        self._end += len(line)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The results in the order of their cases, each read when it is asked for."""
        files = [open(path, "rb") for path in self._paths]
        try:
            for number, place in enumerate(self._places):
                if place != _NOWHERE:
                    file = files[place >> _OFFSET_BITS]
                    file.seek((place & (1 << _OFFSET_BITS) - 1) + _HASH + 1)
                    yield number, from_json(file.readline())[1]
        finally:
            for file in files:
                file.close()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        path = self._folder / f"{1 + int(self._paths[-1].stem) if self._paths else 1:04d}.lines"
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._cannot_be_kept(error) from None
        self._paths.append(path)

    def _cannot_be_kept(self, error: OSError) -> BadInput:
        return BadInput(
            f"{str(self._folder)!r}: a result cannot be kept: {error.strerror}; the {self.acknowledged} results "
            "there are intact: make room, and name the folder again to go on"
        )

    def _note(self, path: Path, number: int, place: int) -> None:
        if not 0 <= number < len(self._places) or self._places[number] != _NOWHERE:
            raise BadInput(f"{str(path)!r}: case {number} stands there twice, or is none of this sweep's; {_REMEDY}")
        self._places[number] = place
        self.acknowledged += 1


_REMEDY = "remove the file to play its runs again; the rest of the sweep is intact"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{str(folder)!r} cannot be made: {error.strerror}; give another folder") from None


def _lines(path: Path) -> Iterator[tuple[int, int, Any]]:
    """Offset, case and row of each whole line."""
    try:
        with open(path, "rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    found = _read(line[:-1])
                    if found is None:
                        raise BadInput(f"{str(path)!r}, line {number}: the file was damaged; {_REMEDY}")
                    yield offset, *found
                offset += len(line)  # without its end it is what a kill has left of the last one
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}; {_REMEDY}") from None


def _read(line: bytes) -> tuple[int, Any] | None:
    content = line[_HASH + 1 :]
    if line[:_HASH] != content_hash(content).encode():
        return None
    number, row = from_json(content)
    return number, row
