"""Spaces, samples and enumerations: what is drawn is a function of its address, and lies where it may."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from pydantic import ValidationError

from dissonance.faults import CutStream, EmptyContent, Fault, FaultPlan, RejectWork, SlowReply, fault_types, sentence
from dissonance.faults.repertoire import BENIGN_FIRST, Range, possible, repertoire
from dissonance.faults.slots import Slot
from dissonance.faults.space import Space, sample, single_faults
from dissonance.harness.errors import BadInput

SLOTS = tuple(Slot(agent=agent, call=call) for agent in ("writer", "judge") for call in (1, 2))
SLOW = possible(SlowReply(seconds=3600), seconds=Range(mild=1, severe=3600))
EMPTY = possible(EmptyContent())
CUT = possible(CutStream())
SPACE = Space(slots=SLOTS, faults=(SLOW, EMPTY, CUT), probability=0.4)
SEEDS = range(400)


def kinds(plan: FaultPlan) -> set[str]:
    return {rule.fault.kind for rule in plan.rules}


def parts(plan: FaultPlan) -> set[str]:
    """The rules without their ids, which count positions."""
    return {rule.named("r").model_dump_json() for rule in plan.rules}


# --- sampling ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_seed_gives_the_same_plan_in_every_process() -> None:
    code = (
        "from dissonance.faults.space import Space, sample\n"
        "print(sample(Space.at(['writer', 'judge']), 7).to_json(), end='')"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert told == [sample(Space.at(["writer", "judge"]), 7).to_json()] * 2


def test_taking_a_kind_away_leaves_all_other_draws_as_they_were() -> None:
    less = SPACE.model_copy(update={"faults": (SLOW, CUT)})
    for seed in SEEDS:
        whole = sample(SPACE, seed)
        kept = FaultPlan(rules=[rule for rule in whole.rules if rule.fault.kind != "EmptyContent"])
        assert parts(sample(less, seed)) == parts(kept)


def test_taking_a_slot_away_leaves_all_other_draws_as_they_were() -> None:
    less = SPACE.model_copy(update={"slots": SLOTS[1:]})
    for seed in SEEDS:
        kept = {rule for rule in parts(sample(SPACE, seed)) if not _at(rule, SLOTS[0])}
        assert parts(sample(less, seed)) == kept


def _at(rule: str, slot: Slot) -> bool:
    """Whether a rule, as JSON, stands at the first call of this agent (lasting rules from it on name no call)."""
    return f'"agent":"{slot.agent}"' in rule and '"call":2' not in rule and '"from_call":2' not in rule


def test_kinds_are_drawn_before_slots() -> None:
    """Each kind is in about 0.5 x (1 - 0.6^5) of the plans (four slots, and all agents); within five standard errors."""
    there = Counter(kind for seed in SEEDS for kind in kinds(sample(SPACE, seed)))
    expected = 0.5 * (1 - 0.6**5)
    error = (expected * (1 - expected) / len(SEEDS)) ** 0.5
    assert all(
        abs(there[kind] / len(SEEDS) - expected) < 5 * error for kind in ("SlowReply", "EmptyContent", "CutStream")
    )


def test_a_kind_that_is_in_a_plan_strikes_with_its_probability() -> None:
    strikes = [sum(rule.fault.kind == "CutStream" for rule in sample(SPACE, seed).rules) for seed in SEEDS]
    struck = [number for number in strikes if number]
    expected = 5 * 0.4 / (1 - 0.6**5)  # the mean of a binomial that is not 0
    assert abs(sum(struck) / len(struck) - expected) < 5 * (5 * 0.4 * 0.6 / len(struck)) ** 0.5


def test_numbers_are_drawn_within_their_range() -> None:
    faults = [rule.fault for seed in SEEDS for rule in sample(SPACE, seed).rules]
    seconds = sorted(fault.seconds for fault in faults if isinstance(fault, SlowReply))
    assert 1 <= seconds[0] < 30 and 1000 < seconds[-1] <= 3600
    assert all(each == round(each) for each in seconds)


def test_nothing_strikes_where_it_cannot() -> None:
    closed = tuple(slot.model_copy(update={"open_to": ("CutStream",)}) for slot in SLOTS)
    space = SPACE.model_copy(update={"slots": closed})
    assert set.union(*(kinds(sample(space, seed)) for seed in SEEDS)) == {"CutStream"}


@pytest.mark.slow
def test_a_plan_has_three_rules_in_the_mean() -> None:
    space = Space.at(SLOTS)
    sizes = [len(sample(space, seed).rules) for seed in SEEDS]
    assert 2.5 < sum(sizes) / len(sizes) < 3.5


# --- enumerating ------------------------------------------------------------------------------


def test_every_single_fault_is_enumerated_the_simplest_first() -> None:
    plans = single_faults([SLOTS[0], SLOTS[2]], faults=[SLOW, possible(RejectWork())])
    assert [sentence(plan).removeprefix("r1: on ") for plan in plans] == TOLD


TOLD = """
call 1 of agent 'writer', the reply comes 60 s late.
call 1 of agent 'writer', the reply comes 3600 s late.
call 1 of agent 'judge', the reply comes 60 s late.
call 1 of agent 'judge', the reply comes 3600 s late.
call 1 of agent 'writer', the model rejects the work.
call 1 of agent 'judge', the model rejects the work.
every call of agent 'writer', the reply comes 60 s late.
every call of agent 'writer', the reply comes 3600 s late.
every call of agent 'judge', the reply comes 60 s late.
every call of agent 'judge', the reply comes 3600 s late.
every call of agent 'writer', the model rejects the work.
every call of agent 'judge', the model rejects the work.
call 1, the reply comes 60 s late.
call 1, the reply comes 3600 s late.
call 1, the model rejects the work.
every call, the reply comes 60 s late.
every call, the reply comes 3600 s late.
every call, the model rejects the work.
""".strip().splitlines()


def test_the_repertoire_has_every_kind_and_the_benign_families_first() -> None:
    made = {each.fault.kind for each in repertoire()}
    shipped = {name for name, kind in fault_types().items() if kind.__module__.startswith("dissonance.")}
    assert shipped - made == {"SlowBranch"}
    families = [BENIGN_FIRST.index(each.fault.family) for each in repertoire()]
    assert families == sorted(families)


@pytest.mark.parametrize("each", repertoire(), ids=lambda each: each.name)
def test_each_stands_in_its_severest_form(each: object) -> None:
    for name, span in each.ranges.items():  # type: ignore[attr-defined]
        assert getattr(each.fault, name) == span.severe  # type: ignore[attr-defined]


# --- errors -----------------------------------------------------------------------------------


def test_two_faults_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two faults are called 'CutStream'"):
        Space(slots=SLOTS, faults=(CUT, possible(CutStream(after=0))))


def test_a_range_that_the_fault_cannot_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        possible(SlowReply(seconds=1), seconds=Range(mild=0, severe=1))
    with pytest.raises(ValidationError, match="has no field 'tokens'"):
        possible(SlowReply(seconds=1), tokens=Range(mild=0, severe=1))


@pytest.mark.parametrize("agents", [[1], [""], [None]], ids=repr)
def test_what_is_no_agent_is_refused(agents: list[str]) -> None:
    with pytest.raises(BadInput, match="neither an agent's name nor a Slot"):
        list(single_faults(agents))


def test_a_name_that_looks_like_a_glob_stands_for_itself() -> None:
    fault: Fault = EmptyContent()
    assert Slot(agent="scout[1]").rule(fault).at.agent == "scout[[]1]"
