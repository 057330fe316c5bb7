"""Termination conditions, written down before the start: the run ends where one holds, and says which.

* Use them to say what *enough* is: three sources, two agreeing answers, a quiet round. Agents are told them, too:
  not knowing when to stop is one of the commonest faults of agents that loop.
* They cost a call of each condition a step.
* They hold what they are given: a condition that never comes true stops nothing. Keep a ``StepBudget`` beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dissonance.patterns.step import Step

from .guard import StepGuard, Watch

__all__ = ["Termination"]


@dataclass(frozen=True)
class Termination(StepGuard):
    """Stops at the first step for which one of ``conditions``, by what it is called, is true. They can't be changed later."""

    conditions: Mapping[str, Callable[[Step], bool]]
    name: str = "termination"

    def __post_init__(self) -> None:
        if not self.conditions:
            raise ValueError("conditions={}: give at least one, or leave the guard out")
        object.__setattr__(self, "conditions", MappingProxyType(dict(self.conditions)))

    @property
    def briefing(self) -> str:
        """What the agents are told."""
        return f"The work ends as soon as one of these holds: {'; '.join(self.conditions)}."

    def start(self) -> Watch:
        """A watch for one run."""

        def watch(step: Step) -> str | None:
            return next((f"{said} holds" for said, holds in self.conditions.items() if holds(step)), None)

        return watch
