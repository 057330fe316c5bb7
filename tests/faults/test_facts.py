"""The bank of claims: each can be told from its twin, in every form that is given for it."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import get_args

import pytest

from dissonance.faults import FaultPlan, Rule, SeedClaim
from dissonance.faults.facts import facts
from dissonance.harness.claims import Claim, Twin, occurs
from dissonance.harness.surface import tokens

TWINS: tuple[Twin, ...] = get_args(Twin)
BY_ID = [pytest.param(claim, id=claim.id) for claim in facts()]


def test_there_are_enough_of_them_over_several_domains() -> None:
    topics = Counter(claim.topic for claim in facts())
    assert len(facts()) >= 60
    assert len(topics) >= 8 and min(topics.values()) >= 4


def test_none_is_there_twice() -> None:
    assert len({claim.id for claim in facts()}) == len(facts())
    said = [tokens(form) for claim in facts() for twin in TWINS for form in claim.forms(twin)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("claim", BY_ID)
def test_a_claim_is_found_in_its_own_forms_and_not_in_its_twins(claim: Claim) -> None:
    for twin, other in permutations(TWINS, 2):
        assert len(claim.forms(twin)) >= 2
        for form in claim.forms(twin):
            assert occurs(claim, f"As is known, {form}", twin), form
            assert not occurs(claim, f"As is known, {form}", other), form


@pytest.mark.parametrize("claim", BY_ID)
def test_the_twins_are_of_one_length(claim: Claim) -> None:
    assert len(claim.true.split()) == len(claim.false.split())


def test_no_claim_is_found_in_another() -> None:
    everything = {(claim.id, twin): form for claim in facts() for twin in TWINS for form in claim.forms(twin)}
    crossed = [
        (claim.id, id)
        for claim in facts()
        for (id, _), form in everything.items()
        if id != claim.id and any(occurs(claim, form, twin) for twin in TWINS)
    ]
    assert crossed == []


def test_each_survives_being_seeded_by_a_plan_in_json() -> None:
    plan = FaultPlan(rules=[Rule(fault=SeedClaim(claim=claim)) for claim in facts()])
    assert FaultPlan.from_json(plan.to_json()) == plan
