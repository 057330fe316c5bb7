"""The supervisor: what it accepts, what it does with what it doesn't, and what stops it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import count, repeat
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from dissonance.patterns import (
    JUDGE,
    Agent,
    CycleDetector,
    Escalated,
    EscalationPolicy,
    Grounding,
    Guard,
    MonotonicProgress,
    Outcome,
    Provenance,
    SelfReportedBudget,
    Signal,
    Source,
    StepBudget,
    Supervised,
    Unfinished,
    Usage,
    Worker,
    conforms,
    contains,
    supervise,
    worker,
)

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

WORKER = Agent("worker", "Write the notice.")
SECOND = Agent("second", "Write the notice.")
THIRD = Agent("third", "Write the notice.")
NAMES_DATE = contains("May 1")


def proven(task: str, output: str) -> Signal:
    """A test suite: decisive when it passes."""
    return Signal("May 1" in output, "test_date failed", decisive=True)


def path(result: Supervised[Any]) -> list[tuple[str, str]]:
    return [(attempt.worker, attempt.decision) for attempt in result.attempts]


def drafts() -> Any:
    """A worker that says something new each time."""
    return (f"draft {number}" for number in count(1))


# --- the gate ---------------------------------------------------------------------------------


def test_accepted_at_first(wire: Wire) -> None:
    review = supervise(wire({"worker": ["The notice."], "judge": [wire.rule("accept")]}), workers=[WORKER], judge=JUDGE)
    result = asyncio.run(review("Write."))
    assert (result.output, result.accepted_by, result.stopped_by, result.usage.calls) == (
        "The notice.",
        "judge",
        None,
        2,
    )
    assert (result.require(), path(result)) == ("The notice.", [("worker", "accept")])


def test_retry_carries_the_specific_feedback_and_the_last_attempt(wire: Wire) -> None:
    client = wire(
        {"worker": ["A notice.", "From May 1."], "judge": [wire.rule("retry", "Name the date."), wire.rule("accept")]}
    )
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE)("Write."))
    assert path(result) == [("worker", "retry"), ("worker", "accept")]
    assert wire.prompts("worker") == [
        "Write.",
        "<task>\nWrite.\n</task>\n\n"
        "<previous_attempt>\nA notice.\n</previous_attempt>\n\n"
        "<feedback>\nName the date.\n</feedback>\n\n"
        "The last attempt was rejected. Do the whole task again and put right what the feedback names.",
    ]
    assert wire.prompts("judge")[1] == "<task>\nWrite.\n</task>\n\n<output>\nFrom May 1.\n</output>"


def test_a_reassigned_task_starts_from_the_feedback_not_from_the_failed_attempt(wire: Wire) -> None:
    client = wire(
        {"worker": ["Bad."], "second": ["Good."], "judge": [wire.rule("reassign", "Off topic."), wire.rule("accept")]}
    )
    result = asyncio.run(supervise(client, workers=[WORKER, SECOND], judge=JUDGE)("Write."))
    assert path(result) == [("worker", "reassign"), ("second", "accept")]
    prompt = wire.prompts("second")[0]
    assert ("Off topic." in prompt, "Bad." in prompt) == (True, False)


def test_a_worker_rejected_too_often_loses_the_task_and_each_gets_its_turn(wire: Wire) -> None:
    client = wire(dict.fromkeys(["worker", "second", "third"], repeat("no date")))
    review = supervise(client, workers=[WORKER, SECOND, THIRD], checks=[NAMES_DATE], guards=[StepBudget(7)])
    assert path(asyncio.run(review("Write."))) == [
        ("worker", "retry"),
        ("worker", "reassign"),
        ("second", "retry"),
        ("second", "reassign"),
        ("third", "retry"),
        ("third", "reassign"),
        ("worker", "retry"),
    ]


def test_a_reassigned_task_never_stays_where_it_is(wire: Wire) -> None:
    """Not even with the worker that has tried it least."""
    rulings = [wire.rule("retry"), wire.rule("retry"), wire.rule("reassign"), wire.rule("accept")]
    client = wire({"worker": repeat("a"), "second": repeat("b"), "judge": rulings})
    result = asyncio.run(supervise(client, workers=[WORKER, SECOND], judge=JUDGE)("Write."))
    assert path(result) == [("worker", "retry"), ("worker", "reassign"), ("second", "reassign"), ("worker", "accept")]


def test_in_a_pool_of_one_the_task_stays(wire: Wire) -> None:
    client = wire({"worker": ["a", "b", "c", "May 1"], "judge": [wire.rule("reassign"), *[wire.rule("accept")] * 3]})
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, checks=[])("Write."))
    assert path(result) == [("worker", "reassign"), ("worker", "accept")]


def test_escalation_is_a_dead_letter_and_asks_a_human(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    client = wire(
        {"worker": ["a", "b"], "judge": [wire.rule("retry", "No."), wire.rule("escalate", "Needs a lawyer.")]}
    )
    letters: list[Supervised[str]] = []
    review = supervise(client, workers=[WORKER], judge=JUDGE, dead_letter=letters.append)
    with caplog.at_level(logging.WARNING, logger="dissonance.patterns"):
        result = asyncio.run(review("Write."))
    assert letters == [result]
    assert (result.accepted, result.escalated, result.output, result.reason) == (False, True, "b", "Needs a lawyer.")
    assert [attempt.output for attempt in result.attempts] == ["a", "b"]
    assert [vars(record)["event"] for record in caplog.records] == [
        {"kind": "ask", "agent": "worker", "reason": "Needs a lawyer.", "task": "Write.", "attempts": 2}
    ]
    with pytest.raises(Escalated, match="not finished after 2 steps: Needs a lawyer"):
        result.require()


def test_a_failed_signal_rejects_whatever_the_judge_would_say(wire: Wire) -> None:
    """The judge, which would accept anything, is not even asked about the first output."""
    client = wire({"worker": ["soon", "May 1"], "judge": repeat(wire.rule("accept"))})
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, checks=[NAMES_DATE])("Write."))
    assert (result.output, result.accepted_by, wire.agents) == ("May 1", "judge", ["worker", "worker", "judge"])
    assert "The output must contain 'May 1'." in wire.prompts("worker")[1]


def test_a_decisive_signal_accepts_whatever_the_judge_would_say(wire: Wire) -> None:
    client = wire({"worker": ["May 1"], "judge": repeat(wire.rule("retry"))})
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, checks=[proven])("Write."))
    assert (result.output, result.accepted_by, wire.agents) == ("May 1", "signals", ["worker"])


def test_a_decisive_signal_does_not_outweigh_a_failed_one(wire: Wire) -> None:
    client = wire({"worker": ["May 1", "ACME, May 1"]})
    result = asyncio.run(supervise(client, workers=[WORKER], checks=[proven, contains("ACME")])("Write."))
    assert path(result) == [("worker", "retry"), ("worker", "accept")]


def test_a_signal_that_is_only_necessary_leaves_the_rest_to_the_judge(wire: Wire) -> None:
    client = wire(
        {"worker": ["May 1", "May 1, please"], "judge": [wire.rule("retry", "Be kind."), wire.rule("accept")]}
    )
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, checks=[NAMES_DATE])("Write."))
    assert (result.output, result.accepted_by) == ("May 1, please", "judge")


def test_without_a_judge_passing_all_signals_is_acceptance(wire: Wire) -> None:
    result = asyncio.run(supervise(wire({"worker": ["May 1"]}), workers=[WORKER], checks=[NAMES_DATE])("Write."))
    assert (result.accepted_by, result.usage.calls) == ("signals", 1)


def test_checks_may_be_async_and_name_all_that_is_wrong(wire: Wire) -> None:
    async def short(task: str, output: str) -> Signal:
        await asyncio.sleep(0)
        return Signal(len(output) < 20, "At most 20 characters.")

    client = wire({"worker": ["A notice that is far too long.", "May 1"]})
    result = asyncio.run(supervise(client, workers=[WORKER], checks=[short, NAMES_DATE])("Write."))
    assert result.attempts[0].judgement.feedback == "At most 20 characters.\nThe output must contain 'May 1'."


def test_a_check_that_crashes_is_no_pass(wire: Wire) -> None:
    def broken(task: str, output: str) -> Signal:
        raise ZeroDivisionError

    review = supervise(wire({"worker": ["May 1"]}), workers=[WORKER], checks=[broken])
    with pytest.raises(ZeroDivisionError):
        asyncio.run(review("Write."))


# --- damage -----------------------------------------------------------------------------------


def test_a_damaged_attempt_is_a_failed_one_whose_defect_is_fed_back(wire: Wire) -> None:
    client = wire({"worker": [wire.say("May 1, and th", "max_tokens"), "May 1"]})
    result = asyncio.run(supervise(client, workers=[WORKER], checks=[NAMES_DATE])("Write."))
    assert [(attempt.output, attempt.judgement.by) for attempt in result.attempts] == [
        (None, "supervisor"),
        ("May 1", "signals"),
    ]
    assert "the reply to agent 'worker' is truncated" in wire.prompts("worker")[1]


def test_a_judge_without_a_usable_ruling_escalates(wire: Wire) -> None:
    client = wire({"worker": ["May 1"], "judge": repeat("Looks great!")})
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE)("Write."))
    assert (result.escalated, result.output, result.usage.calls) == (True, "May 1", 3)
    assert str(result.reason).startswith("The judge gave no usable ruling: the reply to agent 'judge' is unparsable")


# --- guards -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guards", "stopped_by", "steps"),
    [
        pytest.param([StepBudget(5)], "step_budget", 5, id="step budget"),
        pytest.param([CycleDetector()], "cycle_detector", 3, id="cycle detector"),
        pytest.param([MonotonicProgress()], "monotonic_progress", 4, id="monotonic progress"),
        pytest.param(
            [StepBudget(5), MonotonicProgress(), CycleDetector()], "cycle_detector", 3, id="all: the earliest"
        ),
        pytest.param([StepBudget(3, name="outer")], "outer", 3, id="a name of its own"),
    ],
)
def test_a_judge_that_never_accepts_is_stopped(
    wire: Wire, guards: Sequence[Guard], stopped_by: str, steps: int
) -> None:
    client = wire({"worker": repeat("May 1"), "judge": repeat(wire.rule("retry", "Not good enough."))})
    result = asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, checks=[NAMES_DATE], guards=guards)("Write."))
    assert (result.accepted, result.stopped_by, result.steps, len(wire.requests), result.output) == (
        False,
        stopped_by,
        steps,
        2 * steps,
        "May 1",
    )
    with pytest.raises(Unfinished) as caught:
        result.require()
    assert (caught.value.stopped_by, caught.value.outcome) == (stopped_by, result)


@pytest.mark.parametrize(
    ("guards", "stopped_by"),
    [
        pytest.param([], None, id="none"),
        pytest.param([SelfReportedBudget(5)], None, id="the agent's own count"),
        pytest.param([CycleDetector()], None, id="cycle detector: text always new"),
        pytest.param([MonotonicProgress()], "monotonic_progress", id="monotonic progress"),
    ],
)
def test_what_stops_a_worker_whose_text_changes_and_gets_nowhere(
    wire: Wire, guards: Sequence[Guard], stopped_by: str | None
) -> None:
    client = wire({"worker": drafts()}, limit=60)
    review = supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=guards)
    if stopped_by is None:
        with pytest.raises(wire.RanAway):
            asyncio.run(review("Write."))
    else:
        assert asyncio.run(review("Write.")).stopped_by == stopped_by


def test_new_wording_counts_as_progress_where_there_are_no_checks(wire: Wire) -> None:
    """Documented: the default measure can do no better without checks."""
    client = wire({"worker": drafts(), "judge": repeat(wire.rule("retry"))}, limit=60)
    with pytest.raises(wire.RanAway):
        asyncio.run(supervise(client, workers=[WORKER], judge=JUDGE, guards=[MonotonicProgress()])("Write."))


def test_work_that_repeats_once_and_then_succeeds_is_not_stopped(wire: Wire) -> None:
    """Repetition alone is no failure; nor is one step without progress."""
    client = wire({"worker": ["soon", "soon", "ACME", "May 1, ACME"]})
    guards = [CycleDetector(), MonotonicProgress(), StepBudget(10)]
    checks = [NAMES_DATE, contains("ACME")]
    result = asyncio.run(supervise(client, workers=[WORKER], checks=checks, guards=guards)("Write."))
    assert (result.accepted, result.steps) == (True, 4)


def test_a_guard_never_takes_back_an_accepted_output(wire: Wire) -> None:
    client = wire({"worker": ["soon", "May 1"]})
    result = asyncio.run(supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=[StepBudget(2)])("Write."))
    assert (result.accepted, result.stopped_by) == (True, None)


def test_a_stopped_supervisor_gives_its_best_attempt(wire: Wire) -> None:
    client = wire({"worker": ["ACME", "ACME again", "nothing"]})
    checks = [NAMES_DATE, contains("ACME")]
    result = asyncio.run(supervise(client, workers=[WORKER], checks=checks, guards=[StepBudget(3)])("Write."))
    assert (result.output, result.accepted) == ("ACME again", False)


def test_an_agent_is_told_to_report_only_by_the_budget_that_believes_it(wire: Wire) -> None:
    client = wire({"worker": ["May 1"]})
    guards = [StepBudget(4), SelfReportedBudget(4)]
    asyncio.run(supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=guards)("Write."))
    assert wire.requests[0]["system"] == (
        "You are the worker. Write the notice.\n\nYou have 4 steps. Count them, end each reply with the line "
        "'STEP <n> of 4', and stop when they are used up."
    )


def test_an_honest_report_is_believed(wire: Wire) -> None:
    client = wire({"worker": ["x\nSTEP 1 of 2", "y\nSTEP 2 of 2"]})
    review = supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=[SelfReportedBudget(2)])
    assert asyncio.run(review("Write.")).stopped_by == "self_reported_budget"


def test_concurrent_runs_share_a_specification_but_no_state(wire: Wire) -> None:
    """Four runs at once of one pattern with one guard: each has all of its own steps."""
    client = wire({"worker": repeat("soon")})
    review = supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=[CycleDetector(repeats=4)])

    async def four() -> list[Supervised[str]]:
        return await asyncio.gather(*(review(f"task {i}") for i in range(4)))

    assert [(run.stopped_by, run.steps) for run in asyncio.run(four())] == [("cycle_detector", 5)] * 4


# --- workers ----------------------------------------------------------------------------------


def test_concurrent_tasks_go_to_the_least_loaded_worker(wire: Wire) -> None:
    client = wire(dict.fromkeys(["worker", "second", "third"], repeat("May 1")))
    review = supervise(client, workers=[WORKER, SECOND, THIRD], checks=[NAMES_DATE])

    async def at_once() -> list[Supervised[str]]:
        return await asyncio.gather(*(review("Write.") for _ in range(5)))

    workers = [run.attempts[0].worker for run in asyncio.run(at_once())]
    assert workers == ["worker", "second", "third", "worker", "second"]


def test_a_worker_that_is_done_is_free_again(wire: Wire) -> None:
    review = supervise(wire({"worker": repeat("May 1")}), workers=[WORKER, SECOND], checks=[NAMES_DATE])

    async def one_after_the_other() -> list[str]:
        return [(await review("Write.")).attempts[0].worker for _ in range(3)]

    assert asyncio.run(one_after_the_other()) == ["worker"] * 3


def test_a_worker_may_give_typed_output(wire: Wire) -> None:
    class Notice(BaseModel):
        date: str

    def dated(task: str, output: Notice) -> Signal:
        return Signal(output.date == "May 1", "Wrong date.")

    client = wire({"worker": ['{"date": "soon"}', '{"date": "May 1"}']})
    result = asyncio.run(supervise(client, workers=[worker(client, WORKER, Notice)], checks=[dated])("Write."))
    assert result.require() == Notice(date="May 1")
    assert '<previous_attempt>\n{\n  "date": "soon"\n}\n</previous_attempt>' in wire.prompts("worker")[1]


def test_patterns_nest_and_an_inner_stop_is_a_failed_attempt(wire: Wire) -> None:
    client = wire({"worker": repeat("soon"), "second": ["May 1"]})
    inner = supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=[StepBudget(2)])
    workers = [Worker("team", inner), worker(client, SECOND)]
    result = asyncio.run(supervise(client, workers=workers, checks=[NAMES_DATE], attempts_per_worker=1)("Write."))
    assert path(result) == [("team", "reassign"), ("second", "accept")]
    assert (result.attempts[0].judgement.feedback, result.usage.calls) == ("all 2 steps are used up", 3)


def test_a_worker_is_any_async_callable(wire: Wire) -> None:
    async def work(prompt: str) -> Outcome[str]:
        return Outcome(output="May 1", finished=True, steps=1, usage=Usage())

    result = asyncio.run(supervise(wire({}), workers=[Worker("code", work)], checks=[NAMES_DATE])("Write."))
    assert (result.require(), wire.requests) == ("May 1", [])


def test_a_schema_check_says_what_is_missing() -> None:
    class Notice(BaseModel):
        date: str
        amount: int

    feedback = "The output is no Notice: date: Field required; amount: Field required"
    assert conforms(Notice)("", "{}") == Signal(False, feedback)
    assert conforms(Notice)("", '{"date": "May 1", "amount": 3}') == Signal(True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"workers": []}, "workers=[]: a pool needs at least one worker", id="no workers"),
        pytest.param(
            {"workers": [WORKER, WORKER]},
            "workers=['worker', 'worker']: give each worker a name of its own",
            id="equal names",
        ),
        pytest.param(
            {"judge": None},
            "checks=() and judge=None: nothing could reject an output; give checks, a judge or both",
            id="no gate",
        ),
        pytest.param({"attempts_per_worker": 0}, "attempts_per_worker=0: give 1 or more", id="no attempts"),
    ],
)
def test_bad_arguments_are_refused(wire: Wire, wrong: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"workers": [WORKER], "judge": JUDGE} | wrong
    with pytest.raises(ValueError) as caught:
        supervise(wire({}), **arguments)
    assert str(caught.value) == message


# --- guards of outputs, escalation, provenance ------------------------------------------------------


def test_a_guard_of_outputs_joins_the_gate_and_the_output_says_who_verified_it(wire: Wire) -> None:
    client = wire({"worker": ["Founded in 1989.", "Founded in 1987."]})
    grounding = Grounding({"founded": r"founded in (\d+)"}, {"founded": "1987"})
    result = asyncio.run(supervise(client, workers=[WORKER], guards=[grounding])("When?"))
    assert (result.require(), len(result.attempts)) == ("Founded in 1987.", 2)
    assert "founded: the source says '1987', the output something else" in wire.prompts("worker")[1]
    assert result.provenance == Provenance(
        by="worker", sources=(Source("founded", verified=True),), verified_by=("grounding",)
    )


def test_an_escalation_policy_gives_the_task_up_to_a_human(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    client = wire({"worker": repeat("soon")})
    told: list[str] = []
    policy = EscalationPolicy((CycleDetector(),), lambda step, reason: told.append(reason))
    with caplog.at_level(logging.WARNING, logger="dissonance.patterns"):
        result = asyncio.run(supervise(client, workers=[WORKER], checks=[NAMES_DATE], guards=[policy])("Write."))
    reason = "cycle_detector: worker is in the same state for the 3rd time"
    assert (result.escalated, result.stopped_by, result.reason, told) == (True, "escalation", reason, [reason])
    assert [vars(record)["event"]["kind"] for record in caplog.records] == ["ask", "guard"]
    with pytest.raises(Escalated):
        result.require()


def test_a_blind_retry_is_the_same_prompt_again(wire: Wire) -> None:
    client = wire({"worker": ["soon", "May 1"]})
    asyncio.run(supervise(client, workers=[WORKER], checks=[NAMES_DATE], informed=False)("Write."))
    assert wire.prompts("worker") == ["Write.", "Write."]
