"""``costs``: what a run costs, and who spends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dissonance.harness.errors import BadInput

from .verdict import Verdict, lacking, verdict
from .waste import dollars
from .wording import listed, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Costs", "Spent", "costs", "measure_costs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one agent spent: requests to ``messages`` (retries count), input and output tokens, dollars."""

    agent: str
    calls: int
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a run spent, by agent, the dearest first. Dollars are list prices applied to estimated tokens."""

    agents: tuple[Spent, ...]

    @property
    def usd(self) -> float:
        """Dollars of all agents."""
        return sum(each.usd for each in self.agents)

    def of(self, agent: str) -> float:
        """Dollars of the agents with this name (a glob such as ``worker-*``)."""
        return sum(each.usd for each in self.agents if fnmatchcase(each.agent, agent))


def measure_costs(run: Run) -> Costs:
    """What each agent of a run spent."""
    calls: dict[str, int] = {}
    tokens: dict[str, int] = {}
    usd: dict[str, float] = {}
    for call in run.history.calls():
        calls[call.agent] = calls.get(call.agent, 0) + 1
    for reply in run.history.replies():
        tokens[reply.agent] = tokens.get(reply.agent, 0) + (0 if reply.usage is None else reply.usage.total)
        usd[reply.agent] = usd.get(reply.agent, 0.0) + reply.usd
    spent = [Spent(agent=a, calls=n, tokens=tokens.get(a, 0), usd=usd.get(a, 0.0)) for a, n in calls.items()]
    return Costs(agents=tuple(sorted(spent, key=lambda each: -each.usd)))


@dataclass(frozen=True, slots=True)
class costs:
    """The run costs no more than ``at_most_usd`` dollars; or, given by agent (globs), each no more than its own.

    * *pass* and *fail*: by the dollars of all replies received, at list prices.
    * *unknown*: no amount is given; nothing was answered, so nothing was paid; or the harness stopped
      the run before the amount was spent.

    BadInput for an amount below 0.
    """

    at_most_usd: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for amount in self._amounts().values():
            if not amount >= 0:
                raise BadInput(f"costs(at_most_usd={self.at_most_usd!r}): give dollars, 0 or more")

    @property
    def name(self) -> str:
        """``costs``."""
        return "costs"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        if self.at_most_usd is None:
            return lacking(run, self.name, "at_most_usd", "Give costs(at_most_usd=…), in dollars.")
        found = measure_costs(run)
        if not any(reply.usage is not None for reply in run.history.replies()):
            reason = "no call was answered, so nothing was spent: there was nothing to look at"
            return verdict(run, self.name, "unknown", reason, (), "Look at a run in which the workflow calls a model.")
        for agent, amount in self._amounts().items():
            if found.of(agent) > amount:
                return self._over(run, found, agent, amount)
        told = f"{dollars(found.usd)}: {_by_agent(found)}"
        if run.outcome == "stopped_by_harness":
            advice = "Look at terminates() first, or raise the limit."
            return verdict(run, self.name, "unknown", f"the harness stopped it after {told}", (), advice)
        return verdict(run, self.name, "pass", told, [run.history[-1].id])

    def _amounts(self) -> Mapping[str, float]:
        if self.at_most_usd is None:
            return {}
        return self.at_most_usd if isinstance(self.at_most_usd, Mapping) else {"*": self.at_most_usd}

    def _over(self, run: Run, found: Costs, agent: str, amount: float) -> Verdict:
        spent, passed = 0.0, run.history[-1].id
        for reply in run.history.replies():
            spent += reply.usd if fnmatchcase(reply.agent, agent) else 0.0
            if spent > amount:
                passed = reply.id
                break
        whose = "" if agent == "*" else f" of {agent}"
        reason = f"{dollars(found.of(agent))}{whose}, more than {dollars(amount)}: {_by_agent(found)}"
        return verdict(run, self.name, "fail", reason, [passed, run.history[-1].id])


def _by_agent(found: Costs) -> str:
    return listed(f"{each.agent} {dollars(each.usd)} in {plural(each.calls, 'call')}" for each in found.agents)
