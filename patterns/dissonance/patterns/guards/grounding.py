"""Grounding: critical facts are looked up outside, in a source that no agent has written.

* Use it for what must not be wrong and can be looked up: amounts, dates, identifiers, names in a register.
* It costs a look-up for each critical fact.
* It is silent about facts that you did not call critical. A fact that the source does not know counts as wrong, unless
  ``unknown`` is let pass; a source that is wrong itself makes wrong things right.

Its feedback names the true value and never the false one, which a gullible reader would take up again.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dissonance.patterns.gate import Signal, as_text
from dissonance.patterns.provenance import Source
from dissonance.patterns.step import normalised

from .guard import OutputGuard
from .statements import figures

__all__ = ["Grounding", "same_value"]

Facts: TypeAlias = "Mapping[str, str] | Callable[[Any], Mapping[str, str]]"
Lookup: TypeAlias = "Mapping[str, str] | Callable[[str], str | Awaitable[str | None] | None]"


def same_value(stated: str, true: str) -> bool:
    """Whether two values are the same: by their figures where the true one has any, else by their words.

    >>> same_value("1,200 people", "1200"), same_value("In 1989", "1987"), same_value("oslo", "Oslo")
    (True, False, True)
    """
    return figures(stated) == figures(true) if figures(true) else normalised(stated) == normalised(true)


@dataclass(frozen=True)
class Grounding(OutputGuard):
    """Each critical fact that an output states agrees with ``source``.

    * ``facts``: where a fact stands in the text, as a regular expression with one group, by its name; or a function that
      gives an output's facts by name. A pattern that matches several times is held against the source each time.
    * ``source``: a table by the facts' names, or a function, sync or async, that looks one up and gives None if it can't.
    * ``unknown``: whether a fact that the source does not know may pass. ``agree``: when two values are the same.
    """

    facts: Facts
    source: Lookup
    unknown: bool = False
    agree: Callable[[str, str], bool] = same_value
    name: str = "grounding"

    async def verify(self, task: str, output: Any) -> Signal:
        """Look each fact up."""
        problems, found = [], []
        for fact, stated in self._stated(output):
            true = await self._true(fact)
            if true is None:
                if not self.unknown:
                    problems.append(f"{fact}: nothing is known of it outside, so the output must not state it")
            elif self.agree(stated, true):
                found.append(Source(fact, verified=True))
            else:
                problems.append(f"{fact}: the source says {true!r}, the output something else")
        return Signal(not problems, "\n".join(problems), sources=tuple(dict.fromkeys(found)))

    def _stated(self, output: Any) -> list[tuple[str, str]]:
        if callable(self.facts):
            return list(self.facts(output).items())
        text = as_text(output)
        return [
            (fact, match[1])
            for fact, pattern in self.facts.items()
            for match in re.finditer(pattern, text, re.IGNORECASE)
        ]

    async def _true(self, fact: str) -> str | None:
        if isinstance(self.source, Mapping):
            return self.source.get(fact)
        true = self.source(fact)
        return await true if inspect.isawaitable(true) else true
