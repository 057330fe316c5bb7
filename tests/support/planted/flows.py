"""What the planted bugs are made of: :class:`Planted`, a few lines of workflow, and checks on a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anthropic
from anthropic.types import Message

from dissonance.faults import At, Family, Fault, Rule, When
from dissonance.harness import Check, Run, Verdict

MODEL = "claude-sonnet-4-6"
TASK = "Report on ACME: it sold 1,200 units in May 2024, 4 % more than in April."

client = anthropic.AsyncAnthropic(api_key="none")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A bug: ``flow(False)`` has it, ``flow(True)`` is the repaired twin; ``rules`` is the smallest plan that shows it,
    among those of these families."""

    flow: Callable[[bool], Any]
    checks: Sequence[Check]
    rules: Sequence[Rule]
    families: Sequence[Family] = ("latency", "transport", "tools", "loops")
    human: Any = None

    @property
    def name(self) -> str:
        return self.flow.__name__


@dataclass(frozen=True)
class delivers:
    """A result of the kind that this function accepts, or an exception."""

    accepted: Callable[[Any], bool]
    name: str = "delivers"

    def __call__(self, run: Run) -> Verdict:
        if run.outcome != "completed":
            return Verdict(status="pass", check=self.name, reason="it did not deliver")
        good = self.accepted(run.result)
        return Verdict(status="pass" if good else "fail", check=self.name, reason=f"it delivered {run.result!r}")


async def ask(agent: str, text: str, *, system: str = "", **more: Any) -> Message:
    """One call of an agent, which is named in its system prompt."""
    message: Message = await client.messages.create(
        model=MODEL,
        max_tokens=300,
        system=f"You are the {agent}. {system}",
        messages=[{"role": "user", "content": text}],
        **more,
    )
    return message


def said(message: Message) -> str:
    """The text of a message; an exception where there is none."""
    if not message.content:
        raise ValueError(f"no answer ({message.stop_reason})")
    return message.content[0].text  # type: ignore[union-attr]


async def tell(agent: str, text: str, *, system: str = "", **more: Any) -> str:
    """The text that an agent says; an exception where it says nothing."""
    return said(await ask(agent, text, system=system, **more))


def on(agent: str | None, fault: Fault, call: int | None = None) -> Rule:
    """The rule of a smallest plan: one call of an agent, or (None) each."""
    return Rule(at=At(agent=agent), when=When() if call is None else When(call=call), fault=fault)
