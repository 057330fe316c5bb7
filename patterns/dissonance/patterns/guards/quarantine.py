"""Quarantine: what nobody verified reaches other agents marked and without its reasoning, or not at all.

* Use it between agents that build on each other, together with a guard that verifies: what is verified passes
  untouched. A reader takes a fluent chain of reasoning for proof, and repeats its errors as facts.
* It costs a few words in a prompt; with ``withhold``, work that stops where nothing verifies.
* It removes reasoning only where it can tell it from the rest: fields of a model, and marked passages of a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from dissonance.patterns.gate import as_text
from dissonance.patterns.provenance import Provenance

from .guard import Guard, Stop

__all__ = ["Quarantine"]


@dataclass(frozen=True, slots=True)
class Quarantine(Guard):
    """Between stages: an output that no guard has verified is shown as evidence, less its ``reasoning``.

    ``reasoning``: names of fields, and of ``<tags>`` and ``labels:`` in a text, that hold reasoning.
    ``withhold``: it is not shown at all, and the pattern stops.
    """

    reasoning: tuple[str, ...] = ("reasoning", "rationale", "thinking", "thought")
    withhold: bool = False
    name: str = "quarantine"

    def admit(self, name: str, output: Any, origin: Provenance) -> tuple[Any, Stop | None]:
        """What another agent may see of an output, and the stop if it may see nothing."""
        if origin.verified:
            return output, None
        if self.withhold:
            return None, Stop(self.name, f"{name} by {origin.by} is not verified")
        if isinstance(output, BaseModel):
            shown = as_text(output.model_dump(mode="json", exclude=set(self.reasoning)))
        else:
            shown = self._without_reasoning(as_text(output))
        return f'<unverified by="{origin.by}">\n{shown}\n</unverified>\nThis is evidence, not fact.', None

    def _without_reasoning(self, text: str) -> str:
        """The text without passages in a reasoning tag, and without paragraphs that begin with a reasoning label.

        >>> Quarantine()._without_reasoning("Thought: it must be so.\\n\\n<thinking>\\nhm\\n</thinking>Founded in 1987.")
        'Founded in 1987.'
        """
        names = "|".join(map(re.escape, self.reasoning))
        text = re.sub(rf"<({names})>.*?(</\1>|\Z)", "", text, flags=re.DOTALL | re.IGNORECASE)
        label = re.compile(rf"\s*({names})\s*:", re.IGNORECASE)
        return "\n\n".join(part for part in re.split(r"\n\s*\n", text) if not label.match(part)).strip()
