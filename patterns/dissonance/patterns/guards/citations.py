"""The citation gate: what an agent states, it must show a source for, and the source must say so.

* Use it at each boundary between agents that pass facts on: it is the cheapest check that stops an invented number.
* It costs no call, and a longer output.
* It compares figures, not meaning: a true figure cited for the wrong statement passes (add ``CrossCheck``), and
  a figure that was rounded or computed does not (cite what it was computed from, or use ``needs``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dissonance.patterns.gate import Signal, as_text
from dissonance.patterns.provenance import Source

from .guard import OutputGuard
from .statements import figures, has_figure, statements

__all__ = ["CitationGate"]


@dataclass(frozen=True)
class CitationGate(OutputGuard):
    """Each statement that ``needs`` it cites ``[id]`` of one of ``sources``, and its figures stand in what it cites.

    ``sources``: the texts by their ids, which have no spaces. ``needs``: which statements must cite; by default those
    with a figure. A citation of anything else is rejected wherever it stands.
    """

    sources: Mapping[str, str]
    needs: Callable[[str], bool] = has_figure
    name: str = "citation_gate"

    @property
    def briefing(self) -> str:
        """What the agents are told."""
        return f"Cite the source of each statement as [id]. The sources are: {', '.join(self.sources)}."

    def verify(self, task: str, output: Any) -> Signal:
        """Look at each statement of the output."""
        problems, used = [], dict[str, None]()
        for statement in statements(as_text(output)):
            cited, said = _cited(statement)
            used |= dict.fromkeys(cited)
            problems += self._problems(said, cited)
        found = tuple(Source(each, verified=True) for each in used if each in self.sources)
        return Signal(not problems, "\n".join(problems), sources=found)

    def _problems(self, said: str, cited: list[str]) -> list[str]:
        unknown = [each for each in cited if each not in self.sources]
        if unknown:
            return [f"There is no source {', '.join(unknown)}: {said}"]
        if not self.needs(said):
            return []
        if not cited:
            return [f"It cites no source: {said}"]
        missing = figures(said) - figures(" ".join(self.sources[each] for each in cited))
        return [f"{', '.join(sorted(missing))} does not stand in {', '.join(cited)}: {said}"] if missing else []


def _cited(statement: str) -> tuple[list[str], str]:
    """The ids that a statement cites, and the statement without them."""
    cited = re.findall(r"\[([^\s\[\]]+)\]", statement)
    return cited, re.sub(r"\s*\[[^\s\[\]]+\]", "", statement)
