"""What each framework needs to be observed, and no more.

``run()`` takes a compiled LangGraph graph, a CrewAI crew or flow, an AutoGen team or agent and Claude's
``tool_runner`` as they are, finds the runtime by itself, and makes a fresh object of each for each run. While
a run lasts, and only then, the runtime of every framework that is loaded

* names the agent that speaks: LangGraph's node, CrewAI's role, AutoGen's agent;
* lets the plan's rules strike the workflow's own tools (:mod:`.tools`);
* keeps the framework's telemetry at home and its threads in virtual time.

``tasks`` says how a task becomes a framework's input; ``loaded`` which runtimes there are.
"""

from __future__ import annotations

from .loaded import adapted, at_home, install_runtimes, runtimes, stay_at_home
from .runtime import Inside, Runtime
from .sampling import install_sampling
from .tools import ToolHook

__all__ = [
    "Inside",
    "Runtime",
    "ToolHook",
    "adapted",
    "at_home",
    "install_runtimes",
    "install_sampling",
    "runtimes",
    "stay_at_home",
]
