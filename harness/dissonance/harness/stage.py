"""An order made into a :class:`~.result.Run`, with its folder on disk where one is wanted."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from .call import JsonObject
from .errors import BadInput
from .history import SCHEMA
from .observed import observed
from .perform import Order, Performed, perform
from .result import Run, totals
from .secrets import hidden
from .store import RunFolder, shown
from .world import World

__all__ = ["ALONE", "Compared", "closed", "make", "opened"]


class Compared(NamedTuple):
    """A baseline to compare with, and why it is no use, if so."""

    run: Run | None
    problem: str | None


ALONE = Compared(None, None)
"""No baseline."""


def make(order: Order, compared: Compared, store: Path | None, notes: JsonObject, replay: str) -> Run:
    """Run the order, in a folder below ``store`` (None: in memory alone). ``replay`` is a line with ``{run}`` in it."""
    folder = opened(order, compared, store, notes)
    try:
        performed = perform(order, folder)
    except BaseException as error:
        if folder is not None:
            with suppress(BadInput):  # it is told what ended the run, not also that this could not be stored
                folder.close({"outcome": "crashed", "error": f"{type(error).__name__}: {error}"})
        raise
    return closed(order, performed, compared, notes, folder, replay)


def opened(order: Order, compared: Compared, store: Path | None, notes: JsonObject) -> RunFolder | None:
    """The folder of a run that is about to begin."""
    return None if store is None else RunFolder(store, order.name, _plan(order), _about(order, compared, notes))


def closed(
    order: Order, performed: Performed, compared: Compared, notes: JsonObject, folder: RunFolder | None, replay: str
) -> Run:
    """What was performed as a run; its folder is complete."""
    made = _run_of(order, performed, compared, notes, _plan(order)["rules"])
    if folder is not None:
        made.path = folder.path
        made.replay_line = replay.replace("{run}", shown(folder.path))
        folder.close(_summary(made, order))
    return made


def _plan(order: Order) -> dict[str, Any]:
    plan: dict[str, Any] = {"schema": SCHEMA, "rules": [rule.describe() for rule in order.rules]}
    return plan if order.schedule is None else {**plan, "schedule": order.schedule}


def _run_of(order: Order, performed: Performed, compared: Compared, notes: JsonObject, plan: Any) -> Run:
    exchange, world, history = performed.exchange, performed.world, performed.history
    counts = exchange.counts
    base = compared.run
    if len(order.rules) == 1 and base is not None and world.tier != "T3":
        counts[order.rules[0].id].observed = observed(history, base.history, order.rules[0].id)
    started, sums = history[0], totals(history)
    sums["seconds"] = performed.seconds
    return Run(
        workflow=order.name,
        task=hidden.clean_json(order.task),
        seed=order.seed,
        model=getattr(started, "model", {}),
        plan=tuple(plan),
        schedule=order.schedule,
        outcome=performed.outcome,
        stopped_by=performed.stopped_by,
        result=performed.result,
        error=performed.exception,
        error_text=performed.error,
        history=history,
        tier=world.tier,
        demoted_by=_demotions(world),
        faults=counts,
        baseline=base,
        baseline_problem=compared.problem,
        abandoned=tuple(world.abandoned),
        refused_hosts=tuple(exchange.refused_hosts),
        notes=notes,
        again=lambda: perform(order).history,
        **sums,
    )


def _demotions(world: World) -> tuple[str, ...]:
    if world.escapes:
        return tuple(world.escapes)
    return (f"{world.captured_threads} captured threads",) if world.captured_threads else ()


# --- run.json ---------------------------------------------------------------------------------

_PACKAGES = ("dissonance", "anthropic", "httpx2")


def _about(order: Order, compared: Compared, notes: JsonObject) -> dict[str, Any]:
    base = compared.run
    return {
        "schema": SCHEMA,
        "workflow": order.name,
        "task": order.task,
        "seed": order.seed,
        "model": order.model.describe(),
        "limits": asdict(order.limits),
        "agents": None if order.agents is None or callable(order.agents) else dict(order.agents),
        "allow_hosts": list(order.allow_hosts),
        "versions": {"python": ".".join(map(str, sys.version_info[:3])), **_versions()},
        "baseline": None if base is None else {"run": base.path.name if base.path else None, **_brief(base)},
        "baseline_problem": compared.problem,
        "notes": notes,
    }


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _brief(made: Run) -> dict[str, Any]:
    return {
        "outcome": made.outcome,
        "stopped_by": made.stopped_by,
        "error": made.error_text,
        "totals": {"calls": made.calls, "seconds": made.seconds, "tokens": made.tokens, "usd": made.usd},
        "tier": made.tier,
        "demoted_by": list(made.demoted_by),
    }


def _summary(made: Run, order: Order) -> dict[str, Any]:
    return {
        **_brief(made),
        "abandoned": list(made.abandoned),
        "refused_hosts": list(made.refused_hosts),
        "faults": {rule: asdict(count) for rule, count in made.faults.items()},
    }
