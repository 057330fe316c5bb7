"""A sweep's results as Parquet, written row group by row group: memory holds one of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dissonance.harness.errors import BadInput
from dissonance.harness.history import canonical

__all__ = ["write_table"]

_GROUP = 1_000
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def write_table(path: Path, rows: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
    """Write the rows, which are read twice; the file is replaced in one step. Raises BadInput.

    The columns are in the order of their first appearance. A column of whole and other numbers is one of
    floats; one that mixes other kinds holds JSON texts.
    """
    kinds = _kinds(rows())
    schema = pa.schema([(name, _type(kind)) for name, kind in kinds.items()])
    mixed = [name for name, kind in kinds.items() if len(kind) > 1 and kind != {int, float}]
    temporary = path.with_name(path.name + ".new")
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _groups(rows()):
                columns = {name: [_cell(row.get(name), name in mixed) for row in group] for name in kinds}
                writer.write_table(pa.table(columns, schema=schema))
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(
            f"{str(path)!r} cannot be written: {error.strerror or error}; the results are intact: make room, and "
            "name the folder again"
        ) from None


def _kinds(rows: Iterable[Mapping[str, Any]]) -> dict[str, set[type]]:
    kinds: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            found = kinds.setdefault(name, set())
            if value is not None:
                found.add(type(value))
    return kinds


def _type(kinds: set[type]) -> pa.DataType:
    if kinds == {int, float}:
        return pa.float64()
    return _TYPES[next(iter(kinds))] if len(kinds) == 1 else pa.string()


def _cell(value: Any, mixed: bool) -> Any:
    return canonical(value).decode() if mixed and value is not None else value


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    each = iter(rows)
    while group := list(islice(each, _GROUP)):
        yield group
