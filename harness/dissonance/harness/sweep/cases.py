"""The cases of a sweep: every combination of a grid's values, with every seed, numbered from 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, TypeAlias

from dissonance.harness.errors import BadInput

__all__ = ["Case", "Grid", "Row", "Scalar", "checked_row"]

Scalar: TypeAlias = bool | int | float | str | None

Row: TypeAlias = Mapping[str, Scalar]
"""What is measured of a case. A value ``verdict`` (pass, fail or unknown) is counted as the sweep goes on."""

_OWN = ("case", "seed")
_MOST = 2**63


@dataclass(frozen=True, slots=True)
class Case:
    """One run to make: its place in the sweep, the values of the grid's parameters, and the seed."""

    number: int
    parameters: Mapping[str, Scalar]
    seed: int


class Grid:
    """The parameters' values, each with the seeds ``0 … seeds - 1``; the seeds change fastest. Raises BadInput."""

    def __init__(self, values: Mapping[str, Sequence[Scalar]], seeds: int) -> None:
        if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
            raise BadInput(f"seeds={seeds!r}: give a whole number from 1")
        self.values = {name: _checked(name, each) for name, each in values.items()}
        self.seeds = seeds

    def __len__(self) -> int:
        return self.seeds * prod(len(each) for each in self.values.values())

    def case(self, number: int) -> Case:
        """The case with this number, from 0."""
        rest, seed = divmod(number, self.seeds)
        chosen: dict[str, Scalar] = {}
        for name in reversed(self.values):
            rest, place = divmod(rest, len(self.values[name]))
            chosen[name] = self.values[name][place]
        return Case(number, {name: chosen[name] for name in self.values}, seed)


def _checked(name: object, values: object) -> tuple[Scalar, ...]:
    if not isinstance(name, str) or not name or name in _OWN:
        raise BadInput(f"grid: {name!r} cannot name a parameter; give a text other than {' and '.join(_OWN)}")
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
        raise BadInput(f"grid[{name!r}]={values!r}: give a list of values, with one at least")
    for value in values:
        if not _is_scalar(value):
            raise BadInput(f"grid[{name!r}]: {value!r} is no value for a table; give texts, finite numbers or booleans")
    if len({(type(value), value) for value in values}) < len(values):
        raise BadInput(f"grid[{name!r}]={list(values)!r}: a value stands there twice; leave one out")
    return tuple(values)


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, bool | str) or (isinstance(value, int) and -_MOST <= value < _MOST)


def checked_row(row: object, case: Case) -> dict[str, Scalar]:
    """What a trial gave, if a table can hold it. Raises BadInput."""
    if not isinstance(row, Mapping):
        raise BadInput(f"the trial gave {row!r} for case {case.number}; it must give a mapping of names to values")
    for name, value in row.items():
        if not isinstance(name, str) or name in _OWN or name in case.parameters:
            raise BadInput(f"the trial gave a value {name!r} for case {case.number}; that name is taken, or no text")
        if not _is_scalar(value):
            raise BadInput(
                f"the trial gave {name}={value!r} for case {case.number}; a table holds texts, finite numbers, "
                "booleans and None"
            )
    return {name: _readable(value) for name, value in row.items()}


def _readable(value: Any) -> Any:
    """Texts without halves of surrogate pairs, which no table holds."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def whole_row(case: Case, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table."""
    return {"case": case.number, **case.parameters, "seed": case.seed, **row}
