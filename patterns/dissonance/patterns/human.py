"""The human in the loop, as data: what is asked, what is answered, and what a human is.

A human is anything with ``async ask(request) -> answer``: a queue on a web page, a chat, a script. Neither
side need derive from the classes here; the attributes are the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

__all__ = ["Human", "HumanAnswer", "HumanDecision", "HumanRequest", "Kind"]

HumanDecision: TypeAlias = Literal["approve", "edit", "reject"]
Kind: TypeAlias = Literal["review", "draft"]


class HumanAnswer(BaseModel):
    """What a human says to a request. ``value`` is the action in the human's own version, for ``edit`` alone.

    ``by`` says who it was; ``deadline`` where time ran out and the default was taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    decision: HumanDecision
    value: Any = None
    comment: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class HumanRequest:
    """A decision that a human is to make.

    * ``action``: the proposed action, a JSON value; ``summary``: the same in a line; ``reason``: why a human.
    * ``kind``: ``review`` takes any answer; ``draft`` wants the human's own version (``edit``) or ``reject``.
    * ``deadline``: seconds from the ask after which the default is taken; None waits for ever.
    * ``submit``: the door for answers that come by another way, or again. Any number may come; the first counts.
    """

    id: str
    summary: str
    action: Any
    reason: str
    deadline: float | None
    kind: Kind = "review"
    submit: Callable[[Any], Coroutine[Any, Any, object]] | None = field(default=None, repr=False, compare=False)


class Human(Protocol):
    """Whoever decides."""

    async def ask(self, request: HumanRequest) -> Any:
        """The answer, with the attributes of :class:`HumanAnswer`. May take hours, or never come."""
