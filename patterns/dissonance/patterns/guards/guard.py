"""What a guard is, and the rounds it keeps.

A guard is a frozen specification that may be given to any number of patterns and runs. At the
beginning of each run, :meth:`Guard.start` gives a fresh watch: a callable that is shown each step that
did not end the pattern, before the loop goes round again, and answers with the reason to stop, or None.
A step that finishes the work is never shown: no guard takes back an accepted result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from dissonance.patterns import log
from dissonance.patterns.agent import Agent
from dissonance.patterns.outcome import Usage
from dissonance.patterns.reply import ToolCall
from dissonance.patterns.step import Step, normalised

__all__ = ["Guard", "Rounds", "Stop", "Watch", "at_least_one", "briefed"]

Watch: TypeAlias = Callable[[Step], "str | None"]
"""Sees one run's steps in order; gives the reason to stop, or None."""


class Guard(Protocol):
    """A control that may stop a loop. ``name`` is what ``stopped_by`` will say.

    Any class of this shape will do; one that derives from it need not write ``briefing``.
    """

    @property
    def name(self) -> str: ...

    @property
    def briefing(self) -> str:
        """What the agents are told of it, at the end of their instructions; empty for most."""
        return ""

    def start(self) -> Watch:
        """A fresh watch for one run."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A guard has fired."""

    guard: str
    reason: str


class Rounds:
    """One run of a pattern under its guards: counts the steps and the cost, shows each step to the watches, logs the stop.

    Every watch sees every step, so none loses count; where several fire at once, the first in the
    order given is the one named.
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._watches = [(guard.name, guard.start()) for guard in guards]
        self._found: set[str] = set()
        self.steps = 0
        self.spent = Usage()

    def begin(self) -> int:
        """Begin the next step; gives its index."""
        self.steps += 1
        return self.steps

    def spend(self, usage: Usage) -> None:
        """Add to what the run has cost."""
        self.spent += usage

    def found(self, finding: str) -> None:
        """Note something found; what was found before, but for case and white space, counts once."""
        self._found.add(normalised(finding))

    def check(
        self,
        *,
        agent: str,
        action: str,
        task: str,
        output: str,
        calls: tuple[ToolCall, ...] = (),
        passed: int = 0,
        criteria: int = 0,
        depth: int = 0,
    ) -> Stop | None:
        """May the loop go round again after this step? None if it may."""
        step = Step(
            index=self.steps,
            agent=agent,
            action=action,
            task=task,
            output=output,
            calls=calls,
            passed=passed,
            criteria=criteria,
            findings=len(self._found),
            depth=depth,
            spent=self.spent,
        )
        stops = [Stop(name, reason) for name, watch in self._watches if (reason := watch(step)) is not None]
        if not stops:
            return None
        log.guard_fired(stops[0].guard, agent, stops[0].reason, step.index)
        return stops[0]


def briefed(agent: Agent, guards: Sequence[Guard]) -> Agent:
    """The agent, told what the guards want it to be told."""
    lines = [guard.briefing for guard in guards if guard.briefing]
    return agent.briefed(lines) if lines else agent


def at_least_one(argument: str, value: int) -> None:
    """Raise ValueError unless the argument is 1 or more."""
    if value < 1:
        raise ValueError(f"{argument}={value!r}: give 1 or more, or leave the guard out")
