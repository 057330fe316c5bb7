"""One workflow under many plans: :class:`Trials` makes each plan's run once, briskly, and keeps what a search needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dissonance.harness import Limits, Run, run
from dissonance.harness.checks.verdict import Check, Verdict
from dissonance.harness.judge import asked

from .plan import FaultPlan
from .rule import Rule
from .slots import Address

__all__ = ["Spent", "Trial", "Trials"]

_CALLS = 40
_CALLS_A_CALL = 10
"""A searching run may make so many calls, and so many more for each of its baseline's; at least as many as a check asks about."""

_REAL_SECONDS = 20.0


class Spent(Exception):
    """The budget of runs is used up."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a search keeps of a run: the verdicts that are *fail*, the totals, the rules that matched nothing, the calls."""

    plan: FaultPlan
    failed: tuple[Verdict, ...]
    calls: int
    seconds: float
    tokens: int
    unmatched: tuple[str, ...]
    slots: tuple[Address, ...]

    def fails(self, check: str) -> bool:
        """Whether this check said *fail*."""
        return any(verdict.check == check for verdict in self.failed)


@dataclass
class Trials:
    """The workflow, its checks, and what was tried.

    ``options`` are those of ``run``; ``budget`` counts runs, and :class:`Spent` is raised where one
    more is wanted; ``told`` is called after each with (made, plan).
    """

    workflow: Any
    task: Any
    checks: Sequence[Check]
    options: Mapping[str, Any]
    limits: Limits
    usual_calls: int
    budget: int
    told: Callable[[int, FaultPlan], None] = lambda made, plan: None
    made: int = 0
    trials: dict[str, Trial] = field(default_factory=dict)
    _confirmed: set[str] = field(default_factory=set)
    _latest: Run | None = None

    def __post_init__(self) -> None:
        bounds = [getattr(check, "within_calls", None) or 0 for check in self.checks]
        calls = min(self.limits.calls, max(_CALLS + _CALLS_A_CALL * self.usual_calls, *(n + 1 for n in bounds)))
        self._brisk = replace(self.limits, calls=calls, real_seconds=min(self.limits.real_seconds, _REAL_SECONDS))

    def of(self, rules: Iterable[Rule]) -> Trial:
        """The trial of a plan of these rules, made now or known already. Raises Spent."""
        plan = FaultPlan(rules=tuple(rules))
        key = plan.to_json()
        if key not in self.trials:
            if self.made >= self.budget:
                raise Spent
            self.made += 1
            self.trials[key] = self._tried(plan)
            self.told(self.made, plan)
        return self.trials[key]

    def run(self, plan: FaultPlan, store: Path | None = None) -> Run:
        """A run of a plan under the full limits, in a folder below ``store`` (None: in memory)."""
        if (
            self._latest is None
            or store is not None
            or tuple(rule.describe() for rule in plan.rules) != self._latest.plan
        ):
            self._latest = self._made(plan, self.limits, store)
        return self._latest

    def _made(self, plan: FaultPlan, limits: Limits, store: Path | None = None) -> Run:
        return run(self.workflow, self.task, **{**self.options, "plan": plan, "limits": limits, "store": store})

    def _tried(self, plan: FaultPlan) -> Trial:
        """What would not end is stopped early; that it really would not is made sure of once for each check."""
        made = self._made(plan, self._brisk)
        failed = self._failed(made)
        if made.outcome == "stopped_by_harness" and not self._confirmed.issuperset(each.check for each in failed):
            made = self.run(plan)
            failed = self._failed(made)
            self._confirmed.update(verdict.check for verdict in failed)
        return Trial(
            plan=plan,
            failed=failed,
            calls=made.calls,
            seconds=made.seconds,
            tokens=made.tokens,
            unmatched=tuple(rule for rule, count in made.faults.items() if not count.fired),
            slots=_called(made),
        )

    def _failed(self, made: Run) -> tuple[Verdict, ...]:
        """The checks alone: the baseline is known to be good, and what is found is proved once, when it is smallest."""
        return tuple(verdict for check in self.checks if (verdict := asked(made, check)).status == "fail")


def _called(made: Run) -> tuple[Address, ...]:
    calls = made.history.calls(endpoint=None)
    return tuple(dict.fromkeys((call.agent, call.endpoint, call.ordinal, "call") for call in calls))
