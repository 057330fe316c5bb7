"""What debaters say: positions with their reasoning, and what came of a debate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from .agent import Agent
from .outcome import Outcome
from .step import normalised

__all__ = ["Alike", "Debated", "Diversity", "Position", "Stance", "diversity", "majority", "normalised"]

Alike: TypeAlias = Callable[[str], str]
"""Brings conclusions that mean the same to the same text."""


class Position(BaseModel):
    """What a debater thinks. The reasoning comes first, so that the conclusion follows from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasoning: str = Field(description="The evidence and the steps that lead to the conclusion, weaknesses included.")
    conclusion: str = Field(description="The conclusion alone, as short as it can be: no reasons.")


@dataclass(frozen=True, kw_only=True)
class Stance:
    """One debater's position in one round; round 0 is before anybody has heard anybody."""

    debater: str
    round: int
    position: Position


@dataclass(frozen=True, slots=True)
class Diversity:
    """In how many ways the debaters differ: distinct values of each trait. All 1: it is one voter, asked n times."""

    framings: int
    models: int
    efforts: int

    @property
    def independent(self) -> bool:
        """Whether they differ in anything at all. Differing is necessary for independence, and not sufficient."""
        return max(self.framings, self.models, self.efforts) > 1


def diversity(debaters: Sequence[Agent]) -> Diversity:
    """How diverse they are. A framing is an agent's instructions; its name, which is its role, does not count.

    >>> diversity([Agent("a", "Attack it."), Agent("b", "Defend it."), Agent("c", "Defend it.", effort="high")])
    Diversity(framings=2, models=1, efforts=2)
    """
    return Diversity(
        len({normalised(debater.instructions) for debater in debaters}),
        len({debater.model for debater in debaters}),
        len({debater.effort for debater in debaters}),
    )


@dataclass(frozen=True, kw_only=True)
class Debated(Outcome[str]):
    """What a debate came to.

    ``decided_by`` is ``agreement`` (of all), ``vote``, the arbitrator's name, or None: undecided. ``rounds`` counts
    the rounds in which they heard each other; 0: they agreed at once. ``stances`` has all positions in order;
    ``dissent`` those of the last round that came to another conclusion than the output. ``why`` is the arbitrator's
    reasoning, ``missing`` names debaters that gave no usable position.
    """

    decided_by: str | None
    rounds: int
    stances: tuple[Stance, ...]
    dissent: tuple[Stance, ...]
    diversity: Diversity
    why: str = ""
    missing: tuple[str, ...] = ()

    @property
    def first(self) -> tuple[Stance, ...]:
        """The independent positions."""
        return tuple(stance for stance in self.stances if stance.round == 0)

    @property
    def flipped(self) -> tuple[str, ...]:
        """Who ended with another conclusion than at the beginning, by the texts of both."""
        firsts = {stance.debater: stance.position.conclusion for stance in self.first}
        lasts = {stance.debater: stance.position.conclusion for stance in self.stances}
        return tuple(name for name in firsts if normalised(firsts[name]) != normalised(lasts[name]))


def majority(stances: Sequence[Stance], alike: Alike) -> Stance | None:
    """The first stance of those whose conclusion more than half hold; None where no conclusion has that many."""
    counted = Counter(alike(stance.position.conclusion) for stance in stances)
    return next((s for s in stances if 2 * counted[alike(s.position.conclusion)] > len(stances)), None)
