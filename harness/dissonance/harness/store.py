"""A stored run is a folder, written while the run goes on, so that a kill of the process loses nothing.

::

    .dissonance/runs/
        latest                    → the newest run
        00007-review_workflow/
            plan.json             {"schema": 1, "rules": […]}
            run.json              what was run, and how it ended; without an outcome until it has
            history.jsonl         an event a line
            bodies/parts.jsonl    {"hash": …, "body": …}, each content once

Each event and content is handed to the operating system at once, by one unbuffered write; a call and its
reply by one for both, where nothing but the harness ran in between. ``run.json`` and ``latest`` are replaced in one step. Nothing is synchronised to the disk: a power failure may lose
the last seconds.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from .appending import write_all
from .errors import BadInput
from .history import SCHEMA, Bodies, Event, content_hash, read_events
from .secrets import hidden

__all__ = ["DEFAULT_STORE", "RunFolder", "StoredRun", "read_folder", "shown"]

DEFAULT_STORE = Path(".dissonance/runs")
"""Where runs are stored, below the working directory."""

_next_numbers: dict[Path, int] = {}


class RunFolder:
    """The folder of a run that is going on. Raises BadInput where it cannot be made."""

    def __init__(self, store: Path, name: str, plan: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        self.path = _make(store, _slug(name))
        self._about = about
        self._events: list[bytes] = []
        self._contents: list[bytes] = []
        self._failed: OSError | None = None
        try:
            _write(self.path / "plan.json", plan)
            _write(self.path / "run.json", {**about, "outcome": None})
            (self.path / "bodies").mkdir()
            self._history = _append(self.path / "history.jsonl")
            self._parts = _append(self.path / "bodies" / "parts.jsonl")
            _point(store / "latest", self.path.name)
        except OSError as error:
            raise self._cannot_be_kept(error) from None

    def event(self, line: bytes) -> None:
        """An event, for the next :meth:`flush`."""
        self._events.append(line)

    def body(self, key: str, data: bytes) -> None:
        """A content, for the next :meth:`flush`."""
        self._contents.append(b'{"hash":"%b","body":%b}\n' % (key.encode(), data))

    def flush(self) -> None:
        """Append what has come since the last time: contents before the events that name them.

        Where that fails, nothing more is written, so that what is there stays readable, and :meth:`close` tells:
        here it would be raised into the workflow, which takes it for an error of its own.
        """
        for file, lines in ((self._parts, self._contents), (self._history, self._events)):
            if lines:
                data = lines[0] if len(lines) == 1 else b"".join(lines)
                lines.clear()
                if self._failed is None:
                    try:
                        write_all(file, data)
                    except OSError as error:
                        self._failed = error

    def close(self, summary: Mapping[str, Any]) -> None:
        """The run is over: complete ``run.json``. Raises BadInput where the run could not be stored whole."""
        self.flush()
        os.close(self._history)
        os.close(self._parts)
        try:
            if self._failed is not None:
                raise self._failed
            _write(self.path / "run.json", {**self._about, **summary})
        except OSError as error:
            raise self._cannot_be_kept(error) from None

    def _cannot_be_kept(self, error: OSError) -> BadInput:
        return BadInput(
            f"{str(self.path)!r}: the run cannot be stored: {error.strerror}; what is there of it is intact, and so are "
            "the other runs: make room, or give another store, and run it again"
        )


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a run's folder holds, read back. ``about`` is ``run.json``, ``plan`` is ``plan.json``."""

    path: Path
    about: dict[str, Any]
    plan: dict[str, Any]
    events: list[Event]
    bodies: Bodies


def read_folder(path: str | Path) -> StoredRun:
    """A stored run. Raises BadInput where the folder is not one, or is damaged or of another version."""
    folder = Path(path)
    if not (folder / "run.json").is_file():
        what = "holds no run.json" if folder.is_dir() else "is no folder" if folder.exists() else "does not exist"
        raise BadInput(f"{str(folder)!r} {what}: give the folder of a stored run, such as {DEFAULT_STORE / 'latest'}")
    about = _read(folder / "run.json")
    if about.get("schema") != SCHEMA:
        raise BadInput(
            f"{folder / 'run.json'}: schema is {about.get('schema')!r}, but this version reads {SCHEMA}; "
            "run the plan again with `dissonance replay`"
        )
    plan = _read(folder / "plan.json")
    events = read_events(_bytes(folder / "history.jsonl"), str(folder / "history.jsonl"))
    return StoredRun(folder.resolve(), about, plan, events, _read_bodies(folder / "bodies" / "parts.jsonl"))


def shown(path: Path) -> str:
    """A path as a person types it: relative to the working directory where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


# --- files ------------------------------------------------------------------------------------


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:60] or "run"


def _make(store: Path, slug: str) -> Path:
    try:
        store.mkdir(parents=True, exist_ok=True)
        if store.parent.name == ".dissonance" and not (ignore := store.parent / ".gitignore").exists():
            ignore.write_text("*\n")
        resolved = store.resolve()
        number = _next_numbers.get(resolved) or _first_free(resolved)
        while True:
            path = resolved / f"{number:05d}-{slug}"
            number += 1
            _next_numbers[resolved] = number
            try:
                path.mkdir()
                return path
            except FileExistsError:  # another process has this number
                continue
    except OSError as error:
        raise BadInput(
            f"store={str(store)!r}: no folder can be made there: {error.strerror}; give another one"
        ) from None


def _first_free(store: Path) -> int:
    taken = (entry.name.partition("-")[0] for entry in os.scandir(store))
    return 1 + max((int(number) for number in taken if number.isdigit()), default=0)


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    text = hidden.clean(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n"
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(text.encode("utf-8", "surrogatepass"))
    os.replace(temporary, path)


def _point(link: Path, name: str) -> None:
    """Replace a symbolic link in one step; where there are none, a text file says the same."""
    temporary = link.with_name(f"latest.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name, target_is_directory=True)
    except OSError:
        temporary.write_text(name + "\n")
    os.replace(temporary, link)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}; the run folder is incomplete") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = from_json(_bytes(path))
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is not JSON: {error}; the run folder was edited or damaged") from None
    if not isinstance(value, dict):
        raise BadInput(f"{str(path)!r} holds no JSON object; the run folder was edited or damaged")
    return value


def _read_bodies(path: Path) -> Bodies:
    bodies = Bodies()
    lines = _bytes(path).split(b"\n")
    for number, line in enumerate(lines, 1):
        start, middle, end = line[:9], line[25:34], line[-1:]
        if (start, middle, end) == (b'{"hash":"', b'","body":', b"}"):
            key, data = line[9:25].decode("ascii", "replace"), line[34:-1]
            if content_hash(data) == key:
                bodies.keep(key, data)
                continue
        if line and number < len(lines):  # the last line may be cut short by a kill
            raise BadInput(f"{path}:{number}: not a content with its hash; the run folder was edited or damaged")
    return bodies
