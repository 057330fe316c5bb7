"""CrewAI: crews, flows, and the classes of both (``@CrewBase``, a subclass of ``Flow``).

An agent is a role. CrewAI's event bus keeps a pool and a loop in a thread of its own from one run to the next; inside
a run it gets new ones, which live in virtual time and end with the run. Its telemetry stays off, and what it stores
for later runs goes into a folder that is removed. Its locks, which are files in the temporary folder of the machine,
are held in memory, unless the workflow has set a backend of its own for them. A flow gets no memory that it has not
asked for: CrewAI's default one is a database with a thread that outlives the run. CrewAI itself uses what it deprecates,
which under ``-W error`` would end each run: inside a run nobody is warned of that.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from crewai import BaseLLM, Crew
from crewai.events.event_bus import crewai_event_bus
from crewai.flow.flow import Flow
from crewai.llms import base_llm
from crewai.tools.base_tool import BaseTool, Tool
from crewai.tools.structured_tool import CrewStructuredTool
from crewai_core import lock_store
from portalocker.exceptions import LockException

from dissonance.harness.errors import RunStopped

from .runtime import Inside, named, speaker, spoken_for
from .tasks import as_mapping, one_of

__all__ = ["CrewAI"]


class CrewAI:
    """The runtime of CrewAI 1.15."""

    name = "crewai"

    def install(self, inside: Inside) -> None:
        patches = inside.patches
        inside.stack.enter_context(_storage())
        inside.stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"crewai\.")
        if lock_store._backend is None:
            patches.set(lock_store, "_backend", _Locks())
        _renew_bus(inside)
        patches.set(Flow, "_skip_auto_memory", True)
        retrying = functools.partial(base_llm.run_with_rate_limit_retry, sleep=_sleep)
        patches.set(base_llm, "run_with_rate_limit_retry", retrying)
        for owner, method in (
            (BaseTool, "run"),
            (BaseTool, "arun"),
            (Tool, "run"),
            (Tool, "arun"),
            (CrewStructuredTool, "invoke"),
            (CrewStructuredTool, "ainvoke"),
        ):
            inside.tools.guard(patches, owner, method, lambda tool: str(tool.name))
        for provider in _subclasses(BaseLLM):
            if "call" in vars(provider):
                patches.set(provider, "call", _speaking(vars(provider)["call"]))
            if "acall" in vars(provider):
                patches.set(provider, "acall", _speaking_async(vars(provider)["acall"]))

    def speaker(self) -> str | None:
        return speaker.get()

    def workflow(self, target: Any) -> Callable[..., Any] | None:
        if isinstance(target, type):
            made = issubclass(target, Flow) or getattr(target, "is_crew_class", False)
            return _of_class(target) if made else None
        if getattr(type(target), "is_crew_class", False):
            return _of_class(type(target))
        if isinstance(target, Crew):
            return named(lambda task: _kick_off(_fresh(target), task), f"CrewAI.{target.name or 'crew'}")
        if isinstance(target, Flow):
            return _of_class(type(target))
        return None


def _fresh(crew: Any) -> Any:
    """A copy, with models that have counted nothing yet: CrewAI copies agents, and lets them share their model."""
    made = crew.copy()
    for agent in [*made.agents, *([made.manager_agent] if made.manager_agent else [])]:
        agent.llm = _uncounted(agent.llm)
    made.manager_llm = _uncounted(made.manager_llm)
    return made


def _uncounted(model: Any) -> Any:
    if isinstance(model, BaseLLM):
        model = model.model_copy()
        model._token_usage = dict.fromkeys(model._token_usage, 0)
    return model


def _of_class(kind: type) -> Callable[..., Any]:
    def play(task: Any) -> Any:
        made = kind()
        return _kick_off(made.crew() if getattr(kind, "is_crew_class", False) else made, task)

    return named(play, f"CrewAI.{kind.__name__}")


def _kick_off(made: Any, task: Any) -> Any:
    """Kick it off with the task as its inputs: as they are, or in the one place that it leaves open."""
    given = as_mapping(task)
    if given is None and isinstance(made, Crew):
        fields = made.fetch_inputs()
        given = one_of(task, fields, "the crew") if fields else {"task": task}
    elif given is None:
        given = _state_of(made, task)
    return made.kickoff(inputs=given)


def _state_of(flow: Any, task: Any) -> dict[str, Any]:
    """A task for a flow: its one field of state that is a text, else ``task``."""
    fields = getattr(type(flow.state), "model_fields", {})
    texts = [name for name, field in fields.items() if field.annotation is str and name != "id"]
    if not fields:
        return {"task": task}
    return one_of(task, texts or list(fields), "the flow's state")


# --- who speaks -------------------------------------------------------------------------------


def _role(kwargs: dict[str, Any]) -> str | None:
    return spoken_for(getattr(kwargs.get("from_agent"), "role", None))


def _speaking(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def named_call(*args: Any, **kwargs: Any) -> Any:
        token = speaker.set(_role(kwargs) or speaker.get())
        try:
            return call(*args, **kwargs)
        finally:
            speaker.reset(token)

    return named_call


def _speaking_async(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def named_call(*args: Any, **kwargs: Any) -> Any:
        token = speaker.set(_role(kwargs) or speaker.get())
        try:
            return await call(*args, **kwargs)
        finally:
            speaker.reset(token)

    return named_call


def _subclasses(kind: Any) -> Iterator[Any]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _sleep(seconds: float) -> None:
    """In place of the real ``time.sleep``, which CrewAI holds as the default of an argument."""
    time.sleep(seconds)


# --- what it keeps ----------------------------------------------------------------------------


@contextmanager
def _storage() -> Iterator[None]:
    """No storage that outlives the run."""
    former = os.environ.get(_FOLDER)
    with tempfile.TemporaryDirectory(prefix="dissonance-crewai-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            if former is None:
                del os.environ[_FOLDER]
            else:
                os.environ[_FOLDER] = former


_FOLDER = "CREWAI_STORAGE_DIR"


class _Locks:
    """What ``crewai_core.lock_store`` calls for a lock by name."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def __call__(self, name: str, *, timeout: float) -> Iterator[None]:
        lock = self._locks.setdefault(name, threading.Lock())
        if not lock.acquire(timeout=timeout):
            raise LockException(f"Failed to acquire lock '{name}' (timeout={timeout}s)")
        try:
            yield
        finally:
            lock.release()


def _renew_bus(inside: Inside) -> None:
    """Let the bus make a pool, a loop and locks in this world, and give it its own ones back."""
    bus, patches = crewai_event_bus, inside.patches
    patches.set(type(bus), "_instance_lock", threading.RLock())
    for name, value in (
        ("_executor_initialized", False),
        ("_rwlock", type(bus._rwlock)()),
        ("_futures_lock", threading.Lock()),
        ("_pending_futures", set()),
        ("_has_pending_events", False),
        ("_sync_executor", None),
        ("_loop", None),
        ("_loop_thread", None),
    ):
        patches.set(bus, name, value)
    inside.stack.callback(_end_bus, bus)


def _end_bus(bus: Any) -> None:
    if bus._loop is None:
        return
    with contextlib.suppress(RunStopped):  # a run that was stopped waits for nobody any more
        bus._loop.call_soon_threadsafe(bus._loop.stop)
        bus._loop_thread.join()
    if not bus._loop.is_running():
        bus._loop.close()
