"""Strategies: what they draw is valid, fires where it stands, and shrinks to the smallest plan."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from planted import PLANTED, TASK

from dissonance.faults import At, EmptyContent, Fault, FaultPlan, Rule, SlowReply, fault_types, repertoire, slots_of
from dissonance.faults.facts import facts
from dissonance.faults.repertoire import BENIGN_FIRST
from dissonance.faults.slots import Slot
from dissonance.faults.states import Needle
from dissonance.faults.strategies import (
    claims,
    context_faults,
    fault_plans,
    hallucination_faults,
    human_faults,
    judgement_faults,
    latency_faults,
    loop_faults,
    process_faults,
    quick,
    states,
    steer,
    tasks,
    tool_faults,
    transport_faults,
)
from dissonance.harness import Limits, Run, run
from dissonance.harness.errors import BadInput
from dissonance.harness.judge import asked
from dissonance.harness.wire.estimate import count_text

FAMILIES = {
    "latency": latency_faults,
    "transport": transport_faults,
    "tools": tool_faults,
    "human": human_faults,
    "loops": loop_faults,
    "hallucination": hallucination_faults,
    "judgement": judgement_faults,
    "context": context_faults,
    "process": process_faults,
}
BY_NAME = {bug.name: bug for bug in PLANTED}
LIMITS = Limits(calls=60)


def smallest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool] = lambda value: True) -> Any:
    """What the strategy shrinks to; the same in each run."""
    silent = settings(max_examples=3000, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    return find(strategy, condition, settings=silent, random=random.Random(0))


# --- plans ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["refusal_taken_for_answer", "no_quorum", "waits_for_words"])
def test_hypothesis_shrinks_to_the_smallest_plan(name: str) -> None:
    """Drawing the list of rules: the same plan as that of ``find_minimal``, two faults and numbers included."""
    bug = BY_NAME[name]
    flow = bug.flow(False)
    slots = slots_of(flow, TASK, faults=repertoire(bug.families))
    seen: dict[str, bool] = {}

    def breaks(plan: FaultPlan) -> bool:
        key = plan.to_json()
        if key not in seen:
            made = run(flow, TASK, plan=plan, limits=LIMITS, store=None)
            seen[key] = any(asked(made, check).status == "fail" for check in bug.checks)
        return seen[key]

    assert smallest(fault_plans(slots, families=bug.families), breaks) == FaultPlan(rules=bug.rules)


@given(plan=fault_plans([Slot(agent="writer", open_to=("EmptyContent",)), Slot(agent="judge", open_to=("Stall",))]))
@quick(examples=60)
def test_a_plan_strikes_only_what_it_can(plan: FaultPlan) -> None:
    assert 1 <= len(plan.rules) <= 3
    for rule in plan.rules:
        assert (rule.at.agent, rule.fault.kind) in [
            ("writer", "EmptyContent"),
            ("judge", "Stall"),
            (None, "EmptyContent"),
            (None, "Stall"),
        ]


@given(plan=fault_plans(["writer", "judge"], families=["transport"], max_rules=2))
@quick(examples=60)
def test_names_and_families_are_enough(plan: FaultPlan) -> None:
    assert {rule.fault.family for rule in plan.rules} == {"transport"}
    assert len(plan.rules) <= 2
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_the_smallest_plan_of_all_is_the_most_harmless_one() -> None:
    plan = smallest(fault_plans(["writer", "judge"]))
    assert plan == FaultPlan(rules=[Slot(agent="writer").rule(SlowReply(seconds=1))])


# --- faults, states, tasks, claims ------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_strategy_that_reaches_all_its_kinds(family: str) -> None:
    drawn: set[str] = set()

    @given(fault=FAMILIES[family]())
    @settings(quick(examples=300), phases=[Phase.generate])
    def draw(fault: Fault) -> None:
        drawn.add(fault.kind)

    draw()
    kinds = {
        name
        for name, kind in fault_types().items()
        if kind.__module__.startswith("dissonance.") and kind.family == family
    }
    assert drawn == kinds - {"SlowBranch"}


def test_every_family_has_one() -> None:
    assert set(FAMILIES) == set(BENIGN_FIRST)


@given(text=states(tokens=5_000, needles=[Needle(text="Never send money.", kind="instruction")]))
@quick(examples=10)
def test_a_state_has_the_tokens_asked_for_within_one(text: str) -> None:
    assert abs(count_text(text, "claude-sonnet-5-5") - 5_000) <= 1
    assert "Never send money." in text


@given(task=tasks(max_facts=3))
@quick(examples=30)
def test_a_task_consists_of_true_facts(task: str) -> None:
    assert 1 <= sum(claim.true in task for claim in facts()) <= 3
    assert not any(claim.false in task for claim in facts())


@given(claim=claims(topics=[facts()[0].topic]))
@quick(examples=20)
def test_claims_are_of_the_topics_asked_for(claim: Any) -> None:
    assert claim in facts() and claim.topic == facts()[0].topic


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (lambda: fault_plans("judge"), r"fault_plans\(agents='judge'\): str given; give a list of names or of slots"),
        (lambda: fault_plans([]), r"fault_plans\(agents=\[\]\)|give at least one"),
        (
            lambda: fault_plans(["a"], max_rules=0),
            r"fault_plans\(max_rules=0\): int given; give a whole number above 0",
        ),
        (
            lambda: fault_plans(["a"], families=["x"]),  # type: ignore[list-item]
            r"fault_plans\(families=\['x'\]\): list given; give some of",
        ),
        (lambda: fault_plans(["a"], faults="all"), r"fault_plans\(faults='all'\): str given"),  # type: ignore[arg-type]
        (lambda: fault_plans([Slot(agent="a", open_to=())]), r"slots that one of the faults could strike"),
        (lambda: states(tokens=0), r"states\(tokens=0\): int given; give a whole number from 1 to 2,000,000"),
        (lambda: states(needles=["x"]), r"states\(needles=\['x'\]\): list given"),  # type: ignore[list-item]
        (lambda: tasks(max_facts=True), r"tasks\(max_facts=True\): bool given"),
        (lambda: claims(topics=["alchemy"]), r"claims\(topics=\['alchemy'\]\): list given; give some of"),
    ],
    ids=lambda value: None if callable(value) else value[:24],
)
def test_a_bad_argument_is_named_when_it_is_drawn_from(
    strategy: Callable[[], st.SearchStrategy[Any]], message: str
) -> None:
    made = strategy()  # a strategy may be made anywhere; only drawing raises
    with pytest.raises(BadInput, match=message):
        smallest(made)


# --- steering ---------------------------------------------------------------------------------


def test_steering_discards_what_did_not_fire_and_aims_at_long_runs() -> None:
    flow = BY_NAME["no_cap"].flow(True)
    kept: list[Run] = []

    @given(agent=st.sampled_from(["nobody", "writer"]))
    @quick(examples=20)
    def examples(agent: str) -> None:
        made = run(flow, TASK, plan=[Rule(at=At(agent=agent), fault=EmptyContent())], store=None)
        steer(made)
        steer(made)  # a second run of one example does no harm
        kept.append(made)

    examples()
    assert kept and all(made.faults["r1"].fired for made in kept)


def test_outside_of_a_test_steering_does_nothing() -> None:
    flow = BY_NAME["no_cap"].flow(True)
    steer(run(flow, TASK, plan=[Rule(at=At(agent="nobody"), fault=EmptyContent())], store=None))
