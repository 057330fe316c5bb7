"""``find_minimal``, but for the planted bugs: what it says beside the plan, its budget, and what cannot be searched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from planted import PLANTED, TASK

from dissonance.faults import (
    CutStream,
    EmptyContent,
    FaultPlan,
    Possible,
    Range,
    Refusal,
    Rule,
    Slot,
    SlowReply,
    Space,
    When,
    find_minimal,
    flip_test,
    possible,
)
from dissonance.faults.shrink import Strikes, shrink
from dissonance.faults.space import Strike
from dissonance.harness import Limits, no_silent_damage, terminates
from dissonance.harness.errors import BadInput

BY_NAME = {bug.name: bug for bug in PLANTED}
LIMITS = Limits(calls=60)
SLOW = possible(SlowReply(seconds=3600), seconds=Range(mild=1, severe=3600))
FAULTS = (SLOW, possible(CutStream()), possible(EmptyContent()), possible(Refusal()))
SPACE = Space(slots=tuple(Slot(agent=agent) for agent in "abc"), faults=FAULTS)


def strike(what: Possible, agent: str, *, lasting: bool = False) -> Strike:
    return Strike(what, Slot(agent=agent), lasting, what.fault)


def told(strikes: Strikes) -> list[str]:
    return [each.rule.sentence() for each in strikes]


# --- shrinking --------------------------------------------------------------------------------


def test_a_conjunction_shrinks_to_its_two_faults() -> None:
    """Of seven strikes, two are needed: a delay of more than 100 s at b, and any lost words at c."""

    def fails(strikes: Strikes) -> bool:
        late = any(
            isinstance(each.fault, SlowReply) and each.fault.seconds > 100 and each.slot.agent == "b"
            for each in strikes
        )
        return late and any(
            each.fault.kind in ("EmptyContent", "Refusal") and each.slot.agent == "c" for each in strikes
        )

    found = tuple(strike(what, agent, lasting=True) for what in (FAULTS[0], FAULTS[3], FAULTS[1]) for agent in "bca")[
        :7
    ]
    assert told(shrink(found, fails, SPACE)) == [
        "on call 1 of agent 'b', the reply comes 101 s late",
        "on call 1 of agent 'c', the model answers with empty content",
    ]


def test_the_same_trouble_for_all_shrinks_to_those_that_matter() -> None:
    (everywhere,) = SPACE.everywhere

    def two_of_three(strikes: Strikes) -> bool:
        return sum(each.fault.kind == "CutStream" for each in strikes if each.slot.agent) >= 2 or any(
            each.fault.kind == "CutStream" and each.slot.agent is None for each in strikes
        )

    found = (Strike(FAULTS[1], everywhere, True, FAULTS[1].fault),)
    assert told(shrink(found, two_of_three, SPACE)) == [
        "on call 1 of agent 'a', the reply is cut half-way, cleanly",
        "on call 1 of agent 'b', the reply is cut half-way, cleanly",
    ]


def test_trouble_that_all_must_have_stays_one_rule() -> None:
    (everywhere,) = SPACE.everywhere

    def all_three(strikes: Strikes) -> bool:
        cut = {each.slot.agent for each in strikes if each.fault.kind == "CutStream"}
        return None in cut or len(cut) == 3

    found = (Strike(FAULTS[1], everywhere, True, FAULTS[1].fault),)
    assert told(shrink(found, all_three, SPACE)) == ["on call 1, the reply is cut half-way, cleanly"]


def test_shrinking_never_asks_about_nothing() -> None:
    asked: list[int] = []

    def fails(strikes: Strikes) -> bool:
        asked.append(len(strikes))
        return True

    assert told(shrink(tuple(strike(what, "a") for what in FAULTS), fails, SPACE)) == [
        "on call 1 of agent 'a', the reply comes 1 s late"
    ]
    assert min(asked) == 1


# --- beside the plan --------------------------------------------------------------------------


def test_the_flip_test_names_the_rules_that_save_the_run() -> None:
    rules = [Rule(id=name, when=When(call=1), fault=EmptyContent()) for name in ("a", "b", "c")]

    def fails(some: Sequence[Rule]) -> bool:
        return {"a", "c"} <= {rule.id for rule in some}

    assert [(flip.rule, flip.saves) for flip in flip_test(rules, fails)] == [("a", True), ("b", False), ("c", True)]


def test_the_worst_is_shown_beside_the_smallest() -> None:
    """A delay of 597 s is enough to be late by a second; the worst one seen was late by more."""
    bug = BY_NAME["no_time_box"]
    found = find_minimal(bug.flow(False), [terminates(within_seconds=100)], task=TASK, limits=LIMITS)
    assert found.plan is not None and found.run is not None
    worst = {each.name: each for each in found.worst}
    assert found.run.seconds < 102 < worst["seconds"].value
    assert "Worst seconds seen: 1,801 (r1: on call 1 of agent 'writer', the reply comes 3600 s late.)" in str(
        found
    ) or (worst["seconds"].value < 1_801)
    assert found.to_json()["worst"]["seconds"]["value"] == worst["seconds"].value


def test_the_smallest_run_alone_is_stored(tmp_path: Path) -> None:
    bug = BY_NAME["refusal_taken_for_answer"]
    found = find_minimal(bug.flow(False), bug.checks, task=TASK, limits=LIMITS, store=tmp_path)
    assert found.run is not None and found.run.path is not None
    assert FaultPlan.load(found.run.path / "plan.json") == found.plan
    assert str(found).endswith(f"Replay: {found.run.replay_line}")
    assert (
        len([each for each in tmp_path.iterdir() if each.is_dir() and not each.is_symlink()]) == 2
    )  # and its baseline


@pytest.mark.slow
def test_a_search_repeats() -> None:
    bug = BY_NAME["no_quorum"]
    one, other = (find_minimal(bug.flow(False), bug.checks, task=TASK, limits=LIMITS).to_json() for _ in range(2))
    assert one == other


def test_the_budget_is_kept() -> None:
    made: list[int] = []
    bug = BY_NAME["no_cap"]
    options: dict[str, Any] = {"task": TASK, "limits": LIMITS, "told": lambda done, most, what: made.append(done)}
    found = find_minimal(bug.flow(True), bug.checks, runs=20, **options)
    assert (found.plan, found.runs, found.complete, made) == (None, 20, False, list(range(1, 21)))


# --- what cannot be searched ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workflow", "problem"),
    [
        (lambda task: task, "nothing to strike: the workflow makes no call"),
        (lambda task: dict[str, str]()["x"], "baseline broken: without any fault the workflow failed (KeyError: 'x')"),
    ],
    ids=["no-call", "broken"],
)
def test_what_cannot_be_searched_says_why(workflow: Any, problem: str) -> None:
    found = find_minimal(workflow, [terminates()], task=TASK)
    assert (found.plan, found.problem, str(found)) == (None, problem, f"nothing was searched: {problem}")


def test_a_check_that_fails_without_faults_is_no_bug_of_theirs() -> None:
    found = find_minimal(BY_NAME["no_cap"].flow(True), [terminates(within_calls=1)], task=TASK)
    assert found.problem is not None and found.problem.startswith(
        "baseline broken: without any fault, too: took 2 calls"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checks": []}, r"find_minimal\(checks=\[\]\): give a list of checks"),
        ({"checks": [terminates()], "runs": 0}, r"find_minimal\(runs=0\): give a whole number above 0"),
        ({"checks": [no_silent_damage()], "plan": None}, r"find_minimal\(plan=…, baseline=…\): the search makes"),
    ],
    ids=["checks", "runs", "plan"],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        find_minimal(lambda task: task, **arguments)
