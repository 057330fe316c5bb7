"""What there is to choose from: faults, checks, patterns and experiments, by name, with a line each."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Literal, TypeAlias, get_args

from dissonance.harness.checks.verdict import Check

__all__ = ["Entry", "Kind", "checks", "entries"]

Kind: TypeAlias = Literal["faults", "checks", "patterns", "experiments"]
Entry: TypeAlias = tuple[str, str]
"""A name and the line that describes it."""


@cache
def checks() -> dict[str, Callable[[], Check]]:
    """The checks that need no argument: each is a class in the module of its own name."""
    package = import_module("dissonance.harness.checks")
    found: dict[str, Callable[[], Check]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        named = getattr(import_module(f"{package.__name__}.{module.name}"), module.name, None)
        if callable(named) and not _required(named):
            found[module.name] = named
    return found


def entries(kind: Kind) -> list[Entry]:
    """All of a kind, in their own order."""
    return list(_SOURCES[kind]())


def _faults() -> Iterator[Entry]:
    from dissonance.faults import Family, fault_types

    families = get_args(Family)
    for name, fault in sorted(fault_types().items(), key=lambda each: families.index(each[1].family)):
        yield name, f"{fault.family}: {_first_line(fault)}"


def _checks() -> Iterator[Entry]:
    return ((name, _first_line(check)) for name, check in checks().items())


def _patterns() -> Iterator[Entry]:
    """Each pattern is a function in the module of its own name, as a check is."""
    package = import_module("dissonance.patterns")
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isfunction(value) and value.__module__.endswith(f".{name}"):
            yield name, _first_line(value)


def _experiments() -> Iterator[Entry]:
    from dissonance.experiments import experiments

    return ((one.name, f"{one.question}{' Run by its name, or with --full.' * one.asked}") for one in experiments())


_SOURCES: dict[Kind, Callable[[], Iterator[Entry]]] = {
    "faults": _faults,
    "checks": _checks,
    "patterns": _patterns,
    "experiments": _experiments,
}


def _first_line(value: object) -> str:
    """The first paragraph of a docstring, up to its first full stop or its end."""
    paragraph = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return (sentence + stop).strip().replace("``", "`")


def _required(function: Callable[..., object]) -> bool:
    empty = inspect.Parameter.empty
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return any(each.default is empty and each.kind not in variable for each in parameters)
