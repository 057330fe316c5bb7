"""The dollar budget: no call is made that could cost more than what is left.

* Use it around whatever runs unattended: tokens are what a loop costs first.
* It costs nothing until little is left; then one free ``count_tokens`` for each call that might not fit.
* It is as right as the prices that you give it. It reserves what a call can cost at most (its input, and
  ``max_tokens`` of output) until the answer is there, so that concurrent calls can't overspend together, and
  counts a call that was cut off in full, since that may have been billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anthropic

from dissonance.patterns.outcome import Usage
from dissonance.patterns.question import Halted, Question
from dissonance.patterns.reply import DamagedReply

from .guard import CallGuard, Meter, Refused

__all__ = ["DollarBudget", "Price"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars a million tokens. Where no price is given for the cache, its tokens cost as much as other input.

    >>> Price(input=2, output=10).of(Usage(calls=1, input_tokens=1000, output_tokens=500))
    0.007
    """

    input: float
    output: float
    cache_write: float | None = None
    cache_read: float | None = None

    def of(self, usage: Usage) -> float:
        """What it costs, in US dollars."""
        write = self.input if self.cache_write is None else self.cache_write
        read = self.input if self.cache_read is None else self.cache_read
        cached = usage.cache_creation_input_tokens * write + usage.cache_read_input_tokens * read
        return (usage.input_tokens * self.input + usage.output_tokens * self.output + cached) / 1e6

    def at_most(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost at most, cached or not."""
        return (tokens_in * max(self.input, self.cache_write or 0) + tokens_out * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class DollarBudget(CallGuard):
    """At most ``usd`` US dollars (above 0) in one run, by the ``prices`` of the models' ids. A model without one is refused."""

    usd: float
    prices: Mapping[str, Price]
    name: str = "dollar_budget"

    def __post_init__(self) -> None:
        if not self.usd > 0:
            raise ValueError(f"usd={self.usd!r}: give more than 0, or leave the guard out")

    def meter(self) -> Meter:
        """A fresh till for one run."""
        return _Till(self)


class _Till(Meter):
    def __init__(self, budget: DollarBudget) -> None:
        self._budget = budget
        self._spent = 0.0
        self._reserved: dict[int, float] = {}

    async def before(self, question: Question) -> Question:
        agent = question.agent
        price = self._budget.prices.get(agent.model)
        if price is None:
            raise Refused(f"there is no price for the model {agent.model!r}")
        most = price.at_most(question.at_most(), agent.max_tokens)
        if most > self._left:
            most = price.at_most(await question.tokens(), agent.max_tokens)
        if most > self._left:
            raise Refused(
                f"{self._budget.usd - self._left:.4f} of {self._budget.usd:g} US dollars are spent or reserved, "
                f"and the next call of {agent.name} may cost {most:.4f}"
            )
        self._reserved[question.number] = most
        return question

    def after(self, question: Question, usage: Usage, error: BaseException | None) -> None:
        reserved = self._reserved.pop(question.number, 0.0)
        if error is None or isinstance(error, DamagedReply):
            self._spent += self._budget.prices[question.agent.model].of(usage)
        elif not isinstance(error, (anthropic.APIStatusError, Halted, Refused)):
            self._spent += reserved

    @property
    def _left(self) -> float:
        return self._budget.usd - self._spent - sum(self._reserved.values())
