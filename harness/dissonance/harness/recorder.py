"""Writes a run's history as it happens: in memory, and into the run's folder where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .history import Bodies, Event, History, write_event
from .secrets import hidden
from .world import World

__all__ = ["Recorder"]

E = TypeVar("E")


class Sink(Protocol):
    """Where lines are stored; see :class:`~.store.RunFolder`."""

    def event(self, line: bytes) -> None: ...

    def flush(self) -> None: ...


class Recorder:
    """Gives events their ids and times, by the clock of ``world``; ``sink`` gets each event's line at once."""

    def __init__(self, world: World, bodies: Bodies, sink: Sink | None = None) -> None:
        self.world = world
        self._sink = sink
        self._events: list[Event] = []
        self.bodies = bodies
        self.history = History(self._events, bodies)

    @property
    def next_id(self) -> int:
        """The id of the event that is recorded next."""
        return len(self._events)

    def add(self, kind: Callable[..., Event], **fields: Any) -> Event:
        """Record an event of this kind, now."""
        event = kind(id=len(self._events), at=self.world.now, **hidden.clean_json(fields))
        self.keep(event)
        return event

    def keep(self, event: Event) -> None:
        """Record an event that has its id and its time already."""
        self.hold(event)
        self.flush()

    def hold(self, event: Event) -> None:
        """Record an event which may be stored with the next one; whoever lets others run first must :meth:`flush`."""
        self._events.append(event)
        if self._sink is not None:
            self._sink.event(write_event(event))

    def flush(self) -> None:
        """Store what is held."""
        if self._sink is not None:
            self._sink.flush()
