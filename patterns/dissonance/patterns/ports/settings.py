"""What all ports share: who takes part (:class:`Role`), and how it is set up (:class:`Settings`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dissonance.patterns.human import Human, HumanAnswer, HumanRequest

__all__ = [
    "ATTEMPTS",
    "CALL_SECONDS",
    "DEFAULTS",
    "GUARDED",
    "HUMAN_SECONDS",
    "ROUNDS",
    "TOKENS",
    "Role",
    "Settings",
    "Unusable",
    "answered",
    "approval",
    "briefing",
    "checked_roles",
    "missing",
]

TOKENS = 800
"""``max_tokens`` of each call."""

CALL_SECONDS = 60.0
"""Guarded: how long one attempt at a call may take; the SDK's own default is 600 s."""

ATTEMPTS = 2
"""Guarded: how often a step is begun; inside each, the SDK makes up to three attempts at what it can retry."""

ROUNDS = 4
"""Guarded: how many rounds of rework or debate there are."""

HUMAN_SECONDS = 900.0
"""Guarded: how long a human has to answer; what is not approved by then is refused."""


@dataclass(frozen=True)
class Role:
    """One agent. ``name``: a Python identifier, as AutoGen wants it; ``brief``: what it is to do.

    >>> Role("writer", "Write plainly.").system
    'You are the writer. Write plainly.'

    Raises ValueError for a name that is no identifier.
    """

    name: str
    brief: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"Role(name={self.name!r}): give a Python identifier, such as 'fact_checker'")

    @property
    def system(self) -> str:
        """Its system prompt."""
        return f"You are the {self.name}. {self.brief}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``guarded``: whether the framework's safeguards are set; ``streamed``: whether replies are streamed."""

    guarded: bool = False
    streamed: bool = False
    model: str = "claude-sonnet-4-6"


DEFAULTS = Settings()
GUARDED = Settings(guarded=True)


class Unusable(Exception):
    """A reply that is not whole: a guarded port raises it rather than pass half an answer on.

    No ValueError and no RuntimeError, which LangGraph's ``RetryPolicy`` leaves alone by default.
    """


def briefing(task: str, notes: Sequence[str]) -> str:
    """A step's prompt: the task, and what earlier steps have found.

    >>> print(briefing("Count.", ["Two."]))
    Count.
    <BLANKLINE>
    Notes:
    Two.
    """
    return "\n".join([task, "", "Notes:", *notes]) if notes else task


def checked_roles(argument: str, roles: Sequence[Role]) -> tuple[Role, ...]:
    """The roles. Raises ValueError where there is none, or where two have one name."""
    names = [role.name for role in roles]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{argument}={names!r}: give at least one role, each with a name of its own")
    return tuple(roles)


def approval(number: int, action: str, settings: Settings) -> HumanRequest:
    """The request for a human's approval of this action."""
    return HumanRequest(
        id=f"gate-{number}",
        action=action,
        summary="An action is to be approved.",
        reason="nothing is done without an approval",
        deadline=HUMAN_SECONDS if settings.guarded else None,
    )


async def answered(human: Human, request: HumanRequest) -> Any:
    """The human's answer, or a refusal once the request's deadline is over."""
    try:
        return await asyncio.wait_for(human.ask(request), request.deadline)
    except TimeoutError:
        return HumanAnswer(decision="reject", comment="nobody answered in time", by="deadline")


def missing(framework: str, error: ImportError) -> ImportError:
    """The error for a port whose framework is not installed, with the line that installs it."""
    return ImportError(
        f"dissonance.patterns.ports.{framework} needs a package that is not installed ({error}): "
        f"pip install 'dissonance[{framework}]'"
    )
