"""The loopback server: the simulated API for workflows in other processes and other languages.

Point ``ANTHROPIC_BASE_URL`` at it. Faults, history and checks are those of :func:`dissonance.harness.run`; time is
real, so a run is in tier T3. ``session`` is one run, ``sessions`` tells several apart, ``sending`` performs a reply at
the socket, ``app`` and ``admin`` are what is reached by HTTP, ``server`` listens. Needs the extra ``[server]``.
"""

from __future__ import annotations

from .server import Server, serving

__all__ = ["Server", "serving"]
