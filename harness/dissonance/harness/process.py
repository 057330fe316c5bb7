"""The life of the simulated process: where it dies, and whether it is started again.

A crash ends the world at once, and the workflow gets no chance to tidy up: each of its handlers on the way out
raises the end again (of a ``finally`` in the very frame that handled it, one statement may still run), and tasks that
were waiting are left as they are. Captured threads are unwound, and do notice. What must not depend on any of this
is tested with a real ``kill -9`` (:mod:`dissonance.harness.crashes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .call import Call
from .errors import RunStopped
from .history import FaultFired
from .moment import CrashInterceptor, Moment, Place
from .world.insist import insist

if TYPE_CHECKING:
    from .exchange import FaultCount
    from .recorder import Recorder
    from .world import World

__all__ = ["MOST_LIVES", "Process", "ProcessDied"]

MOST_LIVES = 100
"""Times that a process is started in one run; one that dies as often is in a crash loop."""


class ProcessDied(RunStopped):
    """The simulated process has died; ``down`` is how many virtual seconds it stays so."""

    abrupt = True

    def __init__(self, reason: str, down: float) -> None:
        super().__init__("crash", reason)
        self.down = down


class Process:
    """Asks the rules at each place of a run whether the process dies there."""

    def __init__(
        self, rules: Sequence[object], recorder: Recorder, counts: Mapping[str, FaultCount], world: World
    ) -> None:
        self._rules: list[CrashInterceptor] = [rule for rule in rules if hasattr(rule, "dies_at")]  # type: ignore[misc]
        self._recorder = recorder
        self._counts = counts
        self._ordinals: dict[str, int] = {}
        self.world = world
        self.lives = 1
        self.died: ProcessDied | None = None

    def reach(self, slot: Call | Moment, place: Place) -> None:
        """The workflow has come to this place. Raises :class:`ProcessDied` where a rule lets it die."""
        died = self._death(slot, place)
        if died is not None:
            self.died = died
            self.world.end(died)
            insist(died)
            raise died

    def passed(self, kind: Any, event: int, agent: str | None, text: str) -> None:
        """As :meth:`reach`, for a checkpoint or an action, which is counted here."""
        self._ordinals[kind] = self._ordinals.get(kind, 0) + 1
        moment = Moment(
            kind=kind, id=event, agent=agent or "", ordinal=self._ordinals[kind], sent_at=self.world.now, text=text
        )
        self.reach(moment, kind)

    def paused(self, event: int) -> ProcessDied | None:
        """The workflow has ended as paused; its process goes, and comes back if a rule says so."""
        self._ordinals["pause"] = self._ordinals.get("pause", 0) + 1
        attempt = self._ordinals["pause"]
        return self._death(Moment(kind="pause", id=event, attempt=attempt, sent_at=self.world.now), "pause")

    def _death(self, slot: Call | Moment, place: Place) -> ProcessDied | None:
        if self.died is not None:
            return None
        for rule in self._rules:
            down = rule.dies_at(slot, place, self._recorder.history)
            if down is not None:
                self._record(rule, slot)
                return ProcessDied(f"rule {rule.id!r} ended the process at {place} {slot.ordinal}", down)
        return None

    def _record(self, rule: CrashInterceptor, slot: Call | Moment) -> None:
        count = self._counts[rule.id]
        count.fired += 1
        count.reached += 1
        count.changed += 1
        mark = rule.mark(slot)
        self._recorder.add(
            FaultFired,
            agent=slot.agent,
            rule=rule.id,
            fault=mark.fault,
            call=slot.id,
            side="reply",
            changed=True,
            ends_at=mark.ends_at,
            damages=mark.damages,
        )
