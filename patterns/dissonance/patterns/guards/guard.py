"""What a guard is.

A guard is a frozen specification that may be given to any number of patterns and runs. Four kinds may be
mixed in one list:

* a :class:`StepGuard` gives each run a fresh watch, which is shown each step that did not end the pattern,
  before the loop goes round again. A step that finishes the work is never shown: no guard takes back an
  accepted result;
* a :class:`CallGuard` gives each run a fresh meter, which sees each model call made in it, by whatever is
  nested in it;
* an :class:`OutputGuard` looks at an output before anybody downstream sees it;
* a :class:`~.time_box.TimeBox` cuts the run itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

from dissonance.patterns.agent import Agent
from dissonance.patterns.outcome import Usage
from dissonance.patterns.question import Question
from dissonance.patterns.step import Step

__all__ = [
    "CallGuard",
    "Guard",
    "Meter",
    "OutputGuard",
    "Refused",
    "StepGuard",
    "Stop",
    "Watch",
    "at_least_one",
    "briefed",
    "looks_at_calls",
    "looks_at_outputs",
    "looks_at_steps",
]

Watch: TypeAlias = Callable[[Step], "str | None"]
"""Sees one run's steps in order; gives the reason to stop, or None."""


class Guard(Protocol):
    """A control handed to a pattern. ``name`` is what ``stopped_by`` will say.

    Any class of this shape will do; one that derives from it need not write ``briefing``.
    """

    @property
    def name(self) -> str: ...

    @property
    def briefing(self) -> str:
        """What the agents are told of it, at the end of their instructions; empty for most."""
        return ""


@runtime_checkable
class StepGuard(Guard, Protocol):
    """A guard that looks at each step."""

    def start(self) -> Watch:
        """A fresh watch for one run."""


class Refused(Exception):
    """Raised by a meter: this call must not be made, and why."""


class Meter(Protocol):
    """Sees one run's model calls."""

    async def before(self, question: Question) -> Question:
        """The question as it may be asked; raises Refused where it may not."""

    def after(self, question: Question, usage: Usage, error: BaseException | None) -> None:
        """How it went. Each question that passed :meth:`before` comes here once, a cancelled one too."""


@runtime_checkable
class CallGuard(Guard, Protocol):
    """A guard that looks at each model call."""

    def meter(self) -> Meter:
        """A fresh meter for one run."""


@runtime_checkable
class OutputGuard(Guard, Protocol):
    """A guard that looks at outputs; it is a :data:`~.gate.Check` with a name."""

    def verify(self, task: str, output: Any) -> Any:
        """A :class:`~.gate.Signal`, or an awaitable of one."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A guard has fired. ``escalated``: it gave the task up to a human (see ``EscalationPolicy``)."""

    guard: str
    reason: str
    escalated: bool = False


def looks_at_steps(guard: Guard) -> TypeGuard[StepGuard]:
    """Whether it is a :class:`StepGuard`, by its shape. Each run asks, and ``isinstance`` takes long over a protocol."""
    return hasattr(guard, "start")


def looks_at_calls(guard: Guard) -> TypeGuard[CallGuard]:
    """Whether it is a :class:`CallGuard`."""
    return hasattr(guard, "meter")


def looks_at_outputs(guard: Guard) -> TypeGuard[OutputGuard]:
    """Whether it is an :class:`OutputGuard`."""
    return hasattr(guard, "verify")


def briefed(agent: Agent, guards: Sequence[Guard]) -> Agent:
    """The agent, told what the guards want it to be told."""
    lines = [guard.briefing for guard in guards if guard.briefing]
    return agent.briefed(lines) if lines else agent


def at_least_one(argument: str, value: int) -> None:
    """Raise ValueError unless the argument is 1 or more."""
    if value < 1:
        raise ValueError(f"{argument}={value!r}: give 1 or more, or leave the guard out")
