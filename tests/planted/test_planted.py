"""Bugs planted in small workflows: the search finds each, and shrinks to exactly the smallest plan that shows it."""

from __future__ import annotations

from typing import Any

import pytest
from planted import PLANTED, TASK, Planted

from dissonance.faults import FaultPlan, Minimal, Space, find_minimal, repertoire, sentence, slots_of
from dissonance.harness import Limits

LIMITS = Limits(calls=120)


def searched(bug: Planted, repaired: bool, **options: Any) -> Minimal:
    slots = slots_of(bug.flow(repaired), TASK, faults=repertoire(bug.families), human=bug.human)
    space = Space(slots=slots, faults=repertoire(bug.families))
    return find_minimal(bug.flow(repaired), bug.checks, space, task=TASK, limits=LIMITS, human=bug.human, **options)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_smallest_plan_is_found(bug: Planted) -> None:
    found = searched(bug, repaired=False)
    assert found.plan is not None, str(found)
    assert sentence(found.plan) == sentence(FaultPlan(rules=bug.rules))
    assert found.plan == FaultPlan(rules=bug.rules)
    assert "fail" in {verdict.status for verdict in found.verdicts}


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_repaired_twin_holds(bug: Planted) -> None:
    found = searched(bug, repaired=True, runs=250)
    assert (found.plan, found.problem, found.complete) == (None, None, True), str(found)
