"""Parameters that a person gives: ``NAME=VALUE`` on the command line, or a TOML file.

A value is written as in TOML (``steps=20``, ``trees=[[2, 3]]``, ``policy="reject"``); what is no TOML is
a text. A file has a table for each experiment::

    [loop_termination]
    steps = 20
    minutes = 90
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dissonance.harness.errors import BadInput

__all__ = ["Changes", "changes"]

Changes = Mapping[str, Mapping[str, Any]]
"""Changed parameters, by experiment."""


def changes(names: Sequence[str], assignments: Sequence[str] = (), file: Path | None = None) -> Changes:
    """What the file and then the assignments change of these experiments' parameters.

    An assignment may name its experiment (``loop_termination.steps=20``), and must where there are several.

    :raises BadInput: a file that cannot be read, an experiment that is not among ``names``, or no ``=``.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name, table in ({} if file is None else _read(file)).items():
        if not isinstance(table, Mapping):
            raise BadInput(
                f"{str(file)!r}: {name} = {table!r} is not a table; write [{names[0]}] and below it {name} = …"
            )
        if name not in found:
            raise BadInput(f"{str(file)!r}: [{name}] is not run; its tables may be {', '.join(names)}")
        found[name].update(table)
    for assignment in assignments:
        name, parameter, value = _assigned(assignment, names)
        found[name][parameter] = value
    return found


def _assigned(assignment: str, names: Sequence[str]) -> tuple[str, str, Any]:
    where, equals, text = assignment.partition("=")
    name, _, parameter = where.strip().rpartition(".")
    if not equals or not parameter:
        raise BadInput(f"--set {assignment!r}: write PARAMETER=VALUE, as --set seeds=20")
    if not name and len(names) > 1:
        raise BadInput(f"--set {assignment!r}: {len(names)} experiments are run; write {names[0]}.{assignment}")
    if name and name not in names:
        raise BadInput(f"--set {assignment!r}: {name!r} is not run; there are {', '.join(names)}")
    return name or names[0], parameter, _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise BadInput(f"{str(file)!r}: cannot be read: {reason}; give a TOML file of parameters") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{str(file)!r}: not TOML: {error}") from None
