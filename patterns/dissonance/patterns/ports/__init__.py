"""The six patterns as users of each framework write them: ``langgraph``, ``crewai``, ``autogen``, ``claude_tools``.

Each module has ``chain``, ``fan_out``, ``supervise``, ``delegate``, ``debate`` and ``human_gate``, which take roles and
:class:`Settings` and give the framework's own object: a graph, a crew, a team, a coroutine function. With ``DEFAULTS``
the framework's safeguards stay as they come; with ``GUARDED`` they are set: each module says to what, and why.

A port is there to be compared with ``dissonance.patterns``, and to be copied by who has the framework already.
Nothing here is imported before its framework's module is asked for.
"""

from __future__ import annotations

from .settings import DEFAULTS, GUARDED, Role, Settings, Unusable

__all__ = ["DEFAULTS", "GUARDED", "Role", "Settings", "Unusable"]
