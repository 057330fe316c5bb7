"""Conformance of a runtime: a tiny workflow of its framework, through which every family of faults must take effect.

A wrapper that injects nothing looks like a workflow that holds. So each runtime proves, for each family, four things
apart: a fault *fired*, it *reached* the agent, it *changed* bytes or timing, and it was *observed*, in that somebody
then did something else. Further, that agents have their names, that virtual time is right to the microsecond, that
the switch at the wire ends the run at the limit, and that the same run comes out the same.

The workflow of a :class:`Subject` has three agents, one after the other: the first uses a tool once and gathers notes,
the second writes from them, the third judges, in one of two words; where it rejects, somebody speaks once more.

    for cell in conformance(Subject(name="langgraph", workflow=graph, task="What of Acme?")):
        print(cell)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from dissonance.harness.claims import Claim
from dissonance.harness.history import History
from dissonance.harness.limits import Limits
from dissonance.harness.run import Run, run
from dissonance.harness.same import difference

from .at import At
from .facts import facts
from .fault import Fault
from .hallucination import SeedClaim
from .judgement import FalseReject
from .latency import RateLimit, SlowReply
from .loops import RepeatToolCall
from .overflow import Overflow
from .plan import FaultPlan
from .process import Crash
from .rule import Rule
from .tools import ToolError, ToolTimeout
from .transport import HttpError
from .when import When

__all__ = ["Cell", "Subject", "conformance"]

_LIMITS = Limits(calls=25)
_TOLERANCE = 1e-6
"""Of virtual seconds: what the rounding of a sum of delays may cost."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A runtime's tiny workflow: anything that ``run()`` takes, best a factory.

    ``agents`` are the names under which its three agents must appear, ``tool`` the name of the first one's tool.
    ``without`` gives, for a claim that cannot hold of this workflow, the reason, which the report then shows.
    """

    name: str
    workflow: Any
    task: Any
    agents: tuple[str, str, str] = ("researcher", "writer", "judge")
    tool: str = "lookup"
    without: Mapping[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """One claim of one subject. ``holds`` is None where the claim was left out; ``reason`` says why, or what went wrong."""

    subject: str
    claim: str
    holds: bool | None
    reason: str = ""

    def __str__(self) -> str:
        word = {True: "holds", False: "FAILS", None: "left out"}[self.holds]
        return f"{self.subject}: {self.claim} {word}" + (f" ({self.reason})" if self.reason else "")


def conformance(subject: Subject) -> Iterator[Cell]:
    """Every claim in turn, each with one run or a few. A claim whose proof raises does not hold."""
    for claim, proof in _CLAIMS.items():
        reason = subject.without.get(claim)
        if reason is not None:
            yield Cell(subject.name, claim, None, reason)
            continue
        try:
            wrong = proof(subject)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        yield Cell(subject.name, claim, not wrong, wrong)


# --- the faults -------------------------------------------------------------------------------


def _played(subject: Subject, *rules: Rule, limits: Limits = _LIMITS) -> Run:
    plan = FaultPlan(rules=list(rules)) if rules else None
    return run(subject.workflow, subject.task, plan=plan, limits=limits, store=None)


def _struck(subject: Subject, fault: Fault, agent: int, when: When | None = None) -> Run:
    return _played(subject, Rule(at=At(agent=subject.agents[agent]), when=when or When(call=1), fault=fault))


def _uncounted(done: Run, *kinds: str) -> str:
    """Which of the four counts of the run's only rule is zero; empty where none is."""
    (count,) = done.faults.values()
    missing = [kind for kind in kinds or ("fired", "reached", "changed", "observed") if not getattr(count, kind)]
    return f"the fault was not {', not '.join(missing)}; the run {done.outcome}: {done.error_text}" if missing else ""


def _loops(subject: Subject) -> str:
    return _uncounted(_struck(subject, RepeatToolCall(), 0, When(from_call=2)))


def _context(subject: Subject) -> str:
    return _uncounted(_struck(subject, Overflow(policy="reject", window=0.5), 1))


def _hallucination(subject: Subject) -> str:
    """A falsehood of the first agent's, on its last call, stands in what the second one reads."""
    claim: Claim = facts()[0]
    done = _struck(subject, SeedClaim(claim=claim), 0, When(call=2))
    read = any(claim.text("false") in _request(done.history, call) for call in done.history.calls(subject.agents[1]))
    return _uncounted(done, "fired", "reached", "changed") or ("" if read else "the falsehood was not carried on")


def _request(history: History, call: Any) -> str:
    return " ".join(str(history.bodies.get(message)) for message in call.messages)


def _latency(subject: Subject) -> str:
    """The client waits as long as it is told, and asks again."""
    return _uncounted(_struck(subject, RateLimit(retry_after=7), 1, When(call=1, attempt=1)))


def _transport(subject: Subject) -> str:
    return _uncounted(_struck(subject, HttpError(status=500), 1, When(call=1, attempt=1)))


def _judgement(subject: Subject) -> str:
    return _uncounted(_struck(subject, FalseReject(saying="REVISE: too long."), 2))


def _tool_results(subject: Subject) -> str:
    done = _struck(subject, ToolError(tool=subject.tool), 0, When(from_call=1))
    return _uncounted(done)


def _tool_code(subject: Subject) -> str:
    return _uncounted(_struck(subject, ToolError(tool=subject.tool, through="code"), 0))


def _tool_time(subject: Subject) -> str:
    """A tool that hangs for 30 s is failed at 30 s, and not before."""
    done = _struck(subject, ToolTimeout(tool=subject.tool, through="code", seconds=30), 0)
    firing = next((event.at for event in done.history.faults()), None)
    if firing is None:
        return "the fault was not fired"
    after = min((event.at for event in done.history if event.at > firing), default=firing)
    return "" if abs(after - firing - 30) < _TOLERANCE else f"the next event came {after - firing:g} s later, not 30"


def _process(subject: Subject) -> str:
    done = _struck(subject, Crash(), 1)
    ended = done.outcome == "crashed" and not done.abandoned
    return _uncounted(done, "fired") or ("" if ended else f"the run {done.outcome}, and left {done.abandoned}")


# --- the rest ---------------------------------------------------------------------------------


def _names(subject: Subject) -> str:
    done = _played(subject)
    if done.outcome != "completed":
        return f"the run without faults {done.outcome}: {done.error_text}"
    seen = list(dict.fromkeys(call.agent for call in done.history.calls()))
    return "" if seen == list(subject.agents) else f"the agents were {', '.join(seen) or 'none'}"


def _seconds(subject: Subject) -> str:
    """A reply that is 20 s late makes the run 20 s longer: all agents wait for each other."""
    done = _struck(subject, SlowReply(seconds=20), 1)
    assert done.baseline is not None
    longer = done.seconds - done.baseline.seconds
    return "" if abs(longer - 20) < _TOLERANCE else f"the run took {longer:g} s longer, not 20"


def _switch(subject: Subject) -> str:
    done = _played(subject, limits=Limits(calls=2))
    ended = (done.outcome, done.stopped_by, done.calls) == ("stopped_by_harness", "calls", 2)
    return "" if ended else f"the run {done.outcome} by {done.stopped_by} after {done.calls} calls, not 2"


def _same(subject: Subject) -> str:
    """A run with an error and a delay, three times over."""
    late = Rule(at=At(agent=subject.agents[0]), when=When(call=1), fault=SlowReply(seconds=9))
    failing = Rule(at=At(agent=subject.agents[1]), when=When(call=1, attempt=1), fault=HttpError(status=529))
    first, *others = (_played(subject, late, failing).history for _ in range(3))
    return next((found for other in others if (found := difference(first, other)) is not None), "")


_CLAIMS: Mapping[str, Callable[[Subject], str]] = {
    "agents": _names,
    "loops": _loops,
    "context": _context,
    "hallucination": _hallucination,
    "latency": _latency,
    "transport": _transport,
    "judgement": _judgement,
    "tools": _tool_results,
    "tools, in code": _tool_code,
    "tools, in time": _tool_time,
    "process": _process,
    "seconds": _seconds,
    "switch": _switch,
    "same twice": _same,
}
