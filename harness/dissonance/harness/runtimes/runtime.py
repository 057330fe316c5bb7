"""What a runtime is: :class:`Runtime`, and what it is given inside a run: :class:`Inside`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dissonance.harness.world import Patches

from .tools import ToolHook

__all__ = ["Inside", "Runtime", "named", "speaker", "spoken_for"]

speaker: ContextVar[str | None] = ContextVar("dissonance_speaker", default=None)
"""The agent that the running framework is working for, where the framework itself keeps no such variable."""

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Inside:
    """A run as a runtime sees it: what it patches is put back, and ``stack`` unwound, when the run ends."""

    patches: Patches
    tools: ToolHook
    stack: ExitStack


@runtime_checkable
class Runtime(Protocol):
    """What a framework needs to be observed. Made when the framework is loaded; it keeps nothing between runs."""

    @property
    def name(self) -> str:
        """The framework's name, as in ``dissonance[name]``."""
        ...

    def install(self, inside: Inside) -> None:
        """Make the framework observable until the run's patches are undone."""
        ...

    def speaker(self) -> str | None:
        """The agent for which the framework is working at this moment, here; None where it does not say."""
        ...

    def workflow(self, target: Any) -> Callable[..., Any] | None:
        """A callable of the task, which makes ``target`` anew at each call; None where it is not this framework's."""
        ...


def spoken_for(name: object) -> str | None:
    """A framework's name for an agent as one that an agent can have here: one line, at most 100 characters.

    >>> spoken_for("Senior Data\\nResearcher "), spoken_for("")
    ('Senior Data Researcher', None)
    """
    line = " ".join(str(name or "").split())
    plain = "".join(char for char in line if char.isprintable() and char not in "*?[")
    return plain[:_LONGEST].strip() or None


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function under the name that the workflow has in stored runs."""
    function.__name__ = name.rpartition(".")[2]
    function.__qualname__ = name
    return function
