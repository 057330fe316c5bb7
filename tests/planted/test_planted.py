"""Bugs planted in small workflows: the search finds each, and shrinks to exactly the smallest plan that shows it."""

from __future__ import annotations

import pytest
from planted import PLANTED, TASK, Planted

from dissonance.faults import FaultPlan, sentence
from dissonance.faults.minimal import find_minimal
from dissonance.harness import Limits

LIMITS = Limits(calls=120)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_smallest_plan_is_found(bug: Planted) -> None:
    found = find_minimal(bug.flow(False), bug.checks, task=TASK, limits=LIMITS)
    assert found.plan is not None, str(found)
    assert sentence(found.plan) == sentence(FaultPlan(rules=bug.rules))
    assert found.plan == FaultPlan(rules=bug.rules)
    assert "fail" in {verdict.status for verdict in found.verdicts}


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_repaired_twin_holds(bug: Planted) -> None:
    found = find_minimal(bug.flow(True), bug.checks, task=TASK, limits=LIMITS, runs=250)
    assert (found.plan, found.problem, found.complete) == (None, None, True), str(found)
