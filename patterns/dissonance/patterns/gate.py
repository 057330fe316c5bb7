"""The gate of a supervisor: deterministic signals first, a model's opinion second.

A signal is what code can tell: the schema holds, the tests pass, the checksum agrees. The judge is a
model, and models wave bad work through and turn good work down, so its opinion counts only where the
signals leave room:

* any signal fails: rejected, whatever the judge would say; it is not even asked.
* a decisive signal passes and none fails: accepted, whatever the judge would say; it is not asked.
* else the judge rules; without a judge, passing all signals is acceptance.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from anthropic import AsyncAnthropic
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .agent import Agent
from .outcome import NO_USAGE, Usage
from .provenance import Source
from .reply import DamagedReply
from .step import normalised

__all__ = [
    "JUDGE",
    "Check",
    "Decision",
    "Gate",
    "Judgement",
    "Ruling",
    "Signal",
    "as_text",
    "conforms",
    "contains",
    "signal_of",
]

T = TypeVar("T")

Decision: TypeAlias = Literal["accept", "retry", "reassign", "escalate"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a deterministic check found. ``feedback`` tells the worker what to put right.

    ``decisive``: passing it is proof enough (a full test suite); without it, passing is only necessary.
    ``usage`` is what finding out has cost, ``sources`` what it was held against.
    """

    passed: bool
    feedback: str = ""
    decisive: bool = False
    usage: Usage = field(default=NO_USAGE, repr=False)
    sources: tuple[Source, ...] = field(default=(), repr=False)


Check: TypeAlias = Callable[[str, T], "Signal | Awaitable[Signal]"]
"""A deterministic check of ``(task, output)``, sync or async. An exception of its own ends the pattern: it is no signal."""


class Ruling(BaseModel):
    """The judge's opinion, as it is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: Decision = Field(
        description="accept: the work is done. retry: the same worker corrects it. "
        "reassign: another worker starts afresh. escalate: a human must decide."
    )
    feedback: str = Field(description="What exactly is wrong and how to put it right; for accept, why it is right.")


JUDGE = Agent(
    "judge",
    "You decide whether a worker's output fulfils its task. Judge the output, not its tone: look for what is "
    "missing, wrong or unsupported. When you reject, name each defect and what would put it right.",
)
"""A judge for general use."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The decision on one output, and what it rests on.

    ``by`` is ``signals`` or the judge's name; ``supervisor`` where no usable output reached the gate.
    """

    decision: Decision
    feedback: str
    by: str
    signals: tuple[Signal, ...] = ()
    usage: Usage = NO_USAGE

    @property
    def passed(self) -> int:
        """How many signals passed."""
        return sum(signal.passed for signal in self.signals)


@dataclass(frozen=True)
class Gate(Generic[T]):
    """Weighs outputs by ``checks``, then by ``judge`` (None: by checks alone)."""

    checks: Sequence[Check[T]]
    judge: Agent | None

    def __post_init__(self) -> None:
        if not self.checks and self.judge is None:
            raise ValueError("checks=() and judge=None: nothing could reject an output; give checks, a judge or both")

    async def weigh(self, client: AsyncAnthropic, task: str, output: T) -> Judgement:
        """The decision on an output. A judge that gives no usable ruling escalates."""
        signals = tuple([await signal_of(check, task, output) for check in self.checks])
        judgement = await self._judgement(client, task, output, signals)
        cost = sum((signal.usage for signal in signals), NO_USAGE)
        return judgement if cost is NO_USAGE else replace(judgement, usage=judgement.usage + cost)

    async def _judgement(self, client: AsyncAnthropic, task: str, output: T, signals: tuple[Signal, ...]) -> Judgement:
        failed = [signal.feedback or "A check failed without saying why." for signal in signals if not signal.passed]
        if failed:
            return Judgement(decision="retry", feedback="\n".join(failed), by="signals", signals=signals)
        if self.judge is None or any(signal.decisive for signal in signals):
            return Judgement(decision="accept", feedback="", by="signals", signals=signals)
        return await self._opinion(client, self.judge, task, output, signals)

    async def _opinion(
        self, client: AsyncAnthropic, judge: Agent, task: str, output: T, signals: tuple[Signal, ...]
    ) -> Judgement:
        prompt = f"<task>\n{task}\n</task>\n\n<output>\n{as_text(output)}\n</output>"
        try:
            answer = await judge.ask(client, prompt, Ruling)
        except DamagedReply as damage:
            feedback = f"The judge gave no usable ruling: {damage}"
            return Judgement(decision="escalate", feedback=feedback, by=judge.name, signals=signals, usage=damage.usage)
        return Judgement(
            decision=answer.data.decision,
            feedback=answer.data.feedback.strip() or "The judge gave no reason.",
            by=judge.name,
            signals=signals,
            usage=answer.usage,
        )


async def signal_of(check: Check[T], task: str, output: T) -> Signal:
    """What a check finds, be it sync or async."""
    signal = check(task, output)
    return await signal if inspect.isawaitable(signal) else signal


def as_text(output: object) -> str:
    """An output as the text that agents and people read: a string as it is, a model or data as JSON."""
    if isinstance(output, str):
        return output
    return TypeAdapter(type(output)).dump_json(output, indent=2, fallback=repr).decode()


# --- checks that many gates need -----------------------------------------------------------------


def conforms(schema: type[BaseModel]) -> Check[str]:
    """The output is JSON that validates against ``schema``.

    >>> class Notice(BaseModel):
    ...     date: str
    >>> conforms(Notice)("", "{}")
    Signal(passed=False, feedback='The output is no Notice: date: Field required', decisive=False)
    """

    def check(task: str, output: str) -> Signal:
        try:
            schema.model_validate_json(output)
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, problem['loc'])) or 'the whole'}: {problem['msg']}" for problem in error.errors()
            ]
            return Signal(False, f"The output is no {schema.__name__}: {'; '.join(problems)}")
        return Signal(True)

    return check


def contains(phrase: str) -> Check[Any]:
    """The output contains ``phrase``, but for case and white space.

    >>> contains("Refund Policy")("", "Our refund  policy changes.")
    Signal(passed=True, feedback='', decisive=False)
    """

    def check(task: str, output: object) -> Signal:
        if normalised(phrase) in normalised(as_text(output)):
            return Signal(True)
        return Signal(False, f"The output must contain {phrase!r}.")

    return check
