"""A step: one round of a loop, as its guards see it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from .outcome import NO_USAGE, Usage
from .reply import ToolCall

__all__ = ["Step", "normalised"]


def normalised(text: str) -> str:
    """The text without differences that mean nothing: compatibility forms, case, white space.

    >>> normalised("  The ﬁrst\\n DRAFT ")
    'the first draft'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that did not end its pattern: the loop is about to go round again.

    * ``index``: the orchestrator's count of steps, from 1.
    * ``agent``, ``action``: who did what: ``attempt`` (supervise), ``tools`` (tool_loop),
      ``handoff`` (handoff), ``delegate`` (delegate).
    * ``task``, ``output``: what it was given; what it said, as text.
    * ``calls``: the tools that it asked for. They have not run yet.
    * ``passed`` of ``criteria``: the deterministic criteria that the output meets (0 of 0: there are none).
    * ``findings``: the pattern's count of different things found so far; each pattern says what it counts.
    * ``spent``: what the run has cost up to and with this step.
    * ``depth``: 0 is the top; counts the levels of delegation.
    """

    index: int
    agent: str
    action: str
    task: str
    output: str
    calls: tuple[ToolCall, ...] = ()
    passed: int = 0
    criteria: int = 0
    findings: int = 0
    depth: int = 0
    spent: Usage = NO_USAGE
