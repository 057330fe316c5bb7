"""Monotonic progress: each step must bring the work measurably forward, or the loop ends.

* Use it wherever progress can be counted: criteria met, tests passed, facts found. It is the guard
  that stops a loop whose text changes while nothing comes of it, which no cycle detector sees.
* It costs one call of ``measure`` a step.
* It is as good as its measure. A measure that grows with every new wording is fooled by paraphrase; one
  that grows only at the very end stops honest work. ``patience`` is what you grant the work for detours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dissonance.patterns.step import Step

from .guard import StepGuard, Watch, at_least_one

__all__ = ["MonotonicProgress", "progress_made"]


def progress_made(step: Step) -> float:
    """The measure unless said otherwise: the share of criteria met; where there are none, the findings so far.

    Findings are what each pattern counts as new: different results of tools (``tool_loop``), agents
    that have had their turn and results of their tools (``handoff``), sub-tasks brought to an end
    (``delegate``), different outputs (``supervise`` without deterministic checks: any new wording
    counts, so give it checks).
    """
    return step.passed / step.criteria if step.criteria else float(step.findings)


@dataclass(frozen=True, slots=True)
class MonotonicProgress(StepGuard):
    """Stops after ``patience`` (from 1) steps in a row without a new maximum of ``measure``.

    The first step is the baseline, so a loop without any progress ends at step ``patience + 1``.
    """

    measure: Callable[[Step], float] = progress_made
    patience: int = 3
    name: str = "monotonic_progress"

    def __post_init__(self) -> None:
        at_least_one("patience", self.patience)

    def start(self) -> Watch:
        """A fresh watch for one run."""
        best: float | None = None
        stalled = 0

        def watch(step: Step) -> str | None:
            nonlocal best, stalled
            value = self.measure(step)
            if best is None or value > best:
                best, stalled = value, 0
                return None
            stalled += 1
            return f"no progress for {stalled} steps: still at {best:g}" if stalled >= self.patience else None

        return watch
