"""Guards, apart from any pattern: when each fires, and that it fires for nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissonance.patterns import (
    CycleDetector,
    EscalationPolicy,
    Guard,
    MonotonicProgress,
    SelfReportedBudget,
    Step,
    StepBudget,
    StepGuard,
    Stop,
    Termination,
    ToolCall,
)
from dissonance.patterns.guards import Rounds


def fires_at(guard: StepGuard, steps: Sequence[Step]) -> int | None:
    """The index, from 1, of the first step at which the guard fires."""
    watch = guard.start()
    return next((step.index for step in steps if watch(step) is not None), None)


def outputs(*texts: str, agent: str = "worker") -> list[Step]:
    return [Step(index=i, agent=agent, action="attempt", task="t", output=text) for i, text in enumerate(texts, 1)]


def calling(*arguments: dict[str, Any]) -> list[Step]:
    return [
        Step(index=i, agent="a", action="tools", task="t", output="", calls=(ToolCall(f"toolu_{i}", "get", given),))
        for i, given in enumerate(arguments, 1)
    ]


def passing(*passed: int) -> list[Step]:
    return [
        Step(index=i, agent="worker", action="attempt", task="t", output=f"draft {i}", passed=n, criteria=4)
        for i, n in enumerate(passed, 1)
    ]


@pytest.mark.parametrize(
    ("guard", "steps", "fires"),
    [
        pytest.param(StepBudget(3), outputs("a", "b", "c", "d"), 3, id="budget: at its last step"),
        pytest.param(StepBudget(3), outputs("a", "b"), None, id="budget: not before"),
        pytest.param(CycleDetector(), outputs("a", "a", "b"), None, id="cycle: one repetition is no failure"),
        pytest.param(CycleDetector(), outputs("a", "a", "a"), 3, id="cycle: the third time"),
        pytest.param(CycleDetector(repeats=1), outputs("a", "b", "a"), 3, id="cycle: the second time, when strict"),
        pytest.param(CycleDetector(), outputs("a", "b", "a", "b", "a"), 5, id="cycle: period 2"),
        pytest.param(CycleDetector(), outputs(*"abcabcabc"), 7, id="cycle: period 3"),
        pytest.param(CycleDetector(), outputs("The draft", "the  DRAFT", "the draft\n"), 3, id="cycle: same but for case"),
        pytest.param(CycleDetector(), outputs("draft 1", "draft 2", "draft 3"), None, id="cycle: numbers count"),
        pytest.param(
            CycleDetector(), calling({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 2}), 3, id="cycle: order of arguments"
        ),
        pytest.param(CycleDetector(), calling({"page": 1}, {"page": 2}, {"page": 3}), None, id="cycle: next page"),
        pytest.param(CycleDetector(key=lambda step: step.agent), outputs("a", "b", "c"), 3, id="cycle: own key"),
        pytest.param(MonotonicProgress(), passing(1, 1, 1, 1), 4, id="progress: none after the baseline"),
        pytest.param(MonotonicProgress(), passing(1, 1, 2, 2, 2, 3), None, id="progress: in time"),
        pytest.param(MonotonicProgress(), passing(2, 1, 2, 1), 4, id="progress: going back and forth is none"),
        pytest.param(MonotonicProgress(patience=1), passing(1, 2, 2), 3, id="progress: impatient"),
        pytest.param(
            MonotonicProgress(measure=lambda step: len(step.output), patience=1), passing(1, 1, 1), 2, id="progress: own measure"
        ),
        pytest.param(SelfReportedBudget(2), outputs("x\nSTEP 1 of 2", "y\nstep 2 of 2"), 2, id="self: an honest count"),
        pytest.param(SelfReportedBudget(2), outputs(*["x\nSTEP 1 of 2"] * 9), None, id="self: a wrong count is believed"),
        pytest.param(SelfReportedBudget(2), outputs(*["x"] * 9), None, id="self: a forgotten count is none"),
    ],
)  # fmt: skip
def test_fires(guard: StepGuard, steps: list[Step], fires: int | None) -> None:
    assert fires_at(guard, steps) == fires


def test_the_same_words_of_two_agents_are_two_states() -> None:
    steps = [*outputs("done", "done"), *outputs("done", "done", agent="judge")]
    assert fires_at(CycleDetector(), steps) is None


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 4))
def test_cycle_detector_against_counting(states: list[str], repeats: int) -> None:
    """It fires at the first state that stands ``repeats`` times before itself."""
    naive = next((i + 1 for i, state in enumerate(states) if states[:i].count(state) == repeats), None)
    assert fires_at(CycleDetector(repeats), outputs(*states)) == naive


@given(st.integers(1, 6), st.integers(1, 4))
def test_a_cycle_of_any_period_is_found_when_it_begins_again(period: int, repeats: int) -> None:
    steps = outputs(*[f"state {i % period}" for i in range(period * (repeats + 2))])
    assert fires_at(CycleDetector(repeats), steps) == period * repeats + 1


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 5))
def test_progress_against_looking_back(passed: list[int], patience: int) -> None:
    """It fires at the first step whose last ``patience`` steps brought no maximum above those before them."""
    naive = next(
        (i + 1 for i in range(patience, len(passed)) if max(passed[i - patience + 1 : i + 1]) <= max(passed[: i - patience + 1])),
        None,
    )  # fmt: skip
    assert fires_at(MonotonicProgress(patience=patience), passing(*passed)) == naive


def test_one_spec_gives_each_run_its_own_watch() -> None:
    guard = CycleDetector()
    first, second = guard.start(), guard.start()
    step = outputs("a")[0]
    seen = [first(step), first(step), second(step), second(step), first(step)]
    assert seen == [None, None, None, None, "worker is in the same state for the 3rd time"]


def test_the_first_guard_to_fire_is_named_and_every_guard_sees_every_step() -> None:
    rounds = Rounds([CycleDetector(), MonotonicProgress(patience=2), StepBudget(3)])
    stops = []
    for _ in range(3):
        rounds.begin()
        stops.append(rounds.check(agent="a", action="attempt", task="t", output="same"))
    assert stops == [None, None, Stop("cycle_detector", "a is in the same state for the 3rd time")]


def test_a_stop_is_logged_as_an_event(caplog: pytest.LogCaptureFixture) -> None:
    rounds = Rounds([StepBudget(1)])
    with caplog.at_level(logging.WARNING, logger="dissonance.patterns"):
        rounds.begin()
        rounds.check(agent="worker", action="attempt", task="t", output="x")
    assert [vars(record)["event"] for record in caplog.records] == [
        {"kind": "guard", "agent": "worker", "guard": "step_budget", "reason": "all 1 steps are used up", "step": 1}
    ]


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: StepBudget(0), "steps=0"),
        (lambda: SelfReportedBudget(-1), "steps=-1"),
        (lambda: CycleDetector(repeats=0), "repeats=0"),
        (lambda: MonotonicProgress(patience=0), "patience=0"),
    ],
    ids=["steps", "self", "repeats", "patience"],
)
def test_a_bound_below_one_is_refused(make: Callable[[], Guard], argument: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == f"{argument}: give 1 or more, or leave the guard out"


# --- termination and escalation -----------------------------------------------------------------


def test_the_first_condition_that_holds_is_named() -> None:
    enough = Termination(
        {"three drafts": lambda step: step.index >= 3, "a long draft": lambda step: len(step.output) > 9}
    )
    watch = enough.start()
    assert [watch(step) for step in outputs("a", "b", "c")] == [None, None, "three drafts holds"]
    assert fires_at(enough, outputs("a", "a very long draft")) == 2
    assert enough.briefing == "The work ends as soon as one of these holds: three drafts; a long draft."


def test_conditions_are_fixed_before_the_start() -> None:
    conditions = {"never": lambda step: False}
    fixed = Termination(conditions)
    conditions["always"] = lambda step: True
    assert fires_at(fixed, outputs("a", "b")) is None
    with pytest.raises(TypeError):
        fixed.conditions["always"] = lambda step: True  # type: ignore[index]


def test_a_policy_asks_a_human_where_its_guards_would_only_stop(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[int, str]] = []
    policy = EscalationPolicy(
        (MonotonicProgress(patience=2), StepBudget(9)), lambda step, reason: told.append((step.index, reason))
    )
    with caplog.at_level(logging.WARNING, logger="dissonance.patterns"):
        assert fires_at(policy, passing(1, 1, 1, 1)) == 3
    reason = "monotonic_progress: no progress for 2 steps: still at 0.25"
    assert told == [(3, reason)]
    assert [vars(record)["event"] for record in caplog.records] == [
        {"kind": "ask", "agent": "worker", "reason": reason, "task": "t", "attempts": 3}
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Termination({}), "conditions={}: give at least one, or leave the guard out"),
        (lambda: EscalationPolicy(()), "on=(): give the guards whose firing a human must hear of"),
    ],
    ids=["termination", "escalation"],
)
def test_a_guard_that_could_never_fire_is_refused(make: Callable[[], Guard], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message
