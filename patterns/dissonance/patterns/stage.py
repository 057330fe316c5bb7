"""A stage of a chain: what it fills, what it may see, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2

from .gate import as_text
from .guards import Guard
from .outcome import Pattern, PatternError

__all__ = ["Retry", "Stage", "shown"]

_PASSING = (PatternError, anthropic.APIError, httpx2.HTTPError, TimeoutError)
"""What may be gone the next time. The SDK lets errors in the middle of a stream through as its HTTP library's own."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A stage is tried ``tries`` times (from 1), with ``wait`` seconds (from 0) between, ``factor`` times longer each time.

    It is tried again where its work raises one of ``on``, ends unfinished, or is rejected by a guard of outputs.
    ``informed``: the next try is told what was wrong with the last; without it, it is the same try again.
    """

    tries: int = 3
    wait: float = 1.0
    factor: float = 2.0
    informed: bool = True
    on: tuple[type[Exception], ...] = _PASSING

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries={self.tries!r}: give 1 or more")
        if self.wait < 0 or self.factor < 1:
            raise ValueError(
                f"wait={self.wait!r}, factor={self.factor!r}: give a wait of 0 or more and a factor from 1"
            )

    def pause(self, tried: int) -> float:
        """Seconds to wait after so many tries.

        >>> [Retry().pause(tried) for tried in (1, 2, 3)]
        [1.0, 2.0, 4.0]
        """
        return self.wait * self.factor ** (tried - 1)


ONCE = Retry(tries=1)


def shown(view: Mapping[str, Any]) -> str:
    """What a stage may see, as a prompt: each field in a tag of its name.

    >>> print(shown({"task": "Write.", "facts": ["1987"]}))
    <task>
    Write.
    </task>
    <BLANKLINE>
    <facts>
    [
      "1987"
    ]
    </facts>
    """
    return "\n\n".join(f"<{name}>\n{as_text(value)}\n</{name}>" for name, value in view.items())


@dataclass(frozen=True)
class Stage:
    """One stage: ``work`` fills the field ``name`` of the chain's state.

    ``sees`` are the fields that it is shown, in this order, and no others: ``task`` or names of earlier stages.
    Give what it needs, not what there is: that is what keeps a chain's context from growing with its length.
    ``show`` makes a prompt of them. ``guards`` hold for each try of this stage.
    """

    name: str
    work: Pattern[Any]
    sees: Sequence[str]
    show: Callable[[Mapping[str, Any]], str] = shown
    retry: Retry = ONCE
    guards: Sequence[Guard] = ()
