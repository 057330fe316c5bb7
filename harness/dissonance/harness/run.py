"""``run(workflow, task, …) -> Run``: one workflow, one task, one plan, in a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .agents import Agents
from .arguments import order_of
from .baseline import baseline_of
from .call import Interceptor, LiveModel, Model, Plan, is_live
from .errors import BusyError
from .limits import Limits
from .load import load_run
from .perform import TAMED
from .result import RecordedError, Run
from .runtimes import at_home
from .stage import ALONE, make
from .store import DEFAULT_STORE
from .world import STANDING, current_world, refuse_if_taken

__all__ = ["RecordedError", "Run", "load_run", "many_runs", "run"]


def run(
    workflow: Any,
    task: Any = None,
    *,
    plan: Plan | Sequence[Interceptor] | None = None,
    model: Model | LiveModel | None = None,
    seed: int = 0,
    limits: Limits | None = None,
    agents: Agents | None = None,
    human: Any = None,
    allow_hosts: Collection[str] = (),
    baseline: bool = True,
    store: str | Path | None = DEFAULT_STORE,
    notes: Mapping[str, Any] | None = None,
    replay: str = "dissonance replay {run}",
) -> Run:
    """Run a workflow against the simulated API, with the plan's faults, in virtual time.

    * ``workflow``: a sync or async callable of the task; best a factory, a callable without
      arguments that makes one, since the baseline and every replay run it again.
    * ``plan``: a fault plan, or its rules alone.
    * ``model``: who answers (default ``Gullible()``); ``seed``: of all that is drawn.
    * ``agents``: who is who (see ``agents``); ``human``: handed to a workflow that takes ``human``.
    * ``allow_hosts``: hosts that may really be reached (tier T3).
    * ``baseline``: whether a run with a plan is compared with one without; with a live model it never is.
    * ``store``: where the run's folder is made; None keeps the run in memory.
    * ``notes``: JSON that is stored with the run; ``replay``: the line that replays it, in which
      ``{run}`` is the folder.

    :raises BadInput: an argument cannot be used.
    :raises BusyError: an event loop is running in this thread, or another run is going on in this process.
    """
    order = order_of(
        workflow,
        task,
        plan=plan,
        model=model,
        seed=seed,
        limits=limits,
        agents=agents,
        human=human,
        allow_hosts=allow_hosts,
    )
    _refuse_if_busy()
    where = None if store is None else Path(store)
    repeats = not is_live(order.model)
    compared = baseline_of(order, where) if baseline and order.rules and repeats else ALONE
    return make(order, compared, where, dict(notes or {}), replay)


@contextmanager
def many_runs() -> Iterator[None]:
    """For a block that makes many short runs: what each would set up and put back stands until the block ends.

    A run by itself replaces some eighty functions of clocks, threads, processes and clients. They know whether a run
    is going on, so that the block's own code, other threads and the runs themselves behave as without it. It costs
    as much as a run, and saves that on each; blocks may nest.

    >>> with many_runs():
    ...     seconds = [run(lambda: None, seed=seed, store=None).seconds for seed in range(3)]
    """
    with TAMED, STANDING, at_home():
        yield


def _refuse_if_busy() -> None:
    if current_world() is not None:
        raise BusyError("run() was called inside another run: call the workflow itself there")
    refuse_if_taken()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BusyError(
        "run() was called from a running event loop, but owns its own: call it from a plain function, "
        "or by `await asyncio.to_thread(run, …)`"
    )
