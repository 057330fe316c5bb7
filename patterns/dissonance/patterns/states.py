"""What states a pattern can be in, and which it can go to: declared once, drawn as Mermaid text, walked by tests.

A run of a pattern takes a :class:`Trace`, which logs each transition on ``dissonance.patterns`` at level DEBUG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from . import log

__all__ = ["StateMachine", "Trace"]

_traces = count(1)


@dataclass(frozen=True)
class StateMachine:
    """The states of a pattern. A run begins in the first; those that lead nowhere are ends.

    >>> print(StateMachine("door", {"closed": ("open", "locked"), "open": ("closed",), "locked": ()}).mermaid())
    stateDiagram-v2
        [*] --> closed
        closed --> open
        closed --> locked
        open --> closed
        locked --> [*]
    """

    name: str
    transitions: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not self.transitions:
            raise ValueError(f"transitions={self.transitions!r}: a machine needs a state to begin in")
        reached = {self.start, *(to for _, to in self.pairs())}
        if reached != set(self.transitions):
            odd = sorted(reached.symmetric_difference(self.transitions))
            raise ValueError(f"{self.name}: {odd!r} are not both declared and reachable")

    @property
    def start(self) -> str:
        """The state in which a run begins."""
        return next(iter(self.transitions))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each transition that is declared."""
        return ((before, after) for before, afters in self.transitions.items() for after in afters)

    def mermaid(self) -> str:
        """A state diagram in Mermaid's language."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start}"]
        for state, successors in self.transitions.items():
            lines += [f"    {state} --> {each}" for each in successors or ("[*]",)]
        return "\n".join(lines)

    def trace(self) -> Trace:
        """The path of one run, which is in the first state."""
        return Trace(self)


class Trace:
    """Where one run is."""

    def __init__(self, machine: StateMachine) -> None:
        self._machine = machine.name
        self._number = next(_traces)
        self.state = machine.start

    def to(self, state: str) -> None:
        """The run goes over to another state."""
        log.moved(self._machine, self._number, self.state, state)
        self.state = state
