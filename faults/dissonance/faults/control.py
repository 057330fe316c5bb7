"""The control arm of a plan that plants claims: the same plan, the true twin in each false one's place.

A claim that vanishes as often when it is true was lost on its way, not caught; only the two arms side by
side tell that. The check ``cascade(control=…)`` takes the run of this arm.
"""

from __future__ import annotations

from dissonance.harness.errors import BadInput

from .hallucination import SeedClaim
from .plan import FaultPlan
from .rule import Rule

__all__ = ["control_arm"]


def control_arm(plan: FaultPlan) -> FaultPlan:
    """This plan with the true twin wherever it plants a false claim; all else, places and schedule too, as it is.

    :raises BadInput: it plants no false claim.
    """
    rules = tuple(_true(rule) for rule in plan.rules)
    if rules == tuple(plan.rules):
        raise BadInput("control_arm: the plan plants no false claim; give one with SeedClaim(claim=…) in it")
    return plan.model_copy(update={"rules": rules})


def _true(rule: Rule) -> Rule:
    if not isinstance(rule.fault, SeedClaim) or rule.fault.twin == "true":
        return rule
    return rule.model_copy(update={"fault": rule.fault.model_copy(update={"twin": "true"})})
