"""What may happen to a workflow: :class:`Space`, sampled into concrete plans, or enumerated.

A plan has no probabilities; a space has. :func:`sample` makes a plan of it before the run, by swarm
sampling (Groce et al., "Swarm Testing", ISSTA 2012): first which kinds of fault this plan has at all,
then where they strike, since plans with few kinds reach what plans with a little of everything mask.
Each draw is a hash of (seed, kind, agent, endpoint, call): taking a kind or a slot out of the space leaves every
other draw as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated

from pydantic import Field, model_validator

from dissonance.harness.errors import BadInput

from .draw import uniform
from .fault import Fault
from .plan import FaultPlan
from .repertoire import Possible, repertoire
from .rule import Rule
from .slots import Slot, as_slots
from .spec import Spec

__all__ = ["Space", "Strike", "sample", "single_faults", "strikes"]

_Share = Annotated[float, Field(gt=0, le=1)]
_TYPICAL_RULES = 3.0


class Space(Spec):
    """What may strike where, and how likely.

    * ``slots``: the calls; see ``slots_of``. ``faults``: what may strike (default: the whole repertoire).
    * ``kinds``: the probability of each fault to be in a plan at all.
    * ``probability``: of each fault that is, at each slot that takes it (None: so that a plan has three
      rules in the mean, or all there are).
    * ``lasting``: of each rule, to hold from its call on and not on that call alone.

    Two faults of one name are an error: their draws would be one.
    """

    slots: tuple[Slot, ...]
    faults: tuple[Possible, ...] = Field(default_factory=repertoire)
    kinds: _Share = 0.5
    probability: _Share | None = None
    lasting: Annotated[float, Field(ge=0, le=1)] = 0.3

    @model_validator(mode="after")
    def _of_different_names(self) -> Space:
        for what, given in (
            ("faults", [each.name for each in self.faults]),
            ("slots", [x.sentence() for x in self.slots]),
        ):
            twice = next((name for name in given if given.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"two {what} are called {twice!r}; leave one out, or give it an id of its own")
        return self

    @classmethod
    def at(cls, agents: Iterable[str | Slot], faults: Sequence[Possible] | None = None) -> Space:
        """The space over these slots, or over the first calls of these agents."""
        return cls(slots=as_slots(agents), faults=repertoire() if faults is None else tuple(faults))

    @property
    def agents(self) -> tuple[Slot, ...]:
        """The first slot of each agent that has calls of messages."""
        first: dict[str | None, Slot] = {}
        for slot in self.slots:
            if slot.endpoint == "messages" and slot.noun == "call":
                first.setdefault(slot.agent, slot)
        return tuple(first.values())

    @property
    def everywhere(self) -> tuple[Slot, ...]:
        """The slot that stands for the same trouble with every agent; none where there is one agent alone."""
        if len(self.agents) < 2:
            return ()
        names = tuple(what.name for what in self.faults if any(slot.takes(what) for slot in self.agents))
        return (Slot(agent=None, open_to=names),)

    @property
    def places(self) -> tuple[tuple[Possible, Slot], ...]:
        """Each fault with each slot that takes it, the benign faults first, then the early slots."""
        return tuple(
            (what, slot) for what in self.faults for slot in (*self.slots, *self.everywhere) if slot.takes(what)
        )

    def strikes(self) -> Iterator[Strike]:
        """Every single strike, the simplest first.

        Those on one agent come before those on all; then those on one call before those from a call on;
        then the benign faults come first; then the early slots. A number is tried half-way (by its
        logarithm) and then in its severest form: what is worst may hide what is bad, as a reply that comes after
        the client's timeout hides what a late one leads to.
        """
        for slots, lasting in product((self.slots, self.everywhere), (False, True)):
            for what, slot in product(self.faults, slots):
                if slot.takes(what) and not (lasting and not slot.lets_last(what)):
                    yield from (Strike(what, slot, lasting, fault) for fault in what.forms)


@dataclass(frozen=True)
class Strike:
    """One fault on one slot, ``lasting`` or not: a rule that remembers where it was drawn from."""

    what: Possible
    slot: Slot
    lasting: bool
    fault: Fault

    @property
    def rule(self) -> Rule:
        """As a rule of a plan."""
        return self.slot.rule(self.fault, lasting=self.lasting)


def sample(space: Space, seed: int) -> FaultPlan:
    """A concrete plan of this space: the same one for the same seed, in every process. It may be empty."""
    return FaultPlan(rules=tuple(strike.rule for strike in strikes(space, seed)))


def strikes(space: Space, seed: int) -> tuple[Strike, ...]:
    """What :func:`sample` makes a plan of."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadInput(f"sample(seed={seed!r}): give a whole number")
    places = space.places
    chance = space.probability or min(1.0, _TYPICAL_RULES / max(1.0, space.kinds * len(places)))
    return tuple(
        _drawn(space, what, slot, seed)
        for what, slot in places
        if uniform(seed, what.name) < space.kinds and uniform(seed, what.name, *slot.address) < chance
    )


def single_faults(agents: Iterable[str | Slot], *, faults: Sequence[Possible] | None = None) -> Iterator[FaultPlan]:
    """Every plan of one fault, the simplest first: to enumerate a small workflow rather than to sample it.

    ``agents`` are slots (see ``slots_of``), or names that stand for the first call of each. The order is
    that of :meth:`Space.strikes`.

    >>> sum(1 for plan in single_faults(["judge"])) > 40
    True
    """
    return (FaultPlan(rules=(strike.rule,)) for strike in Space.at(agents, faults).strikes())


def _drawn(space: Space, what: Possible, slot: Slot, seed: int) -> Strike:
    key = (seed, what.name, *slot.address)
    lasting = slot.lets_last(what) and uniform(*key, "lasting") < space.lasting
    return Strike(what, slot, lasting, what.drawn(*key))
