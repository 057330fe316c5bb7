"""What supervision gives back: the attempts, and the result or the dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from .gate import Decision, Judgement
from .outcome import Outcome, Unfinished, Usage
from .provenance import Provenance

__all__ = ["Attempt", "Escalated", "Supervised"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Attempt(Generic[T]):
    """One dispatch: who did it, what came back (None if nothing usable), and the gate's judgement of it.

    ``decision`` is what the supervisor did then: the gate's decision, or ``reassign`` where it said
    ``retry`` and the worker had had its attempts.
    """

    index: int
    worker: str
    output: T | None
    judgement: Judgement
    decision: Decision
    usage: Usage
    provenance: Provenance | None = None


@dataclass(frozen=True, kw_only=True)
class Supervised(Outcome[T]):
    """What supervision made of a task. ``accepted_by`` is ``signals``, the judge's name, or None: not accepted.

    Not accepted, it is the task's dead letter: ``output`` is the attempt that passed most checks (the
    latest of equals), ``attempts`` has all of them with their feedback. ``escalated``: it was given up to a human,
    by the gate or by an ``EscalationPolicy``; ``reason`` says why.
    """

    accepted_by: str | None
    attempts: tuple[Attempt[T], ...]
    escalated: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the gate accepted the output."""
        return self.finished

    def require(self) -> T:
        """The accepted output; raises Escalated, or Unfinished where a guard stopped it."""
        if self.escalated:
            raise Escalated(self)
        return super().require()


class Escalated(Unfinished):
    """The supervisor gave the task up to a human; ``outcome`` is the dead letter with all attempts."""
