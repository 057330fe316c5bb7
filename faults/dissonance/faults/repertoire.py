"""What may go wrong at all: :func:`repertoire`, every fault in its severest form, the benign families first.

A search enumerates it in this order, so that the smallest plan it finds is made of the most harmless
fault that suffices; and each number has a range in which it is drawn and towards whose mild end it shrinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator

from .context import InflateState
from .draw import uniform
from .facts import facts
from .fault import Family, Fault, fault_types
from .hallucination import SeedClaim
from .human import LateAnswer
from .judgement import Groupthink
from .latency import Dribble, SlowReply
from .loops import Reenter
from .overflow import Overflow
from .process import Crash
from .rule import read_fault
from .spec import Spec
from .transport import CutStream, Disconnect, HttpError, MalformedBody, TruncatedToolJson

__all__ = ["BENIGN_FIRST", "Possible", "Range", "possible", "repertoire"]

BENIGN_FIRST: tuple[Family, ...] = (
    "latency",
    "transport",
    "tools",
    "human",
    "loops",
    "hallucination",
    "judgement",
    "context",
    "process",
)
"""Delay before loss, loss before loops, and these before what the model makes up, misjudges or cannot hold."""

_LEFT_OUT = frozenset({"SlowBranch"})
"""``SlowReply`` at the branch's agent is the same."""


class Range(Spec):
    """The values of a fault's number: from ``mild`` by ``step`` to ``severe``, either of which may be the greater one.

    >>> list(map(Range(mild=1, severe=3600).at, (0.0, 0.5, 1.0)))
    [1, 60, 3600]
    """

    mild: int | float
    severe: int | float
    step: Annotated[int | float, Field(gt=0)] = 1

    @property
    def steps(self) -> int:
        """How many steps lie between the ends."""
        return round(abs(self.severe - self.mild) / self.step)

    def nth(self, steps: int) -> int | float:
        """The value so many steps from ``mild``; after all of them it is ``severe``."""
        return self.mild + (steps * self.step if self.mild < self.severe else -steps * self.step)

    def steps_to(self, value: float) -> int:
        """How many steps it is from ``mild`` to the nearest value."""
        return min(self.steps, max(0, round(abs(value - self.mild) / self.step)))

    def at(self, u: float) -> int | float:
        """The value at the share ``u`` (0 to 1) of the way to ``severe``; the way is logarithmic where both are above 0."""
        if self.mild > 0 and self.severe > 0:
            return self.nth(self.steps_to(self.mild * (self.severe / self.mild) ** u))
        return self.nth(self.steps_to(self.mild + u * (self.severe - self.mild)))


class Possible(Spec):
    """A fault that may strike.

    * ``fault``: it, in its severest form. ``ranges``: its numbers that are drawn, by field.
    * ``id``: its name in a space (default: the fault's kind); the hash that draws it rests on this name.
    * ``lasting``: whether it may also strike from a call on, not on that call alone.

    >>> possible(SlowReply(seconds=3600), seconds=Range(mild=1, severe=3600)).drawn("any", 1).kind
    'SlowReply'
    """

    id: str = ""
    fault: Annotated[SerializeAsAny[Fault], BeforeValidator(read_fault)]
    ranges: Mapping[str, Range] = Field(default_factory=dict)
    lasting: bool = True

    @model_validator(mode="after")
    def _drawable(self) -> Possible:
        for name, span in self.ranges.items():
            if name not in type(self.fault).model_fields:
                raise ValueError(f"ranges: {self.fault.kind} has no field {name!r}")
            for end in (span.mild, span.severe):
                self.with_values({name: end})
        return self

    @property
    def name(self) -> str:
        """What it is called in a space."""
        return self.id or self.fault.kind

    @property
    def forms(self) -> tuple[Fault, ...]:
        """With each number half-way, and in its severest form."""
        return (self.with_values({name: span.at(0.5) for name, span in self.ranges.items()}), self.fault)[
            not self.ranges :
        ]

    def with_values(self, values: Mapping[str, float]) -> Fault:
        """The fault with these numbers. ValueError where it cannot have them."""
        given = {name: getattr(self.fault, name) for name in type(self.fault).model_fields} | dict(values)
        return type(self.fault)(**given)

    def drawn(self, *key: str | int) -> Fault:
        """The fault with each number drawn from its range, by hash of the key and the field's name."""
        return self.with_values({name: span.at(uniform(*key, name)) for name, span in self.ranges.items()})

    def milder(self, fault: Fault, name: str, steps: int) -> Fault:
        """The fault with another value of one number: so many steps from the mild end of its range."""
        own = {each: getattr(fault, each) for each in self.ranges}
        return self.with_values({**own, name: self.ranges[name].nth(steps)})


def possible(fault: Fault, *, id: str = "", lasting: bool = True, **ranges: Range) -> Possible:
    """A :class:`Possible` of a fault and the ranges of its numbers, by field."""
    return Possible(id=id, fault=fault, lasting=lasting, ranges=ranges)


def repertoire(families: Iterable[Family] | None = None) -> tuple[Possible, ...]:
    """Every known fault that can be made without being told anything more, of these families (None: of all).

    Kinds that need an argument stand here with typical ones; a fault of your own is added if all its
    fields have defaults.
    """
    chosen = BENIGN_FIRST if families is None else tuple(families)
    kinds = [kind for kind in fault_types().values() if kind.family in chosen and kind.__name__ not in _LEFT_OUT]
    kinds.sort(key=lambda kind: BENIGN_FIRST.index(kind.family))
    return tuple(each for kind in kinds for each in _forms(kind))


def _forms(kind: type[Fault]) -> Sequence[Possible]:
    """The forms in which a kind may strike: those listed here, else the one that its defaults make."""
    listed = _listed().get(kind.__name__)
    if listed is not None:
        return listed
    try:
        return (Possible(fault=kind()),)
    except ValidationError:
        return ()


def _each(kind: type[Fault], field: str) -> tuple[Possible, ...]:
    """One form for each value that a field may have, its default first."""
    annotation = kind.model_fields[field].annotation
    default = kind.model_fields[field].default
    values = sorted(get_args(annotation), key=lambda value: value != default)
    made: list[Any] = [kind(**{field: value}) for value in values]
    return tuple(possible(each, id=f"{each.kind}-{value}") for each, value in zip(made, values, strict=True))


_HOUR = Range(mild=1, severe=3600)

_TOKENS = Range(mild=10_000, severe=200_000, step=10_000)


@cache
def _listed() -> dict[str, Sequence[Possible]]:
    return {
        "SlowReply": (possible(SlowReply(seconds=3600), seconds=_HOUR),),
        "Dribble": (possible(Dribble(tokens_per_second=1), tokens_per_second=Range(mild=100, severe=1)),),
        "HttpError": tuple(
            possible(HttpError(status=status), id=f"HttpError-{status}") for status in (500, 400, 401, 413)
        ),
        "Disconnect": _each(Disconnect, "how"),
        "CutStream": (
            possible(CutStream(), id="CutStream"),
            possible(CutStream(cleanly=False), id="CutStream-reset"),
            possible(CutStream(after=0), id="CutStream-at-once"),
        ),
        "MalformedBody": _each(MalformedBody, "shape"),
        "TruncatedToolJson": _each(TruncatedToolJson, "stop_reason"),
        "SeedClaim": (possible(SeedClaim(claim=facts()[0])),),
        "Groupthink": (possible(Groupthink(correlation=1)),),
        "Overflow": _each(Overflow, "policy"),
        "InflateState": (
            possible(InflateState(tokens=200_000), id="InflateState-task", tokens=_TOKENS),
            possible(
                InflateState(tokens=200_000, through="tool_result"), id="InflateState-tool_result", tokens=_TOKENS
            ),
            possible(InflateState(tokens=200_000, through="reply"), id="InflateState-reply"),
        ),
        "LateAnswer": (possible(LateAnswer(seconds=86_400), seconds=Range(mild=1, severe=86_400)),),
        "Crash": _each(Crash, "place"),
        "Reenter": (possible(Reenter(), id="Reenter"),),
    }
