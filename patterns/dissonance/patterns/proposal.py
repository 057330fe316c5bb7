"""A proposed action, as an agent drafts it and a gate weighs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from .human import HumanAnswer
from .outcome import Outcome

__all__ = ["Gated", "Proposal", "Route", "Thresholds"]

A = TypeVar("A")

Route: TypeAlias = Literal["auto", "review", "draft"]


class Proposal(BaseModel, Generic[A]):
    """What an agent wants to do. ``Proposal[Payment]`` is a schema that an agent can be asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: A = Field(description="The action, complete: it is taken exactly as it stands here.")
    summary: str = Field(description="The action in one line, for the human who decides about it.")
    confidence: float = Field(ge=0, le=1, description="How sure you are that the action is right, from 0 to 1.")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Who acts at which confidence: below ``draft`` a human drafts, below ``review`` one reviews, else nobody is asked.

    Both are from 0 to 1. A trigger asks for a review however sure the agent is.
    """

    draft: float = 0.7
    review: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.draft <= self.review <= 1:
            raise ValueError(f"draft={self.draft!r}, review={self.review!r}: give 0 <= draft <= review <= 1")

    def route(self, confidence: float, reasons: Sequence[str]) -> Route:
        """Who acts, where triggers gave these reasons.

        >>> [Thresholds().route(each, ()) for each in (0.69, 0.7, 0.89, 0.9)], Thresholds().route(0.99, ["irreversible"])
        (['draft', 'review', 'review', 'auto'], 'review')
        """
        if confidence < self.draft:
            return "draft"
        return "review" if confidence < self.review or reasons else "auto"


@dataclass(frozen=True, kw_only=True)
class Gated(Outcome[Any]):
    """What came of a task at a gate. ``output`` is the action that was taken, ``result`` what its effect gave.

    ``run`` is its id, by which it is resumed; ``route`` who was to act and ``reasons`` why a human; ``decision``
    the answer that counted; ``paused``: it waits for one, and nothing has been done.
    """

    run: str
    route: Route | None = None
    reasons: tuple[str, ...] = ()
    decision: HumanAnswer | None = None
    result: Any = None
    paused: bool = False
