"""What every pattern returns, and what it costs.

A pattern is an async callable ``task -> Outcome``. An :class:`Outcome` never passes for success by
itself: ``output`` is the best that there is, ``finished`` says whether it is also the answer, and
:meth:`Outcome.require` gives the output or raises. Errors of this package form one tree::

    PatternError
     ├─ Unfinished      Outcome.require(): a guard stopped the pattern, or it escalated
     ├─ Halted          a guard refused a model call, and no pattern around it owns that guard (see ``question``)
     └─ DamagedReply    a model's reply that must not be taken for an answer (see ``reply``)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

from .provenance import Provenance

__all__ = ["NO_USAGE", "Outcome", "Pattern", "PatternError", "Unfinished", "Usage"]

T = TypeVar("T")


class PatternError(Exception):
    """Something that a pattern will not pass off as a result."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Model calls and their tokens, as the API reports them in each reply.

    >>> Usage(calls=1, input_tokens=10) + Usage(calls=2, output_tokens=5)
    Usage(calls=3, input_tokens=10, output_tokens=5, cache_creation_input_tokens=0, cache_read_input_tokens=0)
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        if other is NO_USAGE or self is NO_USAGE:  # most often one of them is
            return self if other is NO_USAGE else other
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
        )

    @property
    def tokens(self) -> int:
        """All tokens, read from a cache or not, in and out."""
        cached = self.cache_creation_input_tokens + self.cache_read_input_tokens
        return self.input_tokens + cached + self.output_tokens


NO_USAGE = Usage()


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[T]):
    """What a pattern made of a task.

    ``output`` is the answer if ``finished``, else the best so far (None where there is nothing).
    ``stopped_by`` names the guard that ended it, ``reason`` says why it is not finished. ``steps``
    counts the orchestrator's steps; a step may cost several calls, which ``usage`` counts. ``provenance``
    says what the output rests on; None where its maker does not say.
    """

    output: T | None
    finished: bool
    steps: int
    usage: Usage
    stopped_by: str | None = None
    reason: str | None = None
    provenance: Provenance | None = None

    def require(self) -> T:
        """The output of a finished pattern; raises :class:`Unfinished` otherwise."""
        if not self.finished:
            raise Unfinished(self)
        return cast(T, self.output)


Pattern: TypeAlias = Callable[[str], Coroutine[Any, Any, Outcome[T]]]
"""A pattern that has its agents, tools and guards, and only needs a task."""


class Unfinished(PatternError):
    """There is no finished output. ``outcome`` holds all that there is, ``stopped_by`` the guard's name, if one fired."""

    def __init__(self, outcome: Outcome[Any]) -> None:
        cause = f"stopped by {outcome.stopped_by}" if outcome.stopped_by else "not finished"
        super().__init__(f"{cause} after {outcome.steps} steps: {outcome.reason}")
        self.outcome = outcome
        self.stopped_by = outcome.stopped_by
