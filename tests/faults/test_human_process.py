"""The families ``human`` and ``process``: what each does to a workflow, and that it takes effect."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import unlisted

from dissonance.faults import (
    At,
    ContradictoryAnswers,
    Crash,
    DuplicateAnswer,
    Family,
    Fault,
    FaultPlan,
    LateAnswer,
    NeverAnswers,
    RestartWhilePaused,
    Rule,
    When,
    fault_types,
    sentence,
)
from dissonance.harness import (
    After,
    Answer,
    PlanError,
    Restartable,
    Run,
    ScriptedHuman,
    record_action,
    record_checkpoint,
    run,
    terminates,
)

DEADLINE = 900.0


async def say(system: str, text: str) -> str:
    async with AsyncAnthropic(api_key="k") as client:
        message = await client.messages.create(
            model="claude-sonnet-4-6", max_tokens=100, system=system, messages=[{"role": "user", "content": text}]
        )
    return "".join(block.text for block in message.content if block.type == "text")


# --- the workflows ----------------------------------------------------------------------------


@dataclass
class Request:
    """A request with a door; what comes through it is acted on at once, as a careless gate would."""

    id: str
    action: Any
    summary: str = "refund 40 dollars"
    reason: str = "above the limit"
    deadline: float | None = DEADLINE
    got: list[Any] = field(default_factory=list)

    async def submit(self, answer: Any) -> None:
        self.got.append(answer)
        record_action(self.id, decision=answer.decision)


async def refund(task: str, human: Any) -> str:
    await say("You are the clerk.", task)
    request = Request("refund-7", {"amount": 40})
    try:
        answer = await asyncio.wait_for(human.ask(request), DEADLINE)
    except TimeoutError:
        return "nobody decided"
    record_action(request.id, decision=answer.decision)
    return f"{answer.decision} by {answer.by}"


async def staged(task: str, folder: Path, human: Any = None) -> list[str]:
    """Three stages, each saved when it is done; the last is approved by a human, if there is one."""
    for stage in ("plan", "draft", "edit"):
        if not (folder / stage).exists():
            (folder / stage).write_text(await say(f"You are the {stage} writer.", task))
            record_checkpoint(stage)
    if human is not None:
        await human.ask(Request("publish", None))
        record_action("publish")
    return sorted(path.name for path in folder.iterdir())


STAGED = Restartable(staged, staged)


def played(fault: Fault, workflow: Any, at: At, when: When, **options: Any) -> Run:
    return run(
        workflow, "x", plan=FaultPlan(rules=[Rule(id="r", at=at, when=when, fault=fault)]), store=None, **options
    )


# --- conformance ------------------------------------------------------------------------------


ROWS: list[tuple[Fault, Any, At]] = [
    (NeverAnswers(), refund, At()),
    (LateAnswer(seconds=2000), refund, At(text="amount")),
    (DuplicateAnswer(), refund, At()),
    (DuplicateAnswer(after=0), refund, At()),
    (ContradictoryAnswers(after=7200), refund, At()),
    (Crash(), STAGED, At(agent="draft*")),
    (Crash(place="call"), STAGED, At(agent="draft*")),
    (Crash(place="action"), STAGED, At()),
    (RestartWhilePaused(), STAGED, At()),
]


def takes_effect(fault: Fault, workflow: Any, at: At) -> None:
    done = played(fault, workflow, at, When(call=1), human=ScriptedHuman())
    assert done.baseline is not None and (done.baseline.outcome, done.baseline_problem) == ("completed", None)
    count = done.faults["r"]
    assert (count.fired, count.reached, count.changed, count.observed, done.tier) == (1, 1, 1, 1, "T1"), fault
    assert done.same_twice is None


@pytest.mark.parametrize(("fault", "workflow", "at"), ROWS, ids=[repr(row[0]) for row in ROWS])
def test_a_fault_takes_effect(fault: Fault, workflow: Any, at: At) -> None:
    takes_effect(fault, workflow, at)


def test_every_fault_of_both_families_has_a_row() -> None:
    ours = {fault.__name__ for fault in fault_types().values() if fault.family in ("human", "process")}
    assert {row[0].kind for row in ROWS} == ours


@unlisted
class Shrug(Fault):
    """Says that it fired, and leaves the answers as they are."""

    family: ClassVar[Family] = "human"

    def on_answers(self, ask: Any, answers: Any, past: Any, rule: str) -> Any:
        return answers


def test_a_fault_that_does_nothing_fails_the_suite() -> None:
    with pytest.raises(AssertionError, match="Shrug"):
        takes_effect(Shrug(), refund, At())


# --- the human --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "result", "seconds", "actions"),
    [
        (None, "approve by reviewer", 60, ["approve"]),
        (NeverAnswers(), "nobody decided", DEADLINE, []),
        (LateAnswer(seconds=30), "approve by reviewer", 90, ["approve"]),
        (LateAnswer(seconds=900), "nobody decided", DEADLINE, []),
        (DuplicateAnswer(), "approve by reviewer", 60, ["approve", "approve"]),
        (ContradictoryAnswers(), "approve by reviewer", 60, ["approve", "reject"]),
    ],
    ids=repr,
)
def test_what_a_workflow_makes_of_its_human(
    fault: Fault | None, result: str, seconds: float, actions: list[str]
) -> None:
    plan = FaultPlan() if fault is None else FaultPlan(rules=[Rule(fault=fault)])
    done = run(refund, "x", plan=plan, human=ScriptedHuman(), store=None)
    asked = next(event.at for event in done.history if event.kind == "ask")
    ended = max([event.at for event in done.history if event.kind == "answer"][:1] or [done.seconds])
    assert done.result == result and ended - asked == pytest.approx(seconds)
    assert [event.data["decision"] for event in done.history.actions()] == actions


def test_a_late_answer_that_changes_nothing_is_felt_but_not_observed() -> None:
    done = played(LateAnswer(seconds=30), refund, At(), When(), human=ScriptedHuman())
    assert (done.faults["r"].reached, done.faults["r"].observed) == (1, 0)


def test_a_workflow_that_waits_for_ever_is_a_deadlock() -> None:
    async def patient(task: str, human: Any) -> Any:
        await say("You are the clerk.", task)
        return await human.ask(Request("a", None))

    done = played(NeverAnswers(), patient, At(), When(), human=ScriptedHuman())
    assert (done.outcome, done.stopped_by, done.faults["r"].reached) == ("stopped_by_harness", "deadlock", 1)
    assert done.judge(terminates())[0].status == "fail"


def test_a_second_answer_without_a_door_does_not_reach_the_workflow() -> None:
    @dataclass
    class Closed:
        id: str = "a"

    async def closed(task: str, human: Any) -> Any:
        await say("You are the clerk.", task)
        return (await human.ask(Closed())).decision

    count = played(DuplicateAnswer(), closed, At(), When(), human=ScriptedHuman()).faults["r"]
    assert (count.fired, count.changed, count.reached) == (1, 1, 0)


def test_any_object_that_can_be_asked_is_a_human() -> None:
    class Ada:
        async def ask(self, request: Any) -> Answer:
            await asyncio.sleep(5)
            return Answer("reject", by="Ada")

    assert run(refund, "x", human=Ada(), store=None).result == "reject by Ada"
    late = played(LateAnswer(seconds=100), refund, At(), When(), human=Ada())
    assert late.result == "reject by Ada"
    assert late.seconds - late.baseline.seconds == pytest.approx(100)  # type: ignore[union-attr]


def test_a_rule_of_the_human_reads_as_one() -> None:
    plan = FaultPlan(rules=[Rule(when=When(call=2), fault=NeverAnswers()), Rule(fault=RestartWhilePaused())])
    assert sentence(plan) == (
        "r1: on request 2, the human never answers. "
        "r2: on every request, the process is restarted while it waits for the human, and is away for 3600 s."
    )
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_without_a_human_nothing_fires() -> None:
    async def alone(task: str) -> str:
        return await say("You are the clerk.", task)

    assert played(NeverAnswers(), alone, At(), When()).judge()[0].status == "unknown"


# --- the process ------------------------------------------------------------------------------


def stages_asked(done: Run) -> list[str]:
    return [call.agent.split("-")[0] for call in done.history.calls()]


@pytest.mark.parametrize(
    ("fault", "at", "when", "asked"),
    [
        (Crash(), At(agent="draft*"), When(call=1), ["plan", "draft", "draft", "edit"]),
        (Crash(place="call"), At(agent="draft*"), When(call=1), ["plan", "draft", "draft", "edit"]),
        (Crash(place="checkpoint"), At(), When(call=2), ["plan", "draft", "edit"]),
        (Crash(place="checkpoint", down=5), At(text="edit"), When(), ["plan", "draft", "edit"]),
    ],
    ids=repr,
)
def test_what_was_saved_is_not_done_again(fault: Crash, at: At, when: When, asked: list[str]) -> None:
    done = played(fault, STAGED, at, when)
    assert (done.outcome, done.result, stages_asked(done)) == ("completed", ["draft", "edit", "plan"], asked)
    (restart,) = (event for event in done.history if event.kind == "restarted")
    died = done.history[restart.id - 1]
    assert restart.at - died.at == pytest.approx(fault.down)
    assert [event.at for event in done.history] == sorted(event.at for event in done.history)


def test_an_action_that_nobody_noted_is_done_twice() -> None:
    done = played(Crash(place="action"), STAGED, At(), When(call=1), human=ScriptedHuman())
    assert [event.key for event in done.history.actions()] == ["publish", "publish"]


@pytest.mark.slow
def test_a_process_that_always_dies_is_in_a_crash_loop() -> None:
    done = played(Crash(), STAGED, At(agent="draft*"), When(), baseline=False)
    assert (done.outcome, done.stopped_by) == ("stopped_by_harness", "restarts")
    assert done.judge(terminates())[0].status == "fail"


def test_a_workflow_that_cannot_be_resumed_has_crashed() -> None:
    done = played(Crash(), lambda task: say("You are the clerk.", task), At(), When())
    assert done.outcome == "crashed" and done.error_text == "ProcessDied: rule 'r' ended the process at reply 1"
    (verdict,) = done.judge(terminates())
    assert (verdict.status, verdict.next) == ("unknown", "Give run() a Restartable(start, resume).")


def test_a_pause_that_ends_the_process_is_resumed() -> None:
    @dataclass
    class Paused:
        paused: bool = True

    async def start(task: str, folder: Path) -> Any:
        (folder / "state").write_text(await say("You are the clerk.", task))
        return Paused()

    def resume(task: str, folder: Path) -> str:
        return f"went on from {(folder / 'state').name}"

    workflow = Restartable(start, resume)
    done = played(RestartWhilePaused(down=60), workflow, At(), When())
    assert (done.outcome, done.result) == ("completed", "went on from state")
    assert done.baseline is not None and done.baseline.outcome == "paused"


def swallows(tidied: list[str]) -> Callable[[str], str]:
    def workflow(task: str) -> str:
        client = Anthropic(api_key="k")
        for _ in range(3):
            try:
                client.messages.create(
                    model="claude-sonnet-4-6", max_tokens=9, messages=[{"role": "user", "content": task}]
                )
            except BaseException:
                tidied.append("handled")
        return "went on"

    return workflow


def test_nobody_swallows_the_end_of_the_process() -> None:
    tidied: list[str] = []
    done = played(Crash(), swallows(tidied), At(), When(call=2), baseline=False)
    assert (done.outcome, done.calls, tidied) == ("crashed", 2, [])
    assert sys.exc_info()[1] is None  # and the caller is not left with it as the exception that it handles


def test_tasks_that_wait_when_the_process_dies_do_not_tidy_up() -> None:
    tidied: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(10_000)
        finally:
            tidied.append("tidied")

    async def workflow(task: str) -> None:
        waiting = asyncio.create_task(waits())
        await say("You are the clerk.", task)
        await waiting

    done = played(Crash(), workflow, At(), When(), baseline=False)
    assert (done.outcome, done.abandoned, tidied) == ("crashed", (), [])


def test_a_crash_at_a_checkpoint_has_no_tool() -> None:
    with pytest.raises(PlanError, match=r"Crash\(place='checkpoint'\): at\.tool and at\.endpoint are those of calls"):
        FaultPlan.from_data(
            {"schema": 1, "rules": [{"at": {"tool": "x"}, "fault": {"kind": "Crash", "place": "checkpoint"}}]}
        )


# --- the reviewer -----------------------------------------------------------------------------


def test_a_script_gives_each_request_its_entry_and_the_same_again() -> None:
    reviewer = ScriptedHuman(
        [Answer("approve"), None, (Answer("reject"), After(5, Answer("edit", value=1)))], seconds=60
    )
    decided: list[Any] = []

    async def asks(task: str, human: Any) -> None:
        await say("You are the clerk.", task)
        for name in ("a", "b", "c", "a"):
            try:
                answer = await asyncio.wait_for(human.ask(Request(name, None)), DEADLINE)
                decided.append((name, answer.decision))
            except TimeoutError:
                decided.append((name, None))

    run(asks, "x", human=reviewer, store=None)
    assert decided == [("a", "approve"), ("b", None), ("c", "edit"), ("a", "approve")]
