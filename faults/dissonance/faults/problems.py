"""How a malformed plan is explained: the rule, the field, the value and the remedy, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

__all__ = ["closest", "explain"]

_SHOWN = 80
_WANTED = {"model_type": "an object", "tuple_type": "a list", "is_instance_of": "a list", "sequence_str": "a list"}


def closest(name: object, known: Iterable[str]) -> str:
    """``did you mean 'SlowReply'?`` where something is near, else the whole choice.

    >>> closest("SlowRepli", ["SlowReply", "Stall"])
    "did you mean 'SlowReply'?"
    >>> closest("x", ["SlowReply", "Stall"])
    'choose one of SlowReply, Stall'
    """
    names = list(known)
    folded = {each.lower(): each for each in names}
    near = get_close_matches(str(name).lower(), folded, n=1)
    return f"did you mean {folded[near[0]]!r}?" if near else f"choose one of {', '.join(names)}"


def explain(error: ValidationError, data: Any, fields: Mapping[str, Sequence[str]]) -> str:
    """Each problem of a plan's ``data`` as one line; ``fields`` gives the known fields of each part."""
    return "\n".join(_line(problem, data, fields) for problem in error.errors(include_url=False))


def _line(problem: Any, data: Any, fields: Mapping[str, Sequence[str]]) -> str:
    loc = tuple(problem["loc"])
    where, rest = _where(loc, data)
    field = ".".join(map(str, rest))
    return ": ".join(part for part in (where, field, _what(problem, loc, data, fields)) if part)


def _where(loc: tuple[int | str, ...], data: Any) -> tuple[str, tuple[int | str, ...]]:
    """The rule that a location lies in (by its id where it has one; empty outside the rules), and the location within."""
    if len(loc) < 2 or loc[0] != "rules" or not isinstance(loc[1], int):
        return "", loc
    rule = data["rules"][loc[1]]
    name = rule.get("id") if isinstance(rule, Mapping) else getattr(rule, "id", None)
    return (f"rule {name!r}" if name else f"rule {loc[1] + 1}"), loc[2:]


def _what(problem: Any, loc: tuple[int | str, ...], data: Any, fields: Mapping[str, Sequence[str]]) -> str:
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return f"unknown field, value {_show(value)}; {closest(loc[-1], _known(loc, data, fields))}"
    if kind == "missing":
        return "missing; add it"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return message
    if kind in _WANTED:
        return f"{_show(value)} is not possible: give {_WANTED[kind]}"
    return f"{_show(value)} is not possible: {message[0].lower()}{message[1:]}"


def _known(loc: tuple[int | str, ...], data: Any, fields: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The fields that the part at this location may have."""
    if len(loc) < 3:
        return fields["plan"]
    if loc[2] == "fault" and len(loc) > 3:
        return fields[data["rules"][loc[1]]["fault"]["kind"]]
    return fields[str(loc[2]) if len(loc) > 3 else "rule"]


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
