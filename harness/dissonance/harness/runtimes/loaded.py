"""Which runtimes there are: those of the frameworks that are loaded. Nothing here loads a framework."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from dissonance.harness.agents import runtime_agent
from dissonance.harness.errors import BadInput
from dissonance.harness.world import Patches, current_world

from .runtime import Inside, Runtime
from .tools import ToolHook

__all__ = ["adapted", "at_home", "install_runtimes", "runtimes", "stay_at_home"]

_RUNTIMES = {
    "langgraph": ("langgraph.graph", "LangGraph"),
    "crewai": ("crewai", "CrewAI"),
    "autogen": ("autogen_agentchat.teams", "AutoGen"),
    "claude_tools": ("anthropic.lib.tools._beta_runner", "ClaudeTools"),
}
"""By their module here: the module whose presence says that the framework is loaded, and the runtime's class."""

_SIGNS = frozenset(sign for sign, _ in _RUNTIMES.values())
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
    """Make every framework observable until ``patches`` are undone: at once, or as soon as the run has loaded it."""
    stack.enter_context(at_home())
    installed = _Installed(Inside(patches, tools, stack))
    stack.callback(installed.forget)
    installed.look()
    finder = _Watch(installed.look)
    sys.meta_path.insert(0, finder)
    stack.callback(sys.meta_path.remove, finder)


class _Installed:
    """The runtimes that are installed in one run."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._speakers: dict[str, Callable[[], str | None]] = {}

    def look(self) -> None:
        """Install those that are not yet."""
        for runtime in runtimes():
            if runtime.name not in self._speakers:
                self._speakers[runtime.name] = runtime.speaker
                runtime_agent.append(runtime.speaker)
                runtime.install(self._inside)

    def forget(self) -> None:
        for ask in self._speakers.values():
            runtime_agent.remove(ask)


class _Watch(MetaPathFinder):
    """Notices that code in the run has loaded a framework."""

    def __init__(self, arrived: Callable[[], None]) -> None:
        self._arrived = arrived

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _SIGNS or current_world() is None:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            self._tell_after(spec.loader)
        return spec

    def _tell_after(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            self._arrived()

        loader.exec_module = exec_module


# --- telemetry --------------------------------------------------------------------------------

_QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TESTING": "true",  # else it may ask at the terminal whether to share traces
    "CREWAI_TRACING_ENABLED": "false",
    "LANGSMITH_TRACING": "false",
    "OTEL_SDK_DISABLED": "true",
}


def stay_at_home() -> None:
    """Keep the telemetry of frameworks that this process has not loaded yet at home, for good."""
    os.environ.update(_QUIET)


@contextmanager
def at_home() -> Iterator[None]:
    """Keep all telemetry at home for the block."""
    former = {name: os.environ.get(name) for name, value in _QUIET.items() if os.environ.get(name) != value}
    for name in former:
        os.environ[name] = _QUIET[name]
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
