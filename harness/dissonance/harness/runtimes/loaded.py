"""Which runtimes there are: those of the frameworks that are loaded. Nothing here loads a framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from dissonance.harness.agents import runtime_agent
from dissonance.harness.errors import BadInput
from dissonance.harness.world import Patches

from .runtime import Inside, Runtime
from .sampling import install_sampling
from .tools import ToolHook

__all__ = ["adapted", "install_runtimes", "runtimes"]

_RUNTIMES = {
    "langgraph": ("langgraph.pregel", "LangGraph"),
    "crewai": ("crewai", "CrewAI"),
    "autogen": ("autogen_agentchat.teams", "AutoGen"),
    "claude_tools": ("anthropic.lib.tools._beta_runner", "ClaudeTools"),
}
"""By their module here: the module whose presence says that the framework is loaded, and the runtime's class."""

_made: dict[str, Runtime] = {}


def runtimes() -> Iterator[Runtime]:
    """The runtime of each framework that is loaded in this process.

    :raises BadInput: a framework is there in part only; the message has the line that installs it.
    """
    for module, (sign, kind) in _RUNTIMES.items():
        if module not in _made and sign in sys.modules:
            _made[module] = _make(module, kind)
        if module in _made:
            yield _made[module]


def _make(module: str, kind: str) -> Runtime:
    try:
        made: Runtime = getattr(import_module(f".{module}", __package__), kind)()
    except ImportError as error:
        raise BadInput(
            f"{module} is loaded, but not what its runtime needs ({error}); pip install 'dissonance[{module}]'"
        ) from error
    return made


def adapted(target: Any) -> Callable[..., Any] | None:
    """A callable of the task for an object of a framework, made anew at each call; None for anything else."""
    return next((made for runtime in runtimes() if (made := runtime.workflow(target)) is not None), None)


def install_runtimes(patches: Patches, stack: ExitStack, tools: ToolHook) -> None:
    """Make every loaded framework observable until ``patches`` are undone."""
    install_sampling(patches)
    speakers = []
    for runtime in runtimes():
        runtime.install(Inside(patches, tools, stack))
        speakers.append(runtime.speaker)
    runtime_agent.extend(speakers)
    stack.callback(_forget, speakers)


def _forget(speakers: list[Callable[[], str | None]]) -> None:
    for ask in speakers:
        runtime_agent.remove(ask)
