"""The fault-free run that a faulted one is compared with, kept for the next plan of the same workflow."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .history import canonical, content_hash
from .perform import Order, Performed, perform
from .result import Run
from .same import difference
from .stage import ALONE, Compared, make

__all__ = ["baseline_of"]

_KEPT = 32
_baselines: OrderedDict[Any, Compared] = OrderedDict()


def baseline_of(order: Order, store: Path | None) -> Compared:
    """The fault-free run, made twice at first: one that does not repeat proves nothing."""
    bare = replace(order, rules=(), name=f"{order.name}-baseline")
    key = _key(bare, store)
    found = _baselines.get(key)
    if found is None:
        first = make(bare, ALONE, store, {}, "")
        second = perform(bare)
        found = Compared(first, _unrepeatable(first, second))
        _baselines[key] = found
        if len(_baselines) > _KEPT:
            _baselines.popitem(last=False)
    else:
        _baselines.move_to_end(key)
    return found


def _unrepeatable(first: Run, second: Performed) -> str | None:
    if first.tier == "T3":
        return None
    found = difference(first.history, second.history, first.tier)
    return None if found is None else f"not repeatable: two runs without any fault differ at {found}"


def _key(order: Order, store: Path | None) -> Any:
    task = content_hash(canonical(order.task))
    workflow = order.workflow
    try:
        hash(workflow)
    except TypeError:
        workflow = id(workflow)  # type: ignore[assignment]
    agents = order.agents if callable(order.agents) else canonical(order.agents)
    described = content_hash(canonical([order.model.describe(), asdict(order.limits)]))
    return (workflow, task, described, order.seed, order.schedule, agents, id(order.human), order.allow_hosts, store)
