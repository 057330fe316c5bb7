"""The cross-check: another agent, in a context of its own, is asked of each claim whether it holds.

* Use it for critical claims that no table holds. A model that made a claim defends it where it stands in its own
  context, and recognises most of its false ones when it is asked afresh (Zhang et al. 2024, arXiv 2305.13534).
* It costs one call an output, with the claims and the evidence as input.
* It is an opinion: the same model may believe the same falsehood. Give it evidence to judge by and another model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel, ConfigDict, create_model

from dissonance.patterns.agent import Agent
from dissonance.patterns.gate import Signal, as_text
from dissonance.patterns.reply import DamagedReply

from .guard import OutputGuard
from .statements import has_figure, statements

__all__ = ["CHECKER", "CrossCheck"]

CHECKER = Agent(
    "checker",
    "You are shown claims without knowing who made them or why. Say of each whether it is supported: by the evidence "
    "if there is any, else by what is generally known. A claim that you can't tell is not supported.",
)
"""A checker for general use."""


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    supported: bool
    why: str


def _verdicts_on(claims: Sequence[str]) -> type[BaseModel]:
    """A schema with a field for each claim, so that none can be left out."""
    fields: dict[str, Any] = {f"claim_{number}": _Verdict for number in range(1, len(claims) + 1)}
    return create_model("Verdicts", __config__=ConfigDict(extra="forbid"), **fields)


def critical(output: Any) -> list[str]:
    """The claims that are checked unless said otherwise: the statements with a figure."""
    return [statement for statement in statements(as_text(output)) if has_figure(statement)]


@dataclass(frozen=True)
class CrossCheck(OutputGuard):
    """Each claim of an output is supported, by the opinion of ``agent``, which sees the claims and ``evidence`` and nothing else.

    ``claims``: which, at most 50 a call. A reply that is no use counts as not supported.
    """

    client: AsyncAnthropic
    agent: Agent = CHECKER
    evidence: str = ""
    claims: Callable[[Any], Sequence[str]] = critical
    name: str = "cross_check"

    async def verify(self, task: str, output: Any) -> Signal:
        """Ask about the claims of an output; one without claims passes."""
        claims = list(self.claims(output))
        problems: list[str] = []
        signal = Signal(True)
        for start in range(0, len(claims), 50):
            signal = await self._asked(claims[start : start + 50], signal)
            problems += [signal.feedback] if signal.feedback else []
        return Signal(not problems, "\n".join(problems), usage=signal.usage)

    async def _asked(self, claims: Sequence[str], before: Signal) -> Signal:
        listed = "\n".join(f"{number}. {claim}" for number, claim in enumerate(claims, 1))
        prompt = f"<claims>\n{listed}\n</claims>"
        if self.evidence:
            prompt = f"<evidence>\n{self.evidence}\n</evidence>\n\n{prompt}"
        try:
            answer = await self.agent.ask(self.client, prompt, _verdicts_on(claims))
        except DamagedReply as damage:
            return Signal(False, f"The cross-check gave no usable answer: {damage}", usage=before.usage + damage.usage)
        verdicts: list[tuple[str, _Verdict]] = [
            (claim, getattr(answer.data, f"claim_{number}")) for number, claim in enumerate(claims, 1)
        ]
        doubted = [f"Not supported: {claim} ({said.why})" for claim, said in verdicts if not said.supported]
        return Signal(not doubted, "\n".join(doubted), usage=before.usage + answer.usage)
