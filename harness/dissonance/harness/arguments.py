"""What ``run()`` was given, made into an :class:`~.perform.Order`, or refused with the remedy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .agents import Agents, checked_agents
from .call import Interceptor, LiveModel, Model, Plan, is_interceptor, is_live, is_model
from .errors import BadInput
from .limits import Limits
from .models import Gullible
from .perform import Order
from .runtimes import adapted
from .workflow import check_workflow, name_of

__all__ = ["order_of"]


def order_of(
    workflow: Any,
    task: Any,
    *,
    plan: Plan | Sequence[Interceptor] | None,
    model: Model | LiveModel | None,
    seed: int,
    limits: Limits | None,
    agents: Agents | None,
    human: Any,
    allow_hosts: Collection[str],
) -> Order:
    """The order. Raises BadInput for the first argument that cannot be used."""
    workflow = adapted(workflow) or workflow
    return Order(
        workflow=check_workflow(workflow),
        name=name_of(workflow),
        task=task,
        rules=_rules(plan),
        schedule=_schedule(getattr(plan, "schedule", None)),
        model=_model(Gullible() if model is None else model),
        seed=_seed(seed),
        limits=_limits(limits),
        agents=checked_agents(agents),
        human=human,
        allow_hosts=_hosts(allow_hosts),
    )


def _rules(plan: Plan | Sequence[Interceptor] | None) -> tuple[Interceptor, ...]:
    given: Any = () if plan is None else getattr(plan, "rules", plan)
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise BadInput(f"plan={plan!r}: give a FaultPlan, a list of its rules, or None")
    rules: list[Interceptor] = []
    for number, rule in enumerate(given, 1):
        if not is_interceptor(rule):
            raise BadInput(
                f"plan: rule {number} is {rule!r}; give a Rule, or an object with the methods of Interceptor"
            )
        named = getattr(rule, "named", None)
        rules.append(named(f"r{number}") if not rule.id and callable(named) else rule)
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise BadInput(f"plan: two rules have the id {rule.id!r}; give each its own, or leave the ids out")
        seen.add(rule.id)
    return tuple(rules)


def _schedule(schedule: object) -> int | None:
    if schedule is not None and (isinstance(schedule, bool) or not isinstance(schedule, int)):
        raise BadInput(f"plan.schedule={schedule!r}: give a whole number, or None")
    return schedule


def _model(model: object) -> Model | LiveModel:
    if not is_model(model) and not is_live(model):
        raise BadInput(
            f"model={model!r} is no model: give Gullible(), Scripted(…), or an object with reply() and describe()"
        )
    return model


def _seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadInput(f"seed={seed!r}: give a whole number")
    return seed


def _limits(limits: object) -> Limits:
    if limits is None:
        return _LIMITS
    if not isinstance(limits, Limits):
        raise BadInput(f"limits={limits!r}: give Limits(…), such as Limits(calls=100)")
    return limits


_LIMITS = Limits()


def _hosts(hosts: object) -> tuple[str, ...]:
    if isinstance(hosts, str) or not isinstance(hosts, Collection) or not all(isinstance(h, str) for h in hosts):
        raise BadInput(f"allow_hosts={hosts!r}: give a list of host names, such as ['db.internal']")
    return tuple(sorted(hosts))
