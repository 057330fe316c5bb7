"""What ends a run that would not end by itself: :class:`Limits`, and the :class:`Switch` at the wire."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NoReturn

from .call import Endpoint, Usage
from .errors import BadInput, RunStopped
from .secrets import hidden
from .world import World, insist

__all__ = ["DAY", "Limits", "Switch"]

DAY = 86_400.0
_MOST_SECONDS = 90 * DAY
_REFUSALS = 100
"""After so many refused calls somebody swallows every exception: the world is ended, and the next ones can't be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a run may go before the harness stops it.

    * ``calls``: requests to ``messages``, retries included;
    * ``seconds``: virtual time, at most 90 days (a wait without end reads as a long one);
    * ``tokens``: input and output, all calls together;
    * ``usd``: dollars, by the list prices of the models;
    * ``real_seconds``: real time.

    Raises BadInput for what is not a positive number.
    """

    calls: int = 500
    seconds: float = 30 * DAY
    tokens: int = 20_000_000
    usd: float = 50.0
    real_seconds: float = 60.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            kinds = (int,) if each.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                what = "a whole number above 0" if kinds == (int,) else "a number above 0"
                raise BadInput(f"Limits({each.name}={value!r}): give {what}")
        if self.seconds > _MOST_SECONDS:
            raise BadInput(f"Limits(seconds={self.seconds!r}): give at most {_MOST_SECONDS:.0f} (90 days)")


class Switch:
    """The switch at the wire: once a limit is hit, each further call raises :class:`RunStopped`.

    A refusal by HTTP would be swallowed as one more error to retry. ``stopped`` is the reason.
    """

    def __init__(self, limits: Limits, world: World) -> None:
        self._limits = limits
        self.world = world
        self._refusals = 0
        self.calls = 0
        self.tokens = 0
        self.usd = 0.0
        self.stopped: RunStopped | None = None

    def check(self) -> None:
        """Raise :class:`RunStopped` where the run must not go on."""
        if self.stopped is None:
            self.stopped = self.world.ending
        if self.stopped is not None:
            self._refuse(self.stopped)
        limits = self._limits
        if self.calls >= limits.calls:
            self.stop("calls", f"the run made {self.calls} calls and wanted one more; Limits(calls={limits.calls})")
        if self.tokens >= limits.tokens:
            self.stop("tokens", f"the run used {self.tokens} tokens; Limits(tokens={limits.tokens})")
        if self.usd >= limits.usd:
            self.stop("usd", f"the run cost {self.usd:.2f} dollars; Limits(usd={limits.usd:g})")

    def stop(self, limit: str, reason: str) -> NoReturn:
        """Throw the switch."""
        self.stopped = RunStopped(limit, hidden.clean(reason))
        raise self.stopped

    def _refuse(self, reason: RunStopped) -> NoReturn:
        self._refusals += 1
        refusal = RunStopped(reason.limit, reason.reason)
        if self._refusals >= _REFUSALS:
            self.world.end(reason)
            insist(refusal)
        raise refusal

    def count_call(self, endpoint: Endpoint) -> None:
        """A call was sent."""
        self.calls += endpoint == "messages"

    def count_usage(self, usage: Usage | None, usd: float) -> None:
        """A reply was received."""
        if usage is not None:
            self.tokens += usage.total
        self.usd += usd
