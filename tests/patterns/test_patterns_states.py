"""State machines: every transition that is declared is taken, and none is taken that is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from walks import Walks

from dissonance.faults import (
    At,
    CutStream,
    EmptyContent,
    FalseReject,
    HttpError,
    MalformedBody,
    Refusal,
    RejectWork,
    Rule,
    SlowReply,
    When,
)
from dissonance.harness import run
from dissonance.patterns import (
    ARBITRATOR,
    Agent,
    CycleDetector,
    Gated,
    Guard,
    Lead,
    MonotonicProgress,
    Outcome,
    Proposal,
    Quarantine,
    Retry,
    Signal,
    Stage,
    StateMachine,
    StepBudget,
    Thresholds,
    TimeBox,
    Usage,
    Worker,
    chain,
    contains,
    debate,
    delegate,
    fan_out,
    human_gate,
    irreversible,
    solo,
    supervise,
)
from dissonance.patterns.diagrams import PATTERNS, machine_of, main
from dissonance.patterns.effects import Sink
from dissonance.patterns.human import HumanAnswer, HumanRequest
from dissonance.patterns.parts import Piece
from dissonance.patterns.stage import ONCE
from dissonance.patterns.store import Store

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

SOON = TimeBox(0.05)
WORKER, OTHER, JUDGE = Agent("worker", "Work."), Agent("other", "Work."), Agent("judge", "Judge.")
LEAD, HAND = Agent("lead", "Lead."), Agent("hand", "Do.")
PRO, CON = Agent("pro", "Defend."), Agent("con", "Attack.")


async def never(task: str) -> Outcome[str]:
    await asyncio.Event().wait()
    raise AssertionError("never")


async def done(task: str) -> Outcome[str]:
    return Outcome(output="done", finished=True, steps=1, usage=Usage())


async def sink(key: str, action: Any) -> Any:
    return key


def hanging(name: str) -> Worker[str]:
    return Worker(name, never)


def says(wire: Wire, conclusion: str) -> Any:
    return wire.say(json.dumps({"reasoning": "because", "conclusion": conclusion}))


# --- one scenario for each way through ---------------------------------------------------------


def supervised(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    def with_judge(*decisions: str, guards: Any = ()) -> Awaitable[Any]:
        client = wire({"worker": repeat("w"), "other": repeat("o"), "judge": map(wire.rule, decisions)})
        return supervise(client, workers=[WORKER, OTHER], judge=JUDGE, guards=guards, attempts_per_worker=1)("Go.")

    yield with_judge("retry", "accept")
    yield with_judge("escalate")
    yield with_judge("reassign", guards=[StepBudget(1)])
    yield supervise(wire({}), workers=[hanging("slow")], judge=JUDGE, guards=[SOON])("Go.")
    client = wire({"worker": ["a", "b"], "judge": [wire.rule("retry"), wire.rule("accept")]})
    yield supervise(client, workers=[WORKER], judge=JUDGE)("Go.")


def fanned_out(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    def split(task: str) -> list[Piece]:
        return [Piece(name=name, task=name) for name in "ab"]

    async def no_split(task: str) -> Any:
        await never(task)

    async def fails(task: str) -> Outcome[str]:
        return Outcome(output=None, finished=False, steps=1, usage=Usage(), reason="no")

    merges: Any = lambda task, parts, conflicts: fails(task)  # noqa: E731
    hangs: Any = lambda task, parts, conflicts: never(task)  # noqa: E731

    yield fan_out(done, split=split)("Go.")
    yield fan_out(fails, split=split)("Go.")
    yield fan_out(done, split=split, reduce=merges)("Go.")
    yield fan_out(done, split=split, reduce=hangs, guards=[SOON])("Go.")
    yield fan_out(never, split=split, guards=[SOON])("Go.")
    yield fan_out(done, split=no_split, guards=[SOON])("Go.")


def delegated(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    client = wire({})

    async def asks(task: str, output: str) -> Signal:
        return Signal(bool(await HAND.ask(client, output)))

    down = wire.use(("delegate_to_hand", {"task": "dig"}))
    hand = repeat("Dug.")
    yield delegate(wire({"lead": [down, "Done."], "hand": hand}), Lead(LEAD, (HAND,)))("Go.")
    yield delegate(wire({"lead": repeat(down), "hand": hand}), Lead(LEAD, (HAND,)), guards=[StepBudget(2)])("Go.")
    yield delegate(wire({"lead": repeat(down)}), Lead(LEAD, (HAND,)), guards=[_CallsAtMost(1)])("Go.")
    yield delegate(wire({"lead": ["no", "no"]}), Lead(LEAD, (HAND,), checks=(contains("yes"),)))("Go.")
    client = wire({"lead": ["no"], "hand": ["yes"]})
    yield delegate(client, Lead(LEAD, (HAND,), checks=(asks,)), guards=[_CallsAtMost(1)])("Go.")


def debated(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    def about(pro: str, con: str, **options: Any) -> Awaitable[Any]:
        scripts = {"pro": [says(wire, c) for c in pro], "con": [says(wire, c) for c in con]}
        scripts["arbitrator"] = [options.pop("ruling", says(wire, "a"))]
        arbitrator = ARBITRATOR if options.pop("arbitrated", False) else None
        return debate(wire(scripts), (PRO, CON), arbitrator=arbitrator, **options)("Is it?")

    refused = wire.say("no", "refusal")
    yield about("a", "a")
    yield about("ab", "ca", rounds=1)
    yield about("aa", "ba", rounds=1)
    yield about("aba", "bab", rounds=2)
    yield about("a", "b", rounds=0, arbitrated=True)
    yield about("ab", "ba", rounds=3, guards=[StepBudget(1)])
    yield about("aba", "bab", rounds=3, guards=[StepBudget(2)])
    yield debate(wire({"pro": [refused], "con": [refused]}), (PRO, CON))("Is it?")
    yield about("a", "b", rounds=0, arbitrated=True, guards=[_CallsAtMost(2)])


def gated(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    class Says:
        def __init__(self, *answers: Any) -> None:
            self._answers = iter(answers)

        async def ask(self, request: HumanRequest) -> HumanAnswer:
            return HumanAnswer.model_validate(next(self._answers))

    def at(confidence: float, run: str, *answers: Any) -> Awaitable[Any]:
        async def propose(task: str) -> Outcome[Proposal[Any]]:
            proposal = Proposal[Any](action={"n": 1}, summary="Do it.", confidence=confidence)
            return Outcome(output=proposal, finished=True, steps=1, usage=Usage())

        human = Says(*answers) if answers else None
        return human_gate(propose, Sink(sink), store=store, human=human)("Go.", run=run)

    async def none(task: str) -> Outcome[Proposal[Any]]:
        return Outcome(output=None, finished=False, steps=1, usage=Usage(), reason="no")

    yield at(1.0, "auto")
    yield at(0.8, "paused")
    yield at(0.8, "approved", {"decision": "approve"})
    yield at(0.8, "rejected", {"decision": "reject"})
    yield at(0.5, "redrafted", {"decision": "approve"}, {"decision": "edit", "value": {"n": 2}})
    yield human_gate(none, Sink(sink), store=store)("Go.", run="stopped")


class _CallsAtMost:
    """A guard of calls for these scenarios alone."""

    name, briefing = "calls_at_most", ""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def meter(self) -> Any:
        from dissonance.patterns import Refused

        left = iter(range(self._calls))

        class Meter:
            async def before(self, question: Any) -> Any:
                if next(left, None) is None:
                    raise Refused("no more")
                return question

            def after(self, question: Any, usage: Any, error: Any, text: Any = None) -> None:
                pass

        return Meter()


class _Report(BaseModel):
    task: str
    found: str = ""
    written: str = ""
    checked: str = ""


def chained(wire: Wire, store: Store) -> Iterator[Awaitable[Any]]:
    async def fails(task: str) -> Outcome[str]:
        return Outcome(output=None, finished=False, steps=1, usage=Usage(), reason="no")

    async def pauses(task: str) -> Any:
        return Gated(output=None, finished=False, steps=1, usage=Usage(), reason="waits", run="r", paused=True)

    def through(run: str, *works: Any, retry: Retry = ONCE, guards: Any = ()) -> Any:
        names = ("found", "written", "checked")
        stages = [Stage(n, work, ("task",), retry=retry) for n, work in zip(names, works, strict=False)]
        return chain(_Report, stages, store=store, guards=guards)("Go.", run=run)

    async def meanwhile(task: str) -> Outcome[str]:
        """Another process is faster with the next stage."""

        async def first(task: str) -> Outcome[str]:
            return await done(task)

        await through("race", first, done)
        return await done(task)

    yield through("whole", done, done)
    yield through("whole", done, done)
    yield through("whole", done, done, done)
    yield through("race", meanwhile, done, done)
    yield through("paused", pauses)
    yield through("failed", fails)
    yield through("again", fails, retry=Retry(tries=2, wait=0.0))
    yield through("late", fails, retry=Retry(tries=2, wait=60.0), guards=[TimeBox(0.05)])
    yield through("budget", done, done, guards=[StepBudget(1)])
    yield through("held", done)
    held = [Stage("found", done, ("task",)), Stage("written", done, ("found",))]
    yield chain(_Report, held, store=store, guards=[Quarantine(withhold=True)])("Go.", run="held")


SCENARIOS: dict[str, Callable[[Wire, Store], Iterator[Awaitable[Any]]]] = {
    "supervise": supervised,
    "fan_out": fanned_out,
    "delegate": delegated,
    "debate": debated,
    "human_gate": gated,
    "chain": chained,
}


@pytest.mark.parametrize("pattern", SCENARIOS)
def test_exactly_the_declared_transitions_are_taken(wire: Wire, tmp_path: Path, pattern: str) -> None:
    walks = Walks()

    async def all_of_them(store: Store) -> None:
        for scenario in SCENARIOS[pattern](wire, store):
            await scenario

    with Store(f"sqlite:///{tmp_path / 'state.db'}") as store, walks.listening():
        asyncio.run(all_of_them(store))
    assert walks.undeclared() == []
    declared = set(machine_of(pattern).pairs())
    assert sorted(declared - walks.taken(pattern)) == []
    ends = {state for state, successors in machine_of(pattern).transitions.items() if not successors}
    assert walks.ends()[pattern] == ends


# --- and under any plan -----------------------------------------------------------------------

FAULTS = [
    RejectWork(),
    FalseReject(),
    MalformedBody(),
    EmptyContent(),
    Refusal(),
    HttpError(status=500, type="api_error"),
    CutStream(after=3),
    SlowReply(seconds=400),
]
GUARDS: list[Guard] = [StepBudget(3), CycleDetector(), MonotonicProgress(), TimeBox(300)]


class Approves:
    async def ask(self, request: HumanRequest) -> HumanAnswer:
        await asyncio.sleep(60)
        return HumanAnswer(decision="approve" if request.kind == "review" else "reject", by="Ann")


def _composed(guards: list[Guard], folder: Path, human: Any) -> Callable[[str], Awaitable[Any]]:
    """A workflow of all patterns: researchers, a supervisor, a hierarchy and a debate, before a human gate."""
    from anthropic import AsyncAnthropic

    async def workflow(task: str) -> Any:
        import logging

        logging.getLogger("dissonance.patterns").setLevel(logging.DEBUG)
        client = AsyncAnthropic(api_key="k")
        loops = [guard for guard in guards if isinstance(guard, TimeBox)]
        stages = [
            Stage(n, solo(client, WORKER), (b,), guards=loops) for b, n in [("task", "found"), ("found", "written")]
        ]
        chained = await chain(_Report, stages, guards=guards)(task)
        pieces = [Piece(name=name, task=f"{chained.output} ({name})") for name in ("north", "south")]
        found = await fan_out(solo(client, WORKER), split=lambda _: pieces, guards=loops, at_least=1)(task)
        report = await supervise(client, workers=[WORKER, OTHER], judge=JUDGE, guards=[*guards, StepBudget(6)])(
            str(found.output)
        )
        summed = await delegate(client, Lead(LEAD, (HAND,)), guards=[*guards, StepBudget(6)])(str(report.output))
        judged = await debate(client, (PRO, CON), arbitrator=ARBITRATOR, guards=guards)(str(summed.output))

        async def propose(task: str) -> Outcome[Proposal[Any]]:
            proposal = Proposal[Any](action={"send": judged.output}, summary="Send it.", confidence=0.95)
            return Outcome(output=proposal, finished=judged.finished, steps=0, usage=Usage())

        with Store(f"sqlite:///{folder / 'state.db'}") as store:
            gate = human_gate(
                propose, Sink(sink), store=store, triggers=[irreversible()], thresholds=Thresholds(), human=human
            )
            return await gate(task)

    return workflow


rules = st.builds(
    Rule,
    at=st.builds(At, agent=st.sampled_from(["worker", "other", "judge", "lead", "hand", "pro", "con", "arbitrator"])),
    when=st.one_of(st.just(When()), st.builds(When, call=st.integers(1, 3))),
    fault=st.sampled_from(FAULTS),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(rules, max_size=3),
    guards=st.lists(st.sampled_from(GUARDS), max_size=3, unique=True),
    human=st.sampled_from([None, Approves()]),
)
def test_under_any_plan_no_transition_is_taken_that_is_not_declared(
    tmp_path_factory: pytest.TempPathFactory, plan: list[Rule], guards: list[Guard], human: Any
) -> None:
    walks = Walks()
    named = [rule.named(f"r{number}") for number, rule in enumerate(plan)]
    with walks.listening():
        workflow = _composed(guards, tmp_path_factory.mktemp("run"), human)
        made = run(workflow, "ACME was founded in 1987.", plan=named, baseline=False, store=None)
    assert walks.undeclared() == []
    assert walks.ends()
    if made.error is None:
        assert set(PATTERNS) == set(walks.ends())


def test_a_transition_that_is_not_declared_is_noticed() -> None:
    walks = Walks()
    with walks.listening():
        trace = machine_of("supervise").trace()
        trace.to("accepted")
        trace.state = "weighed"
        trace.to("retried")
    assert [*walks.broken, "supervise: dispatched -> accepted"] == walks.undeclared()
    assert len(walks.broken) == 1


# --- drawn ------------------------------------------------------------------------------------


def test_each_pattern_prints_its_diagram(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert [line.removeprefix("title: ") for line in printed.splitlines() if line.startswith("title")] == list(PATTERNS)
    for before, after in machine_of("human_gate").pairs():
        assert f"    {before} --> {after}\n" in printed
    assert main(["solo"]) == 2
    assert capsys.readouterr().err == (
        "error: 'solo' is no pattern: give one of chain, fan_out, supervise, delegate, debate, human_gate\n"
    )


def test_a_machine_with_a_state_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValueError, match=r"door: \['locked'\] are not both declared and reachable"):
        StateMachine("door", {"open": (), "locked": ()})
