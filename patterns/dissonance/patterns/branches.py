"""A hierarchy and what came of it: leads with what is theirs, and the tree of what was handed down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .agent import Agent
from .gate import Check
from .guards import Guard
from .outcome import Outcome
from .pool import Worker

__all__ = ["Branch", "Delegated", "Failure", "Lead", "Member"]


@dataclass(frozen=True)
class Lead:
    """An agent that answers for a domain, and all that is its own.

    * ``members``: whom it may hand tasks to: agents (with their own tools and models), any pattern as a
      :class:`~.pool.Worker`, and other leads. With ``recursive`` also another of its own kind.
    * ``domain``: what it is for, in a line. It is all that the level above sees of it.
    * ``guards``: its service level and its risk profile: they hold for its whole branch, on top of those above.
    * ``checks``: what must be true of its summary before it goes up; a failed one is put right once, then it fails.
    * ``at_once`` (from 1): how many of the tasks that it hands down in one turn are done at a time.
    """

    agent: Agent
    members: tuple[Member, ...] = ()
    domain: str = ""
    guards: tuple[Guard, ...] = ()
    checks: tuple[Check[str], ...] = ()
    at_once: int = 8
    recursive: bool = False

    def __post_init__(self) -> None:
        names = [name_of(member) for member in self.members] + [self.agent.name] * self.recursive
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"members={names!r} of {self.agent.name!r}: give at least one, each with a name of its own"
            )
        if self.at_once < 1:
            raise ValueError(f"at_once={self.at_once!r}: give 1 or more")

    @property
    def levels(self) -> int:
        """The levels below it, as it is built."""
        return 1 + max((member.levels for member in self.members if isinstance(member, Lead)), default=0)


Member: TypeAlias = Lead | Agent | Worker[Any]


def name_of(member: Member) -> str:
    """The name that a member is called by."""
    return member.agent.name if isinstance(member, Lead) else member.name


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A task that a lead handed down: to whom, and what came of it."""

    to: str
    task: str
    outcome: Outcome[Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something below failed: where, from the top down, and why."""

    path: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{' / '.join(self.path)}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Delegated(Outcome[str]):
    """What a lead made of a task. ``output`` is its summary, ``depth`` the levels below it that worked on it.

    ``branches`` are what it handed down, in the order of the asking. It may be ``finished`` although branches
    failed: a lead that was told of a failure may find another way.
    """

    depth: int
    branches: tuple[Branch, ...]

    def failures(self) -> Iterator[Failure]:
        """What failed in the branches, each followed to where it began."""
        for branch in self.branches:
            below = list(branch.outcome.failures()) if isinstance(branch.outcome, Delegated) else []
            if below:
                yield from (Failure((branch.to, *failure.path), failure.reason) for failure in below)
            if not branch.outcome.finished and not (below and branch.outcome.stopped_by is None):
                yield Failure((branch.to,), str(branch.outcome.reason))
