"""``context_growth``: the tokens that a step carries, against those that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent

from .verdict import Verdict, lacking, verdict
from .wording import number, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Growth", "Needed", "context_growth", "measure_growth"]

Needed: TypeAlias = int | Mapping[str, int] | Callable[[CallSent], int | None]
"""Tokens that a step needs: for every one, by the agent's name (globs), or a function of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The requests of a run in order, the client's retries left out.

    ``calls`` are event ids, ``tokens`` the input tokens of each (estimated). ``per_step`` is the slope
    of the least-squares line through them, in tokens a step: m where step i carries S + m (i - 1), of
    which k steps carry k S + m k (k - 1) / 2 in all. It is 0 for a single step.
    """

    calls: tuple[int, ...]
    tokens: tuple[int, ...]
    per_step: float

    @property
    def total(self) -> int:
        """Input tokens of all steps."""
        return sum(self.tokens)

    @property
    def largest(self) -> int:
        """Input tokens of the largest step; 0 without any."""
        return max(self.tokens, default=0)


def measure_growth(run: Run, agent: str = "*") -> Growth:
    """How the requests of the agents with this name (a glob) grow."""
    calls = [call for call in run.history.calls() if call.attempt == 1 and fnmatchcase(call.agent, agent)]
    tokens = tuple(call.tokens for call in calls)
    return Growth(calls=tuple(call.id for call in calls), tokens=tokens, per_step=_slope(tokens))


def _slope(values: tuple[int, ...]) -> float:
    n = len(values)
    if n < 2:
        return 0.0
    middle, mean = (n - 1) / 2, sum(values) / n
    return sum((x - middle) * (y - mean) for x, y in enumerate(values)) / sum((x - middle) ** 2 for x in range(n))


@dataclass(frozen=True, slots=True)
class context_growth:
    """Each step carries at most ``at_most`` times the tokens that it needs.

    ``needed`` says how many that are: for every step, by agent, or as a function of the call (None: this
    one is not looked at). Input tokens are looked at, as the workflow sent them; retries are not.

    * *pass* and *fail*: by the step that carries most for its need.
    * *unknown*: a label is missing, or no step has a need to compare with.

    BadInput for numbers that are not above 0.
    """

    at_most: float | None = None
    needed: Needed | None = field(default=None)

    def __post_init__(self) -> None:
        needs = self.needed.values() if isinstance(self.needed, Mapping) else [self.needed]
        if self.at_most is not None and not self.at_most > 0:
            raise BadInput(
                f"context_growth(at_most={self.at_most!r}): give a ratio above 0, such as 2 for twice the need"
            )
        if any(isinstance(need, int) and not need > 0 for need in needs):
            raise BadInput(f"context_growth(needed={self.needed!r}): give tokens, above 0")

    @property
    def name(self) -> str:
        """``context_growth``."""
        return "context_growth"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        if self.at_most is None:
            return lacking(run, self.name, "at_most", "Give the largest ratio of tokens carried to tokens needed.")
        if self.needed is None:
            return lacking(run, self.name, "needed", "Give the tokens that a step needs: a number, or one by agent.")
        steps = [
            (call.tokens / need, call, need)
            for call in run.history.calls()
            if call.attempt == 1 and (need := self._need(call))
        ]
        if not steps:
            agents = ", ".join(dict.fromkeys(call.agent for call in run.history.calls())) or "none called"
            advice = f"Give needed= for agents of this run: {agents}."
            return verdict(run, self.name, "unknown", "no step has a need to compare with", (), advice)
        ratio, call, need = max(steps, key=lambda step: step[0])
        growth = measure_growth(run)
        told = (
            f"{call.agent}'s call {call.ordinal} carried {call.tokens:,} tokens, {number(ratio)} times the {need:,} that it "
            f"needs; {plural(len(growth.tokens), 'step')} carried {growth.total:,} in all, "
            f"{number(growth.per_step)} more each step"
        )
        return verdict(run, self.name, "fail" if ratio > self.at_most else "pass", told, [call.id])

    def _need(self, call: CallSent) -> int | None:
        if isinstance(self.needed, Mapping):
            return next((need for glob, need in self.needed.items() if fnmatchcase(call.agent, glob)), None)
        return self.needed(call) if callable(self.needed) else self.needed
