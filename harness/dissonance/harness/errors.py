"""The errors that Dissonance itself raises.

::

    Exception
     ├─ DissonanceError            something that the caller can put right
     │   ├─ BadInput               an argument, a plan, a target or a stored run is not usable
     │   │   └─ PlanError          a fault plan is malformed
     │   ├─ BusyError              run() was called inside a running event loop or another run
     │   ├─ CassetteMiss           a Recorded model has no reply to a request
     │   ├─ OverBudget             a call to the real API could cost more than is left
     │   └─ ScriptExhausted        a Scripted model has no reply left
     └─ AssertionError
         └─ CheckFailed            run.check(): a verdict is not a pass
    BaseException
     └─ RunStopped                 the harness ended the run; raised into the workflow, which must not catch it

What the simulated API does to a workflow is never one of these: it arrives as the client
library's own classes (``anthropic.RateLimitError``, ``httpx2.ReadTimeout``, …).
"""

from __future__ import annotations

__all__ = [
    "BadInput",
    "BusyError",
    "CassetteMiss",
    "CheckFailed",
    "DissonanceError",
    "OverBudget",
    "PlanError",
    "RunStopped",
    "ScriptExhausted",
]


class DissonanceError(Exception):
    """Something that the caller can put right; the message names it and says how."""


class BadInput(DissonanceError):
    """An argument, a plan, a target or a stored run is not usable. Exit code 2."""


class PlanError(BadInput):
    """A fault plan is malformed: the message names the rule, the field, the value and the remedy."""


class BusyError(DissonanceError):
    """``run()`` was called from a running event loop, or inside another run."""


class CassetteMiss(DissonanceError):
    """A ``Recorded`` model has no reply to a request; the message shows the nearest one, and what differs."""


class OverBudget(DissonanceError):
    """A call to the real API could cost more than is left of the spending limit; it was not made."""


class ScriptExhausted(DissonanceError):
    """A ``Scripted`` model was asked for more replies than its script holds."""


class CheckFailed(AssertionError):
    """A verdict is *fail* or *unknown*; the message shows the reason, the evidence and the replay line."""


class RunStopped(BaseException):
    """The harness has ended this run; ``limit`` says which limit was hit.

    A ``BaseException``, so that a workflow's ``except Exception`` does not turn the end of the
    run into one more retry. ``abrupt``: what the run has begun is left as it is, not tidied up.
    """

    abrupt = False

    def __init__(self, limit: str, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit
        self.reason = reason
