"""When a rule applies: :class:`When`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from dissonance.harness.call import Call
from dissonance.harness.moment import Moment

from .spec import Ordinal, Seconds, Spec

__all__ = ["When"]

_Ordinals = Annotated[tuple[Ordinal, ...], Field(min_length=1, strict=False)]


class When(Spec):
    """The calls of an agent, by their ordinal (from 1), the attempts, and a window of virtual time; all must hold.

    * ``call``: this call alone; ``calls``: these calls.
    * ``from_call``, ``until_call``: this call and all later ones, this call and all earlier ones.
    * ``every``: each n-th call, counted from ``from_call`` where that is given: ``every=3`` means calls
      3, 6, 9 and so on; with ``from_call=1`` calls 1, 4, 7.
    * ``attempt``: this attempt of a call alone: 1 is the first, the client's retries follow. None: all of them.
    * ``after``, ``before``: the call was sent at or after, and before, this virtual second of the run.

    Selectors that contradict each other, or together leave nothing, are an error.

    >>> When(from_call=2, until_call=4)
    When(from_call=2, until_call=4)
    """

    call: Ordinal | None = None
    calls: _Ordinals | None = None
    from_call: Ordinal | None = None
    until_call: Ordinal | None = None
    every: Ordinal | None = None
    attempt: Ordinal | None = None
    after: Annotated[float, Field(ge=0)] | None = None
    before: Seconds | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [name for name in ("call", "calls", "from_call", "until_call", "every") if getattr(self, name)]
        for alone in ("call", "calls"):
            if alone in given and len(given) > 1:
                others = " and ".join(name for name in given if name != alone)
                raise ValueError(f"{alone} already says which calls; leave out {others}, or {alone}")
        if self.until_call is not None and self._first() > self.until_call:
            raise ValueError(
                f"no call is selected: the first one would be {self._first()}, but until_call is {self.until_call}; "
                "raise until_call"
            )
        if self.after is not None and self.before is not None and self.after >= self.before:
            raise ValueError(f"no time is left between after={self.after:g} and before={self.before:g}; swap them")
        return self

    def matches(self, call: Call | Moment) -> bool:
        """Whether the call is one of these."""
        return (
            self._selects(call.ordinal)
            and (self.attempt is None or call.attempt == self.attempt)
            and (self.after is None or call.sent_at >= self.after)
            and (self.before is None or call.sent_at < self.before)
        )

    def ends_at(self, call: Call | Moment) -> float | None:
        """The virtual second after which, for the agent of this matching call, nothing matches any more.

        That is ``call.sent_at`` once no later call of the agent can match (the client's retries of
        this call still may; each has its own event), else ``before``, else None: it has no end.
        """
        last = self._last()
        return call.sent_at if last is not None and call.ordinal >= last else self.before

    def sentence(self, noun: str = "call") -> str:
        """In English: ``call 1``, ``every call from the 2nd on``, ``every call``, …; ``noun`` is what is counted."""
        parts = [self._calls_sentence(noun)]
        if self.attempt is not None:
            parts.append(f"attempt {self.attempt} only")
        if self.after is not None and self.before is not None:
            parts.append(f"sent between {self.after:g} s and {self.before:g} s")
        elif self.after is not None:
            parts.append(f"sent from {self.after:g} s on")
        elif self.before is not None:
            parts.append(f"sent before {self.before:g} s")
        return ", ".join(parts)

    def _first(self) -> int:
        return self.from_call or self.every or 1

    def _last(self) -> int | None:
        """The highest ordinal that can match."""
        if self.call is not None:
            return self.call
        if self.calls is not None:
            return max(self.calls)
        if self.until_call is None:
            return None
        return self.until_call - (self.until_call - self._first()) % (self.every or 1)

    def _selects(self, ordinal: int) -> bool:
        if self.call is not None:
            return ordinal == self.call
        if self.calls is not None:
            return ordinal in self.calls
        first, last = self._first(), self.until_call
        return first <= ordinal and (last is None or ordinal <= last) and (ordinal - first) % (self.every or 1) == 0

    def _calls_sentence(self, noun: str) -> str:
        if self.call is not None:
            return f"{noun} {self.call}"
        if self.calls is not None:
            return (f"{noun}s " if len(self.calls) > 1 else f"{noun} ") + ", ".join(map(str, sorted(self.calls)))
        which = f"every {noun}" if self.every in (None, 1) else f"every {_nth(self.every or 1)} {noun}"
        start = f" from the {_nth(self.from_call)} on" if self.from_call not in (None, 1) else ""
        if self.every not in (None, 1) and self.from_call == 1:
            start = " from the 1st on"
        end = f" up to the {_nth(self.until_call)}" if self.until_call is not None else ""
        return which + start + end


def _nth(number: int | None) -> str:
    n = number or 0
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
