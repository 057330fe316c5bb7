"""The patterns' state machines, drawn: ``python -m dissonance.patterns.diagrams [PATTERN…]`` prints Mermaid text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from .states import StateMachine

__all__ = ["PATTERNS", "machine_of", "main"]

PATTERNS = ("chain", "fan_out", "supervise", "delegate", "debate", "human_gate")
"""The six patterns, each a module of its name."""


def machine_of(pattern: str) -> StateMachine:
    """The states of a pattern. Raises KeyError for a name that is none."""
    if pattern not in PATTERNS:
        raise KeyError(f"{pattern!r} is no pattern: give one of {', '.join(PATTERNS)}")
    machine = import_module(f"dissonance.patterns.{pattern}").STATES
    assert isinstance(machine, StateMachine)
    return machine


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the diagrams of these patterns, or of all. Exit codes: 0 done, 2 no such pattern."""
    try:
        machines = [machine_of(name) for name in (sys.argv[1:] if arguments is None else arguments) or PATTERNS]
    except KeyError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 2
    print("\n\n".join(f"```mermaid\n---\ntitle: {machine.name}\n---\n{machine.mermaid()}\n```" for machine in machines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
