"""The parts of a fanned-out task: what was asked, what came back, what is missing, what contradicts what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from .gate import as_text
from .outcome import NO_USAGE, Outcome, Usage
from .provenance import Provenance
from .step import normalised

__all__ = ["GAP", "Conflict", "FannedOut", "Part", "Piece", "conflicts_between", "table"]

T = TypeVar("T")
R = TypeVar("R")

GAP = "data unavailable"
"""What stands where a part is missing. Never silence."""


class Piece(BaseModel):
    """One sub-task: a name for people to know it by, unique in its fan-out, and the task itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    task: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class Part(Generic[T]):
    """What came of a piece.

    ``missing`` is None where ``output`` is there, else why it is not; ``stopped_by`` then names the guard, if
    it was one. ``partial`` is what a missing part had said by then: evidence for a reader, not a result.
    ``seconds`` from its start to its end; waiting for a free slot does not count.
    """

    name: str
    task: str
    output: T | None = None
    missing: str | None = None
    stopped_by: str | None = None
    partial: Any = None
    seconds: float = 0.0
    usage: Usage = NO_USAGE
    provenance: Provenance | None = None

    @property
    def shown(self) -> str:
        """The part as a reducer reads it: the output as text, or the gap, its reason and what there is of it."""
        if self.missing is None:
            return as_text(self.output)
        gap = f"{GAP} ({self.missing})"
        return gap if self.partial is None else f"{gap}; incomplete: {as_text(self.partial)}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Parts that say different things of one fact: the value that each part gives, by its name."""

    fact: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.fact}: " + "; ".join(f"{name} says {value!r}" for name, value in self.values.items())


@dataclass(frozen=True, kw_only=True)
class FannedOut(Outcome[R]):
    """What a fan-out made of a task.

    It may be ``finished`` although parts are missing: where as many are there as were called enough.
    ``reason`` then names the gaps, and ``stopped_by`` the guard that cut the first of them, if one did.
    """

    parts: tuple[Part[Any], ...]
    conflicts: tuple[Conflict, ...]

    @property
    def gaps(self) -> tuple[Part[Any], ...]:
        """The missing parts."""
        return tuple(part for part in self.parts if part.missing is not None)


def table(task: str, parts: Sequence[Part[Any]], conflicts: Sequence[Conflict]) -> dict[str, Any]:
    """The reducer for general use: each part's output by its name, ``data unavailable`` and why where there is none.

    >>> table("", [Part(name="ACME", task="", output=7), Part(name="Zenith", task="", missing="time_box")], [])
    {'ACME': 7, 'Zenith': 'data unavailable (time_box)'}
    """
    return {part.name: part.output if part.missing is None else part.shown for part in parts}


def conflicts_between(parts: Sequence[Part[T]], facts: Callable[[T], Mapping[str, Any]]) -> tuple[Conflict, ...]:
    """The facts of which parts give different values, but for case and white space; in order of appearance.

    >>> told = [Part(name=n, task="", output=o) for n, o in [("a", {"year": "1987"}), ("b", {"year": "1989"})]]
    >>> str(conflicts_between(told, lambda output: output)[0])
    "year: a says '1987'; b says '1989'"
    """
    said: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for part in parts:
        if part.missing is None and part.output is not None:
            for fact, value in facts(part.output).items():
                said[fact][part.name] = as_text(value)
    return tuple(
        Conflict(fact, values)
        for fact, values in said.items()
        if len({normalised(value) for value in values.values()}) > 1
    )
