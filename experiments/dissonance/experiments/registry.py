"""The experiments by name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from dissonance.harness.errors import BadInput

from .experiment import Experiment

__all__ = ["NAMES", "experiments", "find"]

NAMES = (
    "loop_termination",
    "truncation",
    "context_growth",
    "fanout_latency",
    "hierarchy_overhead",
    "cascade_depth",
    "false_acceptance",
    "groupthink",
    "silent_escalation",
    "decision_framework",
    "matrix",
)
"""Modules of this package that hold an ``EXPERIMENT``, in the order of the report."""


def find(name: str) -> Experiment[Any, Any]:
    """The experiment of this name.

    :raises BadInput: there is none; the message names those that there are.
    """
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInput(f"experiment {name!r} does not exist; {hint}there are: {', '.join(NAMES)}")
    found = import_module(f"{__package__}.{name}").EXPERIMENT
    assert isinstance(found, Experiment)
    return found


def experiments(*, asked: bool = True) -> Iterator[Experiment[Any, Any]]:
    """All of them; ``asked`` False leaves out those that are run only when they are asked for."""
    return (one for one in map(find, NAMES) if asked or not one.asked)
