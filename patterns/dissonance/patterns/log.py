"""What a pattern says in production: structured records on the logger ``dissonance.patterns``.

Each record carries ``event``, a JSON object with ``kind`` (``guard``, ``ask``, ``answer``, ``effect``, ``checkpoint``,
and at level DEBUG ``transition``), ``agent`` and what its kind needs. Only what an operator must know is logged; the
attempts stand in the result.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .human import HumanAnswer, HumanRequest

__all__ = ["LOGGER", "acted", "answered", "asked", "checkpointed", "compacted", "guard_fired", "human_asked", "moved"]

LOGGER = logging.getLogger("dissonance.patterns")
LOGGER.addHandler(logging.NullHandler())


def guard_fired(guard: str, agent: str, reason: str, step: int) -> None:
    """A guard ended a pattern at ``step``, in which ``agent`` acted."""
    event = {"kind": "guard", "agent": agent, "guard": guard, "reason": reason, "step": step}
    LOGGER.warning("%s stopped the pattern at step %d: %s", guard, step, reason, extra={"event": event})


def human_asked(agent: str, reason: str, task: str, attempts: int) -> None:
    """A pattern gave a task up to a human after ``attempts`` attempts, the last of them by ``agent``."""
    event = {"kind": "ask", "agent": agent, "reason": reason, "task": task, "attempts": attempts}
    LOGGER.warning("escalated after %d attempts: %s", attempts, reason, extra={"event": event})


def checkpointed(agent: str, run: str, stage: str) -> None:
    """A stage of a run is finished and kept."""
    event = {"kind": "checkpoint", "agent": agent, "run": run, "stage": stage}
    LOGGER.info("%s: %s is kept", run, stage, extra={"event": event})


def asked(agent: str, request: HumanRequest) -> None:
    """A human is asked for a decision about an action; the request waits in the store."""
    shown = {name: getattr(request, name) for name in ("id", "kind", "summary", "action", "deadline")}
    event = {**shown, "request": shown["kind"], "kind": "ask", "agent": agent, "reason": request.reason}
    LOGGER.info("%s asks for a %s: %s", agent, request.kind, request.reason, extra={"event": event})


def answered(agent: str, ask: str, answer: HumanAnswer, *, counts: bool) -> None:
    """An answer to an ask came; it ``counts`` if it is the first in time."""
    event = {"kind": "answer", "agent": agent, "id": ask, "counts": counts, **answer.model_dump()}
    LOGGER.info("%s: %s by %s", ask, answer.decision, answer.by or "somebody", extra={"event": event})


def acted(agent: str, key: str, action: object, *, approved_by: str | None) -> None:
    """An action took effect, with a human's approval or (None) without."""
    event = {"kind": "effect", "agent": agent, "key": key, "action": action, "approved_by": approved_by}
    LOGGER.info("%s has taken the action %s", agent, key, extra={"event": event})


def moved(machine: str, trace: int, before: str, after: str) -> None:
    """A run of a pattern went from one state to another."""
    if not LOGGER.isEnabledFor(logging.DEBUG):
        return
    event = {"kind": "transition", "agent": machine, "trace": trace, "from": before, "to": after}
    LOGGER.debug("%s %d: %s to %s", machine, trace, before, after, extra={"event": event})


def compacted(agent: str, before: int, after: int, pinned: int) -> None:
    """An agent's context was shortened from ``before`` to ``after`` tokens; all that is pinned was found in it."""
    event = {"kind": "compaction", "agent": agent, "before": before, "after": after, "pinned": pinned}
    LOGGER.info("%s's context was compacted from %d to %d tokens", agent, before, after, extra={"event": event})
