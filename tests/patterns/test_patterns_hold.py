"""Chain, fan-out and supervision against what breaks them, each without and with the guard that holds it.

Every row is one run under the default model in virtual time. Without the guard it fails as it is expected to;
with it, it stops within the guard's bound, names the guard, and gives back what it has, or it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from pydantic import BaseModel

from dissonance.faults import (
    At,
    EmptyContent,
    FabricateCitation,
    InflateState,
    Overflow,
    Overloaded,
    Paraphrase,
    RateLimit,
    RejectWork,
    Rule,
    SeedClaim,
    SlowBranch,
    SlowReply,
    When,
)
from dissonance.harness import Claim, Limits, Run, run
from dissonance.patterns import (
    JUDGE,
    Agent,
    CircuitBreaker,
    CitationGate,
    CrossCheck,
    CycleDetector,
    DollarBudget,
    EscalationPolicy,
    Grounding,
    Guard,
    MonotonicProgress,
    Outcome,
    Piece,
    Price,
    Quarantine,
    Retry,
    Stage,
    StepBudget,
    Termination,
    TimeBox,
    TokenLedger,
    chain,
    contains,
    fan_out,
    merger,
    solo,
    splitter,
    supervise,
)

TASK = "Write about ACME. ACME was founded in 1987 [register]. Never refund more than 500 dollars [rules]."
CLAIM = Claim(id="founded", true="ACME was founded in 1987.", false="ACME was founded in 1903.")
RULE = "Never refund more than 500 dollars"
TABLE = Grounding({"founded": r"founded in (\d+)"}, {"founded": "1987"})
GATE = CitationGate({"register": "ACME was founded in 1987.", "rules": f"{RULE}."})
PRICES = {"claude-sonnet-5-5": Price(input=2, output=10), "claude-haiku-5-5": Price(input=0.5, output=2.5)}
LEDGER = TokenLedger(window=20_000, pinned=(RULE,))

NAMES = ("researcher", "writer", "editor")
COMPANIES = ("ACME", "Zenith", "Initech", "Globex")


class State(BaseModel):
    task: str
    researcher: str = ""
    writer: str = ""
    editor: str = ""


Workflow = Callable[[str], Coroutine[Any, Any, Outcome[Any]]]
Build = Callable[[Sequence[Guard]], Workflow]


def agent(name: str) -> Agent:
    return Agent(name, "Do your part of the work.", max_tokens=2000)


def chained(guards: Sequence[Guard]) -> Workflow:
    """Three stages, each of which sees the one before."""
    client = AsyncAnthropic(api_key="simulated")
    seen = dict(zip(NAMES, ("task", *NAMES), strict=False))
    return chain(State, [Stage(name, solo(client, agent(name)), sees=[seen[name]]) for name in NAMES], guards=guards)


def retried(guards: Sequence[Guard]) -> Workflow:
    """The same, with two more tries for the first stage, and the guards around that stage."""
    client = AsyncAnthropic(api_key="simulated")
    first = Stage("researcher", solo(client, agent("researcher")), ["task"], retry=Retry(tries=3), guards=guards)
    rest = [Stage(name, solo(client, agent(name)), sees=["researcher"]) for name in NAMES[1:]]
    return chain(State, [first, *rest])


def fanned(guards: Sequence[Guard], at_once: int = 4) -> Workflow:
    """Four branches, the guards around each."""
    client = AsyncAnthropic(api_key="simulated")

    def split(task: str) -> list[Piece]:
        return [Piece(name=name, task=f"Profile {name}. {task}") for name in COMPANIES]

    return fan_out(solo(client, agent("researcher")), split=split, at_once=at_once, branch_guards=guards)


def in_turn(guards: Sequence[Guard]) -> Workflow:
    """The same, one after the other."""
    return fanned(guards, at_once=1)


def reviewed(guards: Sequence[Guard]) -> Workflow:
    """Two writers, a check, a judge. A rejected task goes to the other writer, who sees the feedback and not the attempt."""
    client = AsyncAnthropic(api_key="simulated")
    return supervise(
        client,
        workers=[agent("writer"), agent("second")],
        checks=[contains("ACME")],
        judge=JUDGE,
        attempts_per_worker=1,
        guards=guards,
    )


def played(build: Build, guards: Sequence[Guard], rules: Sequence[Rule]) -> Run:
    return run(lambda: build(guards), TASK, plan=list(rules), limits=Limits(calls=80), baseline=False, store=None)


# --- nothing goes wrong ---------------------------------------------------------------------------

EVERY: dict[str, tuple[Build, tuple[Guard, ...]]] = {
    "chain": (
        chained,
        (
            StepBudget(9),
            CycleDetector(),
            MonotonicProgress(),
            TimeBox(600),
            DollarBudget(1, PRICES),
            LEDGER,
            TABLE,
            GATE,
            Quarantine(),
            CircuitBreaker(),
        ),
    ),
    "fan_out": (fanned, (TimeBox(600), DollarBudget(1, PRICES), LEDGER, TABLE, GATE, CircuitBreaker())),
    "supervise": (
        reviewed,
        (
            StepBudget(9),
            CycleDetector(),
            MonotonicProgress(),
            TimeBox(600),
            DollarBudget(1, PRICES),
            LEDGER,
            TABLE,
            GATE,
            CircuitBreaker(),
            EscalationPolicy((StepBudget(5),)),
        ),
    ),
}


@pytest.mark.parametrize("guarded", [False, True], ids=["bare", "guarded"])
@pytest.mark.parametrize("pattern", EVERY)
def test_without_a_fault_it_completes_and_no_guard_fires(pattern: str, guarded: bool) -> None:
    build, guards = EVERY[pattern]
    ran = played(build, guards if guarded else (), [])
    assert (ran.outcome, ran.stopped_by, list(ran.history.guards())) == ("completed", None, [])
    assert ran.result.finished
    assert "1987" in str(ran.result.output)


# --- what a guard stops -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Faults, the guards that hold them, and what is to be seen without (``off``) and with it (``on``)."""

    build: Build
    rules: tuple[Rule, ...]
    guards: tuple[Guard, ...]
    off: Callable[[Run], bool]
    on: Callable[[Run], bool]


def ran_away(ran: Run) -> bool:
    return ran.outcome == "stopped_by_harness"


def stopped(name: str, *, calls: int, output: bool = True) -> Callable[[Run], bool]:
    """Stopped by this guard, within so many calls, with what there is."""

    def seen(ran: Run) -> bool:
        named = (ran.outcome, ran.stopped_by, ran.result.stopped_by) == ("completed", name, name)
        return named and not ran.result.finished and ran.calls <= calls and (ran.result.output is not None) == output

    return seen


def false(ran: Run) -> bool:
    """It finished, and says what is false."""
    return bool(ran.result.finished) and "1903" in str(ran.result.output)


def clean(ran: Run) -> bool:
    """It finished, and says what is true and nothing that is false."""
    return bool(ran.result.finished) and "1903" not in str(ran.result.output) and "1987" in str(ran.result.output)


def held(name: str) -> Callable[[Run], bool]:
    """The falsehood reached nobody; the guard is named, and what was made before it is there."""

    def seen(ran: Run) -> bool:
        return ran.stopped_by == name and "1903" not in str(ran.result.output) and ran.result.output is not None

    return seen


def slower_than(seconds: float) -> Callable[[Run], bool]:
    return lambda ran: bool(ran.result.finished) and ran.seconds > seconds


def gaps(name: str, *missing: str, within: float) -> Callable[[Run], bool]:
    """Finished in time with these parts missing, and the guard named."""

    def seen(ran: Run) -> bool:
        found = tuple(gap.name for gap in ran.result.gaps)
        return found == missing and ran.stopped_by == name and ran.seconds <= within

    return seen


def failed(error: str) -> Callable[[Run], bool]:
    return lambda ran: not ran.result.finished and error in str(ran.result.reason)


def says(text: str) -> Callable[[Run], bool]:
    return lambda ran: bool(ran.result.finished) and text in str(ran.result.output)


def dearer_than(usd: float) -> Callable[[Run], bool]:
    return lambda ran: bool(ran.result.finished) and ran.usd > usd


def cheaper_than(usd: float, also: Callable[[Run], bool]) -> Callable[[Run], bool]:
    return lambda ran: ran.usd <= usd and also(ran)


def told(rule: str) -> Callable[[Run], bool]:
    """It finished, and the first stage, whose task was compacted, was told what is pinned."""
    return lambda ran: bool(ran.result.finished) and rule in ran.result.output.researcher


WRITERS = At(text="Do your part")
JUDGED, WROTE, FOUND = At(agent="judge"), At(agent="writer"), At(agent="researcher")
ZENITH = At(agent="researcher", text="Profile Zenith")

REJECTED = (Rule(at=JUDGED, fault=RejectWork()),)
PARAPHRASED = (*REJECTED, Rule(at=WRITERS, fault=Paraphrase()))
FALSE, FALSE_ONCE = (
    Rule(at=FOUND, fault=SeedClaim(claim=CLAIM)),
    Rule(at=FOUND, when=When(call=1), fault=SeedClaim(claim=CLAIM)),
)
WRITTEN = Rule(at=WROTE, when=When(call=1), fault=SeedClaim(claim=CLAIM))
IN_A_BRANCH = Rule(at=ZENITH, fault=SeedClaim(claim=CLAIM))
INVENTED = Rule(at=FOUND, fault=FabricateCitation(source="[memo]"))
SLOW, LATE = Rule(at=WROTE, fault=SlowReply(seconds=500)), Rule(at=ZENITH, fault=SlowBranch(seconds=90))
HOUR = Rule(at=ZENITH, fault=RateLimit(retry_after=3600))
LONG = Rule(at=FOUND, fault=InflateState(tokens=1900, through="reply"))
OVERFLOW = (Rule(fault=InflateState(tokens=60_000)), Rule(at=FOUND, fault=Overflow(policy="reject", window=20_000)))
EMPTY = Rule(at=ZENITH, fault=EmptyContent())
DOWN = Rule(at=FOUND, fault=Overloaded())
FIVE = Termination({"five tries": lambda step: step.index >= 5})

ROWS = {
    "supervise, never accepted: step budget": Row(
        reviewed, REJECTED, (StepBudget(10),), ran_away, stopped("step_budget", calls=20)
    ),
    "supervise, never accepted: cycle detector": Row(
        reviewed, REJECTED, (CycleDetector(),), ran_away, stopped("cycle_detector", calls=20)
    ),
    "supervise, never accepted: progress": Row(
        reviewed, REJECTED, (MonotonicProgress(),), ran_away, stopped("monotonic_progress", calls=8)
    ),
    "supervise, never accepted: termination": Row(
        reviewed, REJECTED, (FIVE,), ran_away, stopped("termination", calls=10)
    ),
    "supervise, never accepted: escalation": Row(
        reviewed, REJECTED, (EscalationPolicy((MonotonicProgress(),)),), ran_away, stopped("escalation", calls=8)
    ),
    "supervise, never accepted: dollars": Row(
        reviewed, REJECTED, (DollarBudget(0.06, PRICES),), ran_away, stopped("dollar_budget", calls=60)
    ),
    "supervise, never accepted: time": Row(reviewed, REJECTED, (TimeBox(20),), ran_away, stopped("time_box", calls=60)),
    "supervise, paraphrased: cycle detector is blind": Row(
        reviewed, PARAPHRASED, (CycleDetector(),), ran_away, ran_away
    ),
    "supervise, paraphrased: progress": Row(
        reviewed, PARAPHRASED, (MonotonicProgress(),), ran_away, stopped("monotonic_progress", calls=8)
    ),
    "supervise, a falsehood once: grounding": Row(reviewed, (WRITTEN,), (TABLE, StepBudget(10)), false, clean),
    "chain, a falsehood: grounding": Row(chained, (FALSE,), (TABLE,), false, held("grounding")),
    "chain, a falsehood: citations": Row(chained, (FALSE,), (GATE,), false, held("citation_gate")),
    "chain, a falsehood: quarantine": Row(
        chained, (FALSE,), (Quarantine(withhold=True),), false, stopped("quarantine", calls=1)
    ),
    "chain, a falsehood once: grounding and a retry": Row(retried, (FALSE_ONCE,), (TABLE,), false, clean),
    "chain, an invented source: citations": Row(chained, (INVENTED,), (GATE,), says("[memo]"), held("citation_gate")),
    "chain, a slow stage: time": Row(chained, (SLOW,), (TimeBox(180),), slower_than(500), stopped("time_box", calls=2)),
    "chain, long replies: dollars": Row(
        chained,
        (LONG,),
        (DollarBudget(0.045, PRICES),),
        dearer_than(0.045),
        cheaper_than(0.045, stopped("dollar_budget", calls=2)),
    ),
    "chain, a task of 60,000 tokens: ledger": Row(
        chained, OVERFLOW, (LEDGER,), failed("prompt is too long"), told(RULE)
    ),
    "fan_out, a slow branch: time": Row(
        fanned, (LATE,), (TimeBox(30),), slower_than(90), gaps("time_box", "Zenith", within=31)
    ),
    "fan_out, a branch told to wait an hour: time": Row(
        fanned, (HOUR,), (TimeBox(30),), lambda ran: ran.seconds > 3600, gaps("time_box", "Zenith", within=31)
    ),
    "fan_out, a falsehood in a branch: grounding": Row(
        fanned, (IN_A_BRANCH,), (TABLE,), false, gaps("grounding", "Zenith", within=60)
    ),
    "fan_out, an empty reply paid for again: dollars": Row(
        fanned,
        (EMPTY,),
        (DollarBudget(0.0202, PRICES),),
        lambda ran: ran.calls == 5,
        gaps("dollar_budget", "Zenith", within=60),
    ),
    "fan_out, a model that is down: circuit breaker": Row(
        in_turn,
        (DOWN,),
        (CircuitBreaker(failures=1, seconds=300),),
        lambda ran: ran.calls == 4 * 3 and len(ran.result.gaps) == 4,
        lambda ran: ran.calls == 3 and [gap.stopped_by for gap in ran.result.gaps] == [None, *["circuit_breaker"] * 3],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_off_it_fails_as_expected(name: str) -> None:
    row = ROWS[name]
    ran = played(row.build, (), row.rules)
    assert ran.faults and all(count.fired for count in ran.faults.values())
    assert row.off(ran), (ran.outcome, ran.stopped_by, ran.seconds, ran.usd, ran.result)


@pytest.mark.parametrize("name", ROWS)
def test_on_it_holds(name: str) -> None:
    row = ROWS[name]
    ran = played(row.build, row.guards, row.rules)
    assert any(count.fired for count in ran.faults.values()), "a guard may keep a second fault from firing, not all"
    assert row.on(ran), (ran.outcome, ran.stopped_by, ran.calls, ran.seconds, ran.usd, ran.result)


# --- the parts, under the default model -----------------------------------------------------------


def founded(company: str) -> str:
    """Look the year up in which a company was founded."""
    return f"{company} was founded in 1987."


def staff(company: str) -> str:
    """Look up how many people a company employs."""
    return f"{company} has 1,200 staff."


class Profile(BaseModel):
    summary: str


def test_an_agent_with_tools_and_a_schema_under_the_default_model() -> None:
    clerk = Agent("clerk", "Use the tools in parallel, then answer.", tools=(founded, staff))
    ran = run(
        lambda: solo(AsyncAnthropic(api_key="simulated"), clerk, Profile), "Profile ACME.", baseline=False, store=None
    )
    assert isinstance(ran.result.output, Profile)
    assert "1,200" in ran.result.output.summary and "1987" in ran.result.output.summary
    assert [source.ref.partition("(")[0] for source in ran.result.provenance.sources] == ["founded", "staff"]
    assert ran.calls == 2, "both tools were asked for in one turn"


def test_agents_split_and_merge_under_the_default_model() -> None:
    def build() -> Workflow:
        client = AsyncAnthropic(api_key="simulated")
        return fan_out(
            solo(client, agent("researcher")),
            split=splitter(client, agent("planner"), at_most=5),
            reduce=merger(client, agent("editor")),
        )

    ran = run(build, TASK, baseline=False, store=None)
    assert (ran.outcome, ran.result.finished, ran.result.gaps) == ("completed", True, ())
    assert "1987" in ran.result.output


def test_a_cross_check_under_the_default_model() -> None:
    def build() -> Workflow:
        client = AsyncAnthropic(api_key="simulated")
        return solo(client, agent("writer"), guards=[CrossCheck(client)])

    ran = run(build, TASK, baseline=False, store=None)
    assert (ran.result.finished, ran.result.provenance.verified_by, ran.calls) == (True, ("cross_check",), 2)
