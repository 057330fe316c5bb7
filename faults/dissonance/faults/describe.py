"""A plan for people: as English sentences, and as Python to paste into a test."""

from __future__ import annotations

from collections.abc import Sequence

from dissonance.harness.call import JsonObject
from dissonance.harness.errors import PlanError

from .plan import SCHEMA, FaultPlan

__all__ = ["as_python", "plan_sentence", "sentence"]


def sentence(plan: FaultPlan) -> str:
    """The plan in English, a sentence for each rule, in their order.

    >>> sentence(FaultPlan())
    'Nothing is injected.'
    """
    if not plan.rules:
        return "Nothing is injected."
    return " ".join(f"{rule.id}: {rule.sentence()}." for rule in plan.rules)


def as_python(plan: FaultPlan) -> str:
    """The plan as an expression over the names in ``dissonance.faults``; evaluated, it gives an equal plan.

    >>> from dissonance.faults import At, RejectWork, Rule
    >>> print(as_python(FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork())])))
    FaultPlan(
        rules=[
            Rule(id='r1', at=At(agent='judge'), fault=RejectWork()),
        ]
    )
    """
    if not plan.rules:
        return "FaultPlan()"
    rules = "\n".join(f"        {rule!r}," for rule in plan.rules)
    return f"FaultPlan(\n    rules=[\n{rules}\n    ]\n)"


def plan_sentence(rules: Sequence[JsonObject]) -> str:
    """A stored plan in English, one clause a rule.

    >>> plan_sentence([])
    'No fault is injected.'
    """
    if not rules:
        return "No fault is injected."
    try:
        clauses = [rule.sentence() for rule in FaultPlan.from_data({"schema": SCHEMA, "rules": rules}).rules]
    except PlanError:  # rules of another maker: any interceptor may stand in a plan
        clauses = [f"rule {rule.get('id', '?')}" for rule in rules]
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
