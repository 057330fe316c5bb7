"""What a workflow, or a test's double of an outside system, says to the history: an action took effect, a state was saved.

Both are log records on ``dissonance.patterns``, as the patterns write them: outside of a run they are log
lines and no more, and code that must not import Dissonance can log the same.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["record_action", "record_checkpoint"]

_LOGGER = logging.getLogger("dissonance.patterns")


def record_action(key: str, **data: Any) -> None:
    """An action has taken effect: money moved, a mail left. Say it where it does, as in a double of the payment API.

    ``key`` names the action: two records of one key are the same action done twice. ``data`` is JSON.
    """
    _LOGGER.info("action %s took effect", key, extra={"event": {"kind": "action", "key": key, **data}})


def record_checkpoint(key: str, **data: Any) -> None:
    """The state was saved, under this ``key``; ``data`` is JSON. A place where ``Crash(place="checkpoint")`` may strike."""
    _LOGGER.info("checkpoint %s", key, extra={"event": {"kind": "checkpoint", "key": key, **data}})
