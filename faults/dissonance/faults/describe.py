"""A plan for people: as English sentences, and as Python to paste into a test."""

from __future__ import annotations

from .plan import FaultPlan

__all__ = ["as_python", "sentence"]


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
