"""The escalation policy: where a loop gets nowhere, a human hears of it, and not of each hiccup.

* Use it in place of guards that would only stop: it holds them, and when one fires, it asks.
* It costs what its guards cost, and a human's attention.
* It fires where its guards do: an agent that is wrong and makes progress is none of its business (``human_gate``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dissonance.patterns import log
from dissonance.patterns.step import Step

from .guard import StepGuard, Watch

__all__ = ["EscalationPolicy"]


@dataclass(frozen=True, slots=True)
class EscalationPolicy(StepGuard):
    """Gives the task up to a human once one of the guards ``on`` fires; the reason names it.

    ``notify`` is called with the step and the reason; without it, the log record of kind ``ask`` is all.
    """

    on: tuple[StepGuard, ...]
    notify: Callable[[Step, str], None] | None = None
    name: str = "escalation"
    escalates: bool = True

    def __post_init__(self) -> None:
        if not self.on:
            raise ValueError("on=(): give the guards whose firing a human must hear of")

    @property
    def briefing(self) -> str:
        """What its guards want the agents to be told."""
        return "\n\n".join(guard.briefing for guard in self.on if guard.briefing)

    def start(self) -> Watch:
        """Fresh watches for one run."""
        watches = [(guard.name, guard.start()) for guard in self.on]

        def watch(step: Step) -> str | None:
            found = [f"{name}: {reason}" for name, each in watches if (reason := each(step)) is not None]
            if not found:
                return None
            log.human_asked(step.agent, found[0], step.task, step.index)
            if self.notify is not None:
                self.notify(step, found[0])
            return found[0]

        return watch
