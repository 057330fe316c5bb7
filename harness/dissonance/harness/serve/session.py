"""One run on the server: what :mod:`~dissonance.harness.perform` is to a workflow that is called, for one that calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dissonance.harness.call import LiveModel
from dissonance.harness.errors import BadInput
from dissonance.harness.exchange import Exchange, FaultCount
from dissonance.harness.history import Bodies, History
from dissonance.harness.limits import Switch
from dissonance.harness.perform import Order, concluded, started
from dissonance.harness.process import Process
from dissonance.harness.recorder import Recorder
from dissonance.harness.result import RecordedError, Run, totals
from dissonance.harness.secrets import hidden
from dissonance.harness.stage import ALONE, closed, opened
from dissonance.harness.wire.drivers import Delivery

from .real_time import RealTime

__all__ = ["Session", "Settings", "elsewhere"]

_REPLAY = "dissonance serve --plan {run}/plan.json, then the workflow again"


def elsewhere(task: Any) -> None:
    """What stands for the workflow: it is in another process."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all runs of a server share. ``speed``: simulated seconds to a real one.

    Raises BadInput for a speed that is none.
    """

    order: Order
    store: Path | None
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.speed, int | float) and 0 < self.speed < float("inf")):
            raise BadInput(f"speed={self.speed!r}: give the simulated seconds that pass in a real one, such as 1 or 60")


class Session:
    """A run that goes on until :meth:`end`. Used by one thread at a time: one that ``blocks`` is used by who has
    its ``turn``.

    Rules for a human or for the process never fire: neither is the server's.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        hidden.add_environment()
        self.name = name
        self.order = order = replace(settings.order, name=name)
        self.speed = settings.speed
        self.blocks = isinstance(order.model, LiveModel)
        self.turn = asyncio.Lock()
        self.run: Run | None = None
        self._folder = opened(order, ALONE, settings.store, {})
        self._world = world = RealTime(settings.speed)
        bodies = Bodies(self._folder.body if self._folder else None)
        self._recorder = recorder = Recorder(world, bodies, self._folder)
        counts = {rule.id: FaultCount() for rule in order.rules}
        self._exchange = Exchange(
            world,
            recorder,
            order.model,
            order.rules,
            order.seed,
            Switch(order.limits, world),
            Process((), recorder, counts, world),
            counts,
            order.agents,
        )
        started(order, recorder)

    def api(self, method: str, path: str, headers: Any, body: bytes) -> Delivery:
        """The reply to a request. Raises :class:`RunStopped` where the run must not go on."""
        switch, limit = self._exchange.switch, self.order.limits.seconds
        if switch.stopped is not None:  # not the switch's own refusal, which insists within the calling process
            raise switch.stopped
        if self._world.now >= limit:
            switch.stop("seconds", f"the run took {self._world.now:.0f} s and went on; Limits(seconds={limit:g})")
        try:
            return self._exchange.api(method, path, headers, body)
        except Exception as error:
            self._exchange.broken = error
            switch.stop("model", f"{type(error).__name__}: {error}")

    @property
    def history(self) -> History:
        """What has happened so far."""
        return self._recorder.history

    def end(self, result: Any = None, error: str | None = None) -> Run:
        """Close the run, with what the workflow gave: its result, or the error that it failed with, in words."""
        if self.run is None:
            raised = None if error is None else RecordedError(error)
            performed = concluded(result, raised, self._world.now, self._recorder, self._exchange)
            self.run = closed(self.order, performed, ALONE, {}, self._folder, _REPLAY)
        return self.run

    def summary(self) -> dict[str, Any]:
        """How it stands, as JSON."""
        stopped, run = self._exchange.switch.stopped, self.run
        stood: dict[str, Any] = {"name": self.name, "open": run is None, "tier": "T3", **totals(self.history)}
        stood["outcome"] = None if run is None else run.outcome
        stood["stopped_by"] = stopped.limit if stopped is not None else None
        stood["error"] = run.error_text if run is not None else stopped.reason if stopped is not None else None
        stood["faults"] = {
            rule: {"fired": count.fired, "reached": count.reached, "changed": count.changed}
            for rule, count in self._exchange.counts.items()
        }
        stood["path"] = None if self._folder is None else str(self._folder.path)
        return stood
