"""The circuit breaker: a model that keeps failing is left alone for a while.

* Use one object for all that call the same models, in ``guards`` of what should fail fast: of a worker, so that
  the task goes to a worker with another model; of a branch, so that it is a gap at once and not after minutes.
* It costs nothing. Unlike other guards it remembers from run to run: that is its purpose.
* It can't tell a model that is down from a question that no model can answer: keep ``failures`` above the
  number of tries that one bad question gets.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import anthropic
import httpx2

from dissonance.patterns.outcome import Usage
from dissonance.patterns.question import Question
from dissonance.patterns.reply import DamagedReply

from .guard import CallGuard, Meter, Refused, at_least_one

__all__ = ["CircuitBreaker"]


class CircuitBreaker(CallGuard):
    """Opens for ``seconds`` (above 0) once a model has failed ``failures`` times (from 1) in a row.

    Failures are damaged replies, errors of the connection, and HTTP 408, 409, 429 and 5xx; other errors are the
    caller's. When the time is over, one call is let through: if it is answered, the circuit is closed again.
    """

    def __init__(self, failures: int = 5, seconds: float = 30.0, name: str = "circuit_breaker") -> None:
        at_least_one("failures", failures)
        if not seconds > 0:
            raise ValueError(f"seconds={seconds!r}: give more than 0, or leave the guard out")
        self.failures = failures
        self.seconds = seconds
        self._name = name
        self._circuits: defaultdict[str, _Circuit] = defaultdict(_Circuit)

    @property
    def name(self) -> str:
        """What ``stopped_by`` will say."""
        return self._name

    def meter(self) -> Meter:
        """A meter of this run; all share the circuits."""
        return _Fuse(self)

    def circuit(self, model: str) -> _Circuit:
        """The state of a model's circuit."""
        return self._circuits[model]


@dataclass(slots=True)
class _Circuit:
    failed: int = 0
    open_until: float | None = None
    probe: int | None = None


class _Fuse(Meter):
    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    async def before(self, question: Question) -> Question:
        circuit = self._breaker.circuit(question.agent.model)
        if circuit.open_until is None:
            return question
        left = circuit.open_until - asyncio.get_running_loop().time()
        if left > 0 or circuit.probe is not None:
            when = f"is left alone for another {left:.0f} s" if left > 0 else "is being tried by another call"
            raise Refused(f"{question.agent.model} failed {circuit.failed} times in a row and {when}")
        circuit.probe = question.number
        return question

    def after(self, question: Question, usage: Usage, error: BaseException | None) -> None:
        circuit = self._breaker.circuit(question.agent.model)
        if circuit.probe == question.number:
            circuit.probe = None
        if error is None:
            circuit.failed, circuit.open_until = 0, None
        elif _is_the_models(error):
            circuit.failed += 1
            if circuit.failed >= self._breaker.failures:
                circuit.open_until = asyncio.get_running_loop().time() + self._breaker.seconds


def _is_the_models(error: BaseException) -> bool:
    if isinstance(error, anthropic.APIStatusError):
        return error.status_code in (200, 408, 409, 429) or error.status_code >= 500
    return isinstance(error, (DamagedReply, anthropic.APIConnectionError, httpx2.HTTPError, TimeoutError))
