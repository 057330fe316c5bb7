"""Step budgets: the orchestrator's own count, and, to be seen failing, the agent's.

* Use :class:`StepBudget` always: it is the one control that stops every loop, whatever the loop is.
* It costs nothing and knows nothing: it lets a loop run to the bound and cuts long honest work as
  well. Set it well above what the work needs, and let the other guards stop a loop earlier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dissonance.patterns.step import Step

from .guard import StepGuard, Watch, at_least_one

__all__ = ["SelfReportedBudget", "StepBudget"]

_REPORT = re.compile(r"\bSTEP (\d+) of \d+\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StepBudget(StepGuard):
    """At most ``steps`` (from 1) steps, counted by the orchestrator; the loop never begins another."""

    steps: int
    name: str = "step_budget"

    def __post_init__(self) -> None:
        at_least_one("steps", self.steps)

    def start(self) -> Watch:
        """A fresh watch for one run."""

        def watch(step: Step) -> str | None:
            return f"all {self.steps} steps are used up" if step.index >= self.steps else None

        return watch


@dataclass(frozen=True, slots=True)
class SelfReportedBudget(StepGuard):
    """The wrong way: tells the agent to count its own steps, and believes it.

    The agents are told to end each reply with ``STEP n of N``; the guard fires when the last line of
    that form in a reply reports ``steps`` or more. It fails when the agent forgets the line, can't send
    it (structured output, bare tool calls), or miscounts, as a looping agent does. It is here so that
    an experiment can show it failing beside :class:`StepBudget`; do not deploy it.
    """

    steps: int
    name: str = "self_reported_budget"

    def __post_init__(self) -> None:
        at_least_one("steps", self.steps)

    @property
    def briefing(self) -> str:
        """What the agents are told: to count, to report, and to stop."""
        return (
            f"You have {self.steps} steps. Count them, end each reply with the line "
            f"'STEP <n> of {self.steps}', and stop when they are used up."
        )

    def start(self) -> Watch:
        """A fresh watch for one run."""

        def watch(step: Step) -> str | None:
            reports = _REPORT.findall(step.output)
            if reports and int(reports[-1]) >= self.steps:
                return f"{step.agent} reports step {reports[-1]} of {self.steps}"
            return None

        return watch
