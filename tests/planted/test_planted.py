"""Bugs planted in small workflows: the search finds each, and shrinks to exactly the smallest plan that shows it."""

from __future__ import annotations

import pytest
from planted import PLANTED, TASK, Planted

from dissonance.faults import FaultPlan, Minimal, Space, find_minimal, repertoire, sentence, slots_of
from dissonance.harness import Limits

LIMITS = Limits(calls=120)


def searched(bug: Planted, repaired: bool, sampled: int = 1000) -> Minimal:
    """Every single fault of its families, and so many other plans."""
    known = repertoire(bug.families)
    space = Space(slots=slots_of(bug.flow(repaired), TASK, faults=known, human=bug.human), faults=known)
    runs = sum(1 for _ in space.strikes()) + sampled
    return find_minimal(bug.flow(repaired), bug.checks, space, task=TASK, limits=LIMITS, human=bug.human, runs=runs)


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
    found = searched(bug, repaired=True, sampled=20)
    assert (found.plan, found.problem, found.complete) == (None, None, True), str(found)
