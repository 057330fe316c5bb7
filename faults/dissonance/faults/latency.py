"""The family ``latency``: the right answer comes late, slowly, or not until the client gives up."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dissonance.harness.call import Call, Reply
from dissonance.harness.wire.table import error_reply

from .draw import uniform
from .fault import Family, Fault
from .spec import Seconds

if TYPE_CHECKING:
    from dissonance.harness.history import History

    from .at import At

__all__ = ["Dribble", "Overloaded", "RateLimit", "SlowBranch", "SlowReply", "Stall"]


class SlowReply(Fault):
    """The first byte comes late. What a fault on the same reply made of it (a 529, say) comes late too.

    ``seconds`` is the mean of what is added, under each ``law``:

    * ``constant``: exactly this.
    * ``exponential``.
    * ``lognormal``: ``sigma`` (> 0, default 1) is the standard deviation of the logarithm.
    * ``pareto``: ``alpha`` (> 1, default 2.5) is the exponent of the tail.

    Each attempt of each call is drawn for itself, by hash of (``seed``, rule, agent, ordinal, attempt):
    a plan gives the same delays in every run.
    """

    family: ClassVar[Family] = "latency"
    seconds: Seconds
    law: Literal["constant", "exponential", "lognormal", "pareto"] = "constant"
    sigma: Annotated[float, Field(gt=0)] | None = None
    alpha: Annotated[float, Field(gt=1)] | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _of_the_law(self) -> Self:
        for name, law in (("sigma", "lognormal"), ("alpha", "pareto")):
            if getattr(self, name) is not None and self.law != law:
                raise ValueError(f"{name} belongs to law={law!r}, not to {self.law!r}; leave it out or change the law")
        return self

    def sentence(self) -> str:
        if self.law == "constant":
            return f"the reply comes {self.seconds:g} s late"
        return f"the reply comes late by {self.seconds:g} s in the mean ({self.law})"

    def delay(self, u: float) -> float:
        """The seconds added at the quantile ``u``, in (0, 1)."""
        if self.law == "exponential":
            return -self.seconds * math.log1p(-u)
        if self.law == "lognormal":
            sigma = 1.0 if self.sigma is None else self.sigma
            return self.seconds * math.exp(sigma * NormalDist().inv_cdf(u) - sigma * sigma / 2)
        if self.law == "pareto":
            alpha = 2.5 if self.alpha is None else self.alpha
            return self.seconds * (alpha - 1) / alpha * math.pow(1 - u, -1 / alpha)
        return self.seconds

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        u = uniform(self.seed, rule, call.agent, call.ordinal, call.attempt)
        return replace(reply, seconds=reply.seconds + self.delay(u))


class SlowBranch(Fault):
    """One branch of a fan-out comes ``seconds`` late (added to its first byte); its rule must say which branch."""

    family: ClassVar[Family] = "latency"
    seconds: Seconds

    def sentence(self) -> str:
        return f"this branch comes {self.seconds:g} s late"

    def objection(self, at: At) -> str | None:
        if at.text is not None or at.agent not in (None, "*"):
            return None
        return "SlowBranch must know its branch; give At(text=…), At(agent=…), or take SlowReply"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return replace(reply, seconds=reply.seconds + self.seconds)


class Stall(Fault):
    """The body begins and then falls silent, until the client's read timeout.

    ``after``: content deltas of a streamed message before the silence (None: half of them); a body
    that is not streamed falls silent after half its bytes. A client without a read timeout waits for ever.
    """

    family: ClassVar[Family] = "latency"
    damages: ClassVar[str | None] = "stalled reply"
    after: Annotated[int, Field(ge=0)] | None = None

    def sentence(self) -> str:
        where = "half-way" if self.after is None else f"after {self.after} deltas"
        return f"the reply falls silent {where} until the client's read timeout"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        return replace(reply, ending="stall", ending_after=self.after)


class Dribble(Fault):
    """The answer comes at this many output tokens a second (> 0), from its first byte on."""

    family: ClassVar[Family] = "latency"
    tokens_per_second: Annotated[float, Field(gt=0)]

    def sentence(self) -> str:
        return f"the reply dribbles in at {self.tokens_per_second:g} tokens/s"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        return replace(reply, tokens_per_second=self.tokens_per_second)


class RateLimit(Fault):
    """HTTP 429 ``rate_limit_error``, in the API's words and with its headers.

    ``retry_after``: seconds in the ``retry-after`` header, which SDK 2 waits out whatever it says; None
    leaves the header out, so that the SDK backs off by itself.
    """

    family: ClassVar[Family] = "latency"
    damages: ClassVar[str | None] = "lost reply"
    retry_after: Seconds | None = None

    def sentence(self) -> str:
        wait = "" if self.retry_after is None else f", retry after {self.retry_after:g} s"
        return f"the API answers 429 (rate limit{wait})"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        return error_reply(429, retry_after=self.retry_after)


class Overloaded(Fault):
    """HTTP 529 ``overloaded_error``: the API itself has too much to do; it names no time to wait."""

    family: ClassVar[Family] = "latency"
    damages: ClassVar[str | None] = "lost reply"

    def sentence(self) -> str:
        return "the API answers 529 (overloaded)"

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        return error_reply(529)
