"""Why a human is needed, whatever the agent says of itself: signals from outside it.

Agents are too sure of themselves, so a gate that waits for them to doubt hardly ever opens. A trigger looks at
what the orchestrator saw and at the action itself, and gives the reason to ask a human, or None.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from .gate import as_text
from .outcome import Usage
from .question import SCOPES, Question, Scope
from .reply import DamagedReply

__all__ = [
    "Case",
    "Seen",
    "Trigger",
    "amount_over",
    "irreversible",
    "length_outlier",
    "schema_failures",
    "tool_error_rate",
]


class Seen(Scope):
    """Counts what happens in the model calls of a block: the orchestrator's own observation, nested patterns included.

    ``schema_failures`` are replies that did not parse, damaged replies of any kind are ``damaged``; ``tool_calls``
    and ``tool_errors`` count the results that went back to a model.
    """

    def __init__(self) -> None:
        self.calls = self.damaged = self.schema_failures = self.tool_calls = self.tool_errors = 0
        self._token: Token[tuple[Scope, ...]] | None = None

    def __enter__(self) -> Self:
        self._token = SCOPES.set((*SCOPES.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None, "a block ends that did not begin"
        SCOPES.reset(self._token)

    async def admit(self, question: Question, innermost: bool) -> Question:
        """Lets every question pass."""
        return question

    def settle(self, question: Question, usage: Usage, error: BaseException | None, text: str | None = None) -> None:
        """Count a call; the results of tools in its last message are new."""
        self.calls += usage.calls
        if isinstance(error, DamagedReply):
            self.damaged += 1
            self.schema_failures += error.damage == "unparsable"
        elif error is None:
            content: Any = question.messages[-1].get("content")
            results = [] if isinstance(content, str) else [b for b in content if _is_result(b)]
            self.tool_calls += len(results)
            self.tool_errors += sum(bool(block.get("is_error")) for block in results)


def _is_result(block: object) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "tool_result"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a trigger looks at: the task, the proposed action, the agent's confidence, and what was seen on the way."""

    task: str
    action: Any
    confidence: float
    seen: Seen


Trigger: TypeAlias = Callable[[Case], "str | None"]
"""Gives the reason why a human must see the case, or None. An exception of its own ends the pattern."""


def schema_failures(at_most: int = 0) -> Trigger:
    """More than ``at_most`` (from 0) replies did not parse."""

    def trigger(case: Case) -> str | None:
        found = case.seen.schema_failures
        calls = case.seen.calls
        return f"{found} of {calls} replies did not fit their schema" if found > at_most else None

    return trigger


def tool_error_rate(at_most: float = 0.25) -> Trigger:
    """More than this share (0 to 1) of the tool calls were errors."""
    if not 0 <= at_most <= 1:
        raise ValueError(f"at_most={at_most!r}: give a share from 0 to 1")

    def trigger(case: Case) -> str | None:
        errors, calls = case.seen.tool_errors, case.seen.tool_calls
        return f"{errors} of {calls} tool calls were errors" if errors > at_most * calls else None

    return trigger


def length_outlier(usual: Sequence[int], *, fence: float = 3.0, of: Callable[[Any], str] = as_text) -> Trigger:
    """The action's text is far longer or shorter than the ``usual`` lengths (at least 4, in characters).

    Far is more than ``fence`` interquartile ranges outside the quartiles (Tukey, Exploratory Data Analysis, 1977).
    """
    if len(usual) < 4:
        raise ValueError(f"usual={list(usual)!r}: give the lengths of at least 4 actions that were right")
    low, _, high = statistics.quantiles(usual, n=4, method="inclusive")
    least, most = low - fence * (high - low), high + fence * (high - low)

    def trigger(case: Case) -> str | None:
        length = len(of(case.action))
        return None if least <= length <= most else f"{length} characters, where {least:g} to {most:g} are usual"

    return trigger


_MONEY = re.compile(r"(?:\$|\bUSD)\s*(\d[\d,]*(?:\.\d+)?)\s*([km]\b|thousand\b|million\b)?", re.IGNORECASE)
_FIELD = re.compile(r"amount|cost|dollar|pay|price|sum|total|usd", re.IGNORECASE)
_TIMES = {"": 1, "k": 1_000, "t": 1_000, "m": 1_000_000}


def _amounts(value: Any, field: str = "") -> Iterator[float]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _amounts(item, str(name))
    elif isinstance(value, str):
        yield from (float(n.replace(",", "")) * _TIMES[times[:1].lower()] for n, times in _MONEY.findall(value))
        if _FIELD.search(field) and re.fullmatch(r"\d[\d,]*(?:\.\d+)?", value.strip()):
            yield float(value.replace(",", ""))
    elif isinstance(value, Sequence):
        for item in value:
            yield from _amounts(item, field)
    elif isinstance(value, int | float) and not isinstance(value, bool) and _FIELD.search(field):
        yield float(value)


def amount_over(limit: float = 10_000, *, of: Callable[[Any], Iterable[float]] = _amounts) -> Trigger:
    """An amount in the action is over ``limit``, in dollars.

    Amounts are, unless ``of`` says otherwise, the numbers in fields whose names speak of money, and the figures
    after a dollar sign or ``USD`` in any text.

    >>> reason = amount_over(10_000)
    >>> reason(Case(task="", action={"note": "Refund $12.5k."}, confidence=1.0, seen=Seen()))
    'an amount of 12,500 dollars is over 10,000'
    """

    def trigger(case: Case) -> str | None:
        found = max(of(case.action), default=0.0, key=abs)
        return f"an amount of {found:,.10g} dollars is over {limit:,.10g}" if abs(found) > limit else None

    return trigger


def irreversible(which: Callable[[Any], bool] | None = None) -> Trigger:
    """The action can't be taken back: all of this gate, or those for which ``which(action)`` holds."""

    def trigger(case: Case) -> str | None:
        return "it can't be taken back" if which is None or which(case.action) else None

    return trigger
