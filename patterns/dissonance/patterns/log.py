"""What a pattern says in production: structured records on the logger ``dissonance.patterns``.

Each record carries ``event``, a JSON object with ``kind`` (``guard``, ``ask``, and with durable state
``checkpoint`` and ``answer``), ``agent`` and what its kind needs. Only what an operator must know is
logged; the attempts stand in the result.
"""

from __future__ import annotations

import logging

__all__ = ["LOGGER", "guard_fired", "human_asked"]

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
