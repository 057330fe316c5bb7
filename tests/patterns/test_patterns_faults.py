"""Pattern x fault x control on or off: off it fails as expected, on it holds within the control's bound and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from dissonance.faults import (
    At,
    ContradictoryAnswers,
    Crash,
    DelegateAgain,
    DuplicateAnswer,
    LateAnswer,
    NeverAnswers,
    Overconfident,
    Paraphrase,
    Refusal,
    RestartWhilePaused,
    Rule,
    SlowReply,
    When,
)
from dissonance.harness import Limits, Restartable, run
from dissonance.harness.human import ScriptedHuman
from dissonance.patterns import (
    Agent,
    CycleDetector,
    Lead,
    MonotonicProgress,
    Outcome,
    Proposal,
    StepBudget,
    TimeBox,
    Usage,
    debate,
    delegate,
    human_gate,
    irreversible,
    solo,
)
from dissonance.patterns.effects import Sink
from dissonance.patterns.store import Store

LEAD, HAND, OTHER = Agent("lead", "Lead."), Agent("hand", "Do."), Agent("other", "Do.")
PRO, CON = Agent("pro", "Defend."), Agent("con", "Attack.")
CLERK = Agent("clerk", "Propose the payment.")
TASK = "Invoice 17: pay 120 dollars to ACME."


def client() -> AsyncAnthropic:
    return AsyncAnthropic(api_key="k")


async def pays(key: str, action: Any) -> Any:
    return "paid"


async def proposes(task: str) -> Outcome[Proposal[Any]]:
    proposal = Proposal[Any](action={"pay": 120}, summary="Pay.", confidence=0.8)
    return Outcome(output=proposal, finished=True, steps=1, usage=Usage())


# --- the workflows, with a control and without -------------------------------------------------


def hierarchy(guard: Any) -> Callable[[bool], Any]:
    def build(on: bool) -> Any:
        return delegate(client(), Lead(LEAD, (HAND,)), guards=[guard] if on else [])

    return build


def deep(on: bool) -> Any:
    """The control is the limit of the depth, the step budget keeps either from going on for ever."""
    lead = Lead(LEAD, recursive=True)
    return delegate(client(), lead, max_depth=2 if on else None, guards=[StepBudget(30)])


def with_service_level(on: bool) -> Any:
    return delegate(client(), Lead(LEAD, (Lead(HAND, (OTHER,), guards=(TimeBox(60.0),) if on else ()), OTHER)))


def panel(on: bool) -> Any:
    return debate(client(), (PRO, CON), rounds=500, guards=[StepBudget(3)] if on else [])


def slow_panel(on: bool) -> Any:
    return debate(client(), (PRO, CON), guards=[TimeBox(60.0)] if on else [])


def bounded_panel(on: bool) -> Any:
    return debate(client(), (PRO, CON), rounds=2 if on else 500)


def gate(folder: Path, task: str, human: Any, **options: Any) -> Any:
    async def passing() -> Any:
        with Store(f"sqlite:///{folder / 'state.db'}") as store:
            return await human_gate(options.pop("propose", proposes), Sink(pays), store=store, human=human, **options)(
                task
            )

    return passing()


def weighing(on: bool) -> Any:
    """The control is a signal from outside the agent, beside its own confidence."""

    async def start(task: str, folder: Path, human: Any = None) -> Any:
        propose = solo(client(), CLERK, Proposal[str])
        return await gate(folder, task, human, propose=propose, triggers=[irreversible()] if on else [])

    return Restartable(start=start, resume=start)


def waiting(on: bool) -> Any:
    async def start(task: str, folder: Path, human: Any = None) -> Any:
        return await gate(folder, task, human, deadline=900.0 if on else None)

    return Restartable(start=start, resume=start)


def acting(on: bool) -> Any:
    """Without the gate: a workflow that asks, and acts on whatever it hears, as often as it hears it."""
    if on:
        return waiting(True)

    async def start(task: str, folder: Path, human: Any = None) -> Any:
        from types import SimpleNamespace

        from dissonance.patterns import log

        async def act(answer: Any) -> None:
            if answer.decision == "approve":
                log.acted("naive", "pay", {"pay": 120}, approved_by=answer.by)

        request = SimpleNamespace(id="pay", summary="Pay.", action={"pay": 120}, reason="", deadline=None, submit=act)
        await act(await human.ask(request))
        return SimpleNamespace(finished=True)

    return Restartable(start=start, resume=start)


# --- what is seen -------------------------------------------------------------------------------


def stop(made: Any) -> Any:
    """Who stopped it, after how many steps, and whether it has something to give back."""
    if made.result is None:
        return made.outcome
    return made.stopped_by, made.result.steps, made.result.output is not None


def time(made: Any) -> Any:
    return made.outcome, "in time" if made.seconds < 100 else "late"


def depth(made: Any) -> Any:
    return made.result.depth


def rounds(made: Any) -> Any:
    return made.outcome if made.result is None else made.result.rounds


def actions(made: Any) -> Any:
    """How often it acted, and how often with a human's approval."""
    done = made.history.actions()
    return len(done), sum(each.data["approved_by"] is not None for each in done)


@dataclass(frozen=True)
class Row:
    pattern: str
    build: Callable[[bool], Any]
    plan: tuple[Rule, ...]
    seen: Callable[[Any], Any]
    on: Any
    off: Any
    human: Any = None


def rows() -> Iterator[Any]:
    again = (Rule(id="f", at=At(agent="lead"), fault=DelegateAgain()),)
    for guard, steps in [(StepBudget(6), 6), (CycleDetector(), 3), (MonotonicProgress(), 5)]:
        on = (guard.name, steps, True)
        yield (
            f"delegate-DelegateAgain-{guard.name}",
            Row("delegate", hierarchy(guard), again, stop, on, "stopped_by_harness"),
        )
    yield "delegate-DelegateAgain-max_depth", Row("delegate", deep, again, depth, 2, 29)
    slow = (Rule(id="f", at=At(agent="other"), when=When(call=1), fault=SlowReply(seconds=400)),)
    yield (
        "delegate-SlowReply-service level",
        Row("delegate", with_service_level, slow, time, ("completed", "in time"), ("completed", "late")),
    )
    words = (Rule(id="f", at=At(agent="con"), fault=Paraphrase()),)
    yield (
        "debate-Paraphrase-step_budget",
        Row("debate", panel, words, stop, ("step_budget", 3, False), "stopped_by_harness"),
    )
    yield "debate-Paraphrase-rounds", Row("debate", bounded_panel, words, rounds, 2, "stopped_by_harness")
    slow = (Rule(id="f", at=At(agent="con"), fault=SlowReply(seconds=400)),)
    yield (
        "debate-SlowReply-time_box",
        Row("debate", slow_panel, slow, time, ("completed", "in time"), ("completed", "late")),
    )
    yes = ScriptedHuman()
    sure = (Rule(id="f", at=At(agent="clerk"), fault=Overconfident(confidence=0.99)),)
    yield "human_gate-Overconfident-triggers", Row("human_gate", weighing, sure, actions, (1, 1), (1, 0), yes)
    never = (Rule(id="f", fault=NeverAnswers()),)
    yield (
        "human_gate-NeverAnswers-deadline",
        Row("human_gate", waiting, never, lambda made: made.outcome, "completed", "stopped_by_harness", yes),
    )
    late = (Rule(id="f", fault=LateAnswer(seconds=1000)),)
    yield "human_gate-LateAnswer-deadline", Row("human_gate", waiting, late, actions, (0, 0), (1, 1), yes)
    for fault in (DuplicateAnswer(after=0.0), Crash(place="action", down=60.0)):
        plan = (Rule(id="f", when=When(call=1), fault=fault),)
        yield f"human_gate-{type(fault).__name__}-once", Row("human_gate", acting, plan, actions, (1, 1), (2, 2), yes)


TABLE = dict(rows())


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("name", TABLE)
def test_off_it_fails_as_expected_and_on_it_holds(name: str, on: bool) -> None:
    row = TABLE[name]
    limits = Limits(calls=150, seconds=2 * 86_400)
    made = run(row.build(on), TASK, plan=row.plan, human=row.human, limits=limits, baseline=False, store=None)
    assert made.faults["f"].fired, "the fault did not fire"
    assert row.seen(made) == (row.on if on else row.off)


@pytest.mark.parametrize(
    "fault",
    [
        ContradictoryAnswers(after=0.0),
        ContradictoryAnswers(after=30.0),
        RestartWhilePaused(down=600.0),
        Crash(place="checkpoint"),
        Crash(place="action"),
    ],
    ids=["contradicted at once", "contradicted later", "restarted", "died as it saved", "died as it acted"],
)
def test_whatever_the_human_and_the_process_do_it_acts_once(fault: Any) -> None:
    plan = [Rule(id="f", when=When(call=1), fault=fault)]
    made = run(waiting(True), TASK, plan=plan, human=ScriptedHuman(), baseline=False, store=None)
    assert made.error is None, made.error
    assert (made.faults["f"].fired, actions(made), made.result.finished) == (1, (1, 1), True)


def test_the_deadline_runs_on_while_the_process_is_away() -> None:
    plan = [Rule(id="f", fault=RestartWhilePaused(down=3600.0))]
    made = run(waiting(True), TASK, plan=plan, human=ScriptedHuman(), baseline=False, store=None)
    assert (actions(made), made.result.reason) == ((0, 0), "rejected: nobody answered in time")


@pytest.mark.parametrize("build", [hierarchy(StepBudget(6)), deep, with_service_level, panel, weighing, waiting])
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_without_a_fault_each_completes(build: Callable[[bool], Any], on: bool) -> None:
    made = run(build(on), TASK, human=ScriptedHuman(), baseline=False, store=None)
    assert made.error is None, made.error
    assert (made.outcome, made.result.finished) == ("completed", True)


def test_a_refusal_costs_a_branch_and_a_voice_and_no_more() -> None:
    refuses = [Rule(id="f", at=At(agent="other"), fault=Refusal())]
    made = run(lambda task: with_service_level(False)(task), TASK, plan=refuses, baseline=False, store=None)
    assert made.result.finished
    assert {failure.path[-1] for failure in made.result.failures()} == {"other"}
