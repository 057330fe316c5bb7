"""What the matrix injects: one plan for each of the nine families of faults, and when a cell held.

The plans name no agent, so that they strike every pattern in every runtime. Each asks one question, and is judged by
the check for it; a cell in which no fault changed anything that an agent received says *unknown*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dissonance.faults import (
    Crash,
    CutStream,
    FalseReject,
    Family,
    FaultPlan,
    NeverAnswers,
    Overflow,
    RejectWork,
    RepeatToolCall,
    Rule,
    SeedClaim,
    SlowReply,
    ToolError,
    When,
)
from dissonance.faults.facts import facts
from dissonance.harness import Claim, Run
from dissonance.harness.checks.no_silent_damage import no_silent_damage
from dissonance.harness.checks.reading import good
from dissonance.harness.checks.terminates import terminates
from dissonance.harness.checks.verdict import Status
from dissonance.harness.claims import occurs
from dissonance.harness.history import CallSent

__all__ = ["FAMILIES", "PATIENCE", "SLOW", "Case", "Judged", "bound_of", "plan_of", "says_so"]

SLOW = 590.0
"""Seconds by which a first answer is late: just within the SDK's own timeout of 600 s."""

PATIENCE = 600.0
"""Virtual seconds in which a late answer must be overcome."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Whether a cell held, why, and whether damage went through in silence (None: there was none to go through)."""

    status: Status
    reason: str
    silent: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One family in the matrix: its ``question``, what is injected in a word, the rules for a seed, and the judge."""

    question: str
    injected: str
    rules: Callable[[int], tuple[Rule, ...]]
    judge: Callable[[Run, int], Judged]


def plan_of(family: Family, seed: int) -> FaultPlan:
    """The plan of this family for this seed."""
    return FaultPlan(rules=FAMILIES[family].rules(seed))


def _claim(seed: int) -> Claim:
    return facts()[seed % len(facts())]


# --- judges -----------------------------------------------------------------------------------


def says_so(result: Any) -> bool:
    """Whether a result tells its reader that it is not whole, as this project's outcomes do."""
    return getattr(result, "finished", True) is False or bool(getattr(result, "gaps", ()))


def bound_of(result: Any) -> str:
    """What a team of AutoGen says of its end, where that is a bound and not a word that somebody said.

    A chain's bound is its usual end, so that by itself it says nothing of damage.
    """
    said = str(getattr(result, "stop_reason", None) or "")
    return said.rstrip(".") if said.startswith(("Maximum", "Timeout")) else ""


def answer_of(result: Any) -> str:
    """What a workflow delivers, in each runtime's own shape: an outcome, a graph's state, a crew's output, a team's end."""
    if isinstance(result, Mapping):
        return str(result.get("answer", ""))
    if getattr(result, "messages", None):
        return str(result.messages[-1].content)
    return str(getattr(result, "output", getattr(result, "raw", result)))


def _ends(made: Run, seed: int) -> Judged:
    """It ends; what the judge never accepted is damage, if nobody says so."""
    found = terminates()(made)
    refused = any(fault.fault == "RejectWork" for fault in made.history.faults())
    delivered = made.outcome == "completed" and not says_so(made.result) and not bound_of(made.result)
    return Judged(status=found.status, reason=found.reason, silent=delivered if refused else None)


def _noticed(made: Run, seed: int) -> Judged:
    """It ends, and what was damaged was noticed."""
    found, ended = no_silent_damage(says_so)(made), terminates()(made)
    if ended.status == "fail":
        return Judged(status="fail", reason=ended.reason, silent=found.status == "fail")
    if found.status == "fail" and _replaced(made):
        reason = (
            "who got a damaged reply was asked again, in other words, and answered whole as often as without faults"
        )
        return Judged(status="pass", reason=reason, silent=False)
    return Judged(status=found.status, reason=found.reason, silent=found.status == "fail")


def _replaced(made: Run) -> bool:
    """Whether each agent that got a damaged reply got as many whole ones as without faults."""
    if made.baseline is None:
        return False
    usual, whole = _whole(made.baseline), _whole(made)
    return all(whole[fault.agent] >= usual[fault.agent] for fault in made.history.faults())


def _whole(made: Run) -> Counter[str | None]:
    struck = {fault.call for fault in made.history.faults()}
    return Counter(reply.agent for reply in made.history.replies() if good(reply) and reply.call not in struck)


def _clean(made: Run, seed: int) -> Judged:
    """The planted claim is not in what is delivered."""
    if made.outcome != "completed":
        return Judged(status="pass", reason=f"nothing was delivered: the run {made.outcome}", silent=False)
    holds = occurs(_claim(seed), answer_of(made.result), "false")
    told = "stands in what was delivered" if holds else "is not in what was delivered"
    return Judged(status="fail" if holds else "pass", reason=f"the false claim {told}", silent=holds)


def _in_time(made: Run, seed: int) -> Judged:
    """A late answer is overcome in time."""
    return _done(made, terminates(within_seconds=PATIENCE), "an answer was late")


def _recovers(made: Run, seed: int) -> Judged:
    """One wrong rejection costs another round, and no more."""
    return _done(made, terminates(), "one verdict was wrong")


def _done(made: Run, check: terminates, what: str) -> Judged:
    found = check(made)
    if found.status == "pass" and (made.outcome != "completed" or says_so(made.result)):
        if made.outcome != "completed":
            return Judged(status="fail", reason=f"{what}, and the run {made.outcome}: {made.error_text}")
        why = getattr(made.result, "reason", None) or made.stopped_by
        return Judged(status="fail", reason=f"{what}, and the work was not finished: {why}")
    return Judged(status=found.status, reason=found.reason)


def _still_ends(made: Run, seed: int) -> Judged:
    """No tool works, and it ends all the same."""
    found = terminates()(made)
    return Judged(status=found.status, reason=found.reason)


def _goes_on(made: Run, seed: int) -> Judged:
    """Nobody answers, and the workflow comes to an end all the same, having done nothing."""
    acted = list(made.history.actions())
    if acted:
        return Judged(status="fail", reason=f"{len(acted)} actions were taken that nobody approved", silent=True)
    found = terminates()(made)
    return Judged(status=found.status, reason=found.reason, silent=False)


def _nothing_twice(made: Run, seed: int) -> Judged:
    """After the crash it goes on, and does nothing again that was finished: no answered call, no action."""
    acted = [action.key for action in made.history.actions()]
    again = len(acted) - len(set(acted))
    repeated = _repeated(made)
    if made.outcome != "completed":
        return Judged(status="fail", reason=f"after a crash the run {made.outcome}: {made.error_text}", silent=False)
    if again or repeated:
        reason = f"after a crash {repeated} finished calls were made again, and {again} actions done twice"
        return Judged(status="fail", reason=reason, silent=again > 0)
    return Judged(status="pass", reason="it went on where it was, and did nothing twice", silent=False)


def _repeated(made: Run) -> int:
    """Calls with the very request of an earlier one whose reply had arrived, at another moment than that of a crash."""
    crashes = {fault.at for fault in made.history.faults()}
    answered = {reply.call for reply in made.history.replies() if reply.at not in crashes}
    seen: set[Any] = set()
    count = 0
    for call in made.history.calls():
        request = _request(call)
        count += request in seen
        if call.id in answered:
            seen.add(request)
    return count


def _request(call: CallSent) -> Any:
    return call.agent, call.system, call.tools, call.messages


# --- the families -----------------------------------------------------------------------------

_FIRST = When(call=1)

FAMILIES: Mapping[Family, Case] = {
    "loops": Case(
        question="Does it end, if no judge ever accepts and the model asks for its tool for ever?",
        injected="endless rejection, endless tool calls",
        rules=lambda seed: (Rule(id="rejects", fault=RejectWork()), Rule(id="repeats", fault=RepeatToolCall())),
        judge=_ends,
    ),
    "context": Case(
        question="Does anybody learn that a prompt was too long?",
        injected="400, prompt is too long, on each agent's first call",
        rules=lambda seed: (Rule(id="too-long", when=_FIRST, fault=Overflow(policy="reject", window=0.5)),),
        judge=_noticed,
    ),
    "hallucination": Case(
        question="Does a falsehood of the first agent get into the result?",
        injected="a false claim in the first reply",
        rules=lambda seed: (
            Rule(id="claim", when=When(call=1, before=1), fault=SeedClaim.model_validate({"claim": _claim(seed)})),
        ),
        judge=_clean,
    ),
    "latency": Case(
        question=f"Is it done in {PATIENCE / 60:g} minutes, if each agent's first answer is {SLOW:g} s late?",
        injected=f"each agent's first answer {SLOW:g} s late",
        rules=lambda seed: (Rule(id="slow", when=When(call=1, attempt=1), fault=SlowReply(seconds=SLOW)),),
        judge=_in_time,
    ),
    "transport": Case(
        question="Does it notice a stream that is cut cleanly?",
        injected="each agent's first stream cut in half, cleanly",
        rules=lambda seed: (Rule(id="cut", when=_FIRST, fault=CutStream()),),
        judge=_noticed,
    ),
    "judgement": Case(
        question="Does it recover from one wrong rejection?",
        injected="each judge's first verdict a wrong rejection",
        rules=lambda seed: (Rule(id="wrong", when=_FIRST, fault=FalseReject()),),
        judge=_recovers,
    ),
    "tools": Case(
        question="Does it end, if every tool result is an error?",
        injected="every tool result an error",
        rules=lambda seed: (Rule(id="broken", fault=ToolError()),),
        judge=_still_ends,
    ),
    "human": Case(
        question="Does it end, and do nothing, if nobody ever answers?",
        injected="a human who never answers",
        rules=lambda seed: (Rule(id="away", fault=NeverAnswers()),),
        judge=_goes_on,
    ),
    "process": Case(
        question="Does it go on after a crash without doing anything twice?",
        injected="a crash after each agent's first reply, and after the action",
        rules=lambda seed: (
            Rule(id="dies", when=_FIRST, fault=Crash()),
            Rule(id="dies-acting", when=_FIRST, fault=Crash(place="action")),
        ),
        judge=_nothing_twice,
    ),
}
