"""One run, from an empty world to its last event: what :func:`~.run.run` does once, and once more for the baseline."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from pydantic_core import to_jsonable_python

from .agents import Agents
from .call import Interceptor, Model
from .errors import RunStopped
from .exchange import Exchange
from .history import (
    Answered,
    Asked,
    Bodies,
    Checkpoint,
    Event,
    GuardFired,
    History,
    Outcome,
    RunEnded,
    RunStarted,
    Stopped,
)
from .limits import Limits, Switch
from .recorder import Recorder
from .routes import routed
from .store import RunFolder
from .wire.hook import install_hook
from .workflow import start
from .world import Patches, World, complete, current_world, inside

__all__ = ["Order", "Performed", "perform"]

_PATTERNS = "dissonance.patterns"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run; ``name`` is the workflow's. Valid already."""

    workflow: Callable[..., Any]
    name: str
    task: Any
    rules: Sequence[Interceptor]
    schedule: int | None
    model: Model
    seed: int
    limits: Limits
    agents: Agents | None
    human: Any
    allow_hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Performed:
    """How it went. ``exception`` is what the workflow raised; ``seconds`` when it ended, before leftovers were ended."""

    outcome: Outcome
    stopped_by: str | None
    result: Any
    exception: BaseException | None
    seconds: float
    history: History
    exchange: Exchange
    world: World

    @property
    def error(self) -> str | None:
        """The exception, or why the harness stopped the run, in one line."""
        switch = self.exchange.switch.stopped or self.world.ending
        if self.outcome == "stopped_by_harness" and switch is not None:
            return switch.reason
        return None if self.exception is None else _one_line(self.exception)


def perform(order: Order, folder: RunFolder | None = None) -> Performed:
    """Run it. Raises what the caller's own model or interceptor raised, and KeyboardInterrupt, after recording all."""
    limits = order.limits
    world = World(seconds=limits.seconds, real_seconds=limits.real_seconds, shuffle=order.schedule)
    bodies = Bodies(folder.body if folder else None)
    recorder = Recorder(world, bodies, folder.event if folder else None)
    switch = Switch(limits, world)
    exchange = Exchange(world, recorder, order.model, order.rules, order.seed, switch, order.agents)
    recorder.add(
        RunStarted,
        workflow=order.name,
        task=bodies.put(_as_json(order.task)),
        seed=order.seed,
        model=_described(order.model),
        rules=tuple(rule.id for rule in order.rules),
    )
    result: Any = None
    exception: BaseException | None = None
    ended = _End(world)
    try:
        result = _play(order, world, exchange, recorder, ended)
    except BaseException as error:
        exception = error
    performed = _concluded(result, exception, ended.seconds, recorder, exchange)
    if exchange.broken is not None:
        raise exchange.broken
    if isinstance(exception, KeyboardInterrupt):
        raise exception
    return performed


def _play(order: Order, world: World, exchange: Exchange, recorder: Recorder, ended: _End) -> Any:
    with ExitStack() as stack:
        stack.enter_context(routed())
        patches = stack.enter_context(inside(world))
        install_hook(exchange, world, patches, order.allow_hosts)
        _tame_sdk(patches)
        stack.enter_context(_Key())
        stack.enter_context(_Randomness(order.seed))
        stack.enter_context(_Listening(recorder, world))
        with ended:
            result = start(order.workflow, order.task, order.human)
        if inspect.isawaitable(result):
            result = complete(world, _awaited(result, ended))
        return result


async def _awaited(result: Awaitable[T], ended: _End) -> T:
    with ended:
        return await result


class _End:
    """Notes when the workflow itself ended: what it left behind may take time to end, too."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.seconds = self._world.now


def _concluded(
    result: Any, exception: BaseException | None, seconds: float, recorder: Recorder, exchange: Exchange
) -> Performed:
    stop = exchange.switch.stopped or exchange.world.ending
    if stop is None and isinstance(exception, RunStopped):
        stop = exception
    outcome = _outcome(result, exception, stop)
    stopped_by = stop.limit if stop is not None else _guard_of(result) or _guard_of(exception)
    if stop is not None:
        recorder.add(Stopped, limit=stop.limit, reason=stop.reason)
    performed = Performed(
        outcome=outcome,
        stopped_by=stopped_by,
        result=result,
        exception=exception,
        seconds=seconds,
        history=recorder.history,
        exchange=exchange,
        world=exchange.world,
    )
    kept = recorder.bodies.put(_as_json(result)) if exception is None else None
    recorder.add(RunEnded, outcome=outcome, stopped_by=stopped_by, error=performed.error, result=kept)
    return performed


def _outcome(result: Any, exception: BaseException | None, stop: RunStopped | None) -> Outcome:
    if stop is not None:
        return "stopped_by_harness"
    if getattr(exception if exception is not None else result, "paused", False) is True:
        return "paused"
    if exception is None:
        return "completed"
    return "failed" if isinstance(exception, Exception | asyncio.CancelledError) else "crashed"


def _guard_of(value: object) -> str | None:
    """The guard that names itself in a result or an exception, or in what the exception was raised from."""
    while value is not None:
        named = getattr(value, "stopped_by", None)
        if isinstance(named, str) and named:
            return named
        value = getattr(value, "__cause__", None)
    return None


# --- JSON -------------------------------------------------------------------------------------


def _described(model: Model) -> Any:
    description = model.describe()
    return description if isinstance(description, dict) else {"name": description}


def _as_json(value: Any) -> Any:
    """A value as JSON data; what has none is kept as its repr, without addresses, which differ from run to run."""
    try:
        return to_jsonable_python(value, fallback=_repr, inf_nan_mode="constants")
    except (ValueError, TypeError, RecursionError):
        return _repr(value)


def _repr(value: Any) -> str:
    return _ADDRESS.sub("", repr(value))


def _one_line(error: BaseException) -> str:
    said = getattr(error, "api_message", None)  # the SDK's errors show the whole body as a dictionary
    shown = f"{getattr(error, 'status_code', '')} {said}" if isinstance(said, str) else str(error)
    text = " ".join(_ADDRESS.sub("", shown).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# --- what a run tames -------------------------------------------------------------------------


def _tame_sdk(patches: Patches) -> None:
    """Run inline what the SDK's first async call starts a thread for: ``get_platform``."""
    client = sys.modules.get("anthropic._base_client")
    if isinstance(client, ModuleType) and hasattr(client, "asyncify"):
        patches.set(client, "asyncify", _inline)


def _inline(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    async def call(*args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    return call


class _Key:
    """An API key where the user has none: the SDK makes no client without one, and the simulated API takes any."""

    _NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")

    def __enter__(self) -> None:
        self._lent = not any(os.environ.get(name) for name in self._NAMES)
        if self._lent:
            os.environ[self._NAMES[0]] = "simulated"

    def __exit__(self, *_: object) -> None:
        if self._lent:
            os.environ.pop(self._NAMES[0], None)


class _Randomness:
    """Seeds the global ``random``, from which the SDK's back-off draws, and puts its state back."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        self._state = random.getstate()
        random.seed(self._seed)

    def __exit__(self, *_: object) -> None:
        random.setstate(self._state)


class _Listening(logging.Handler):
    """Turns what patterns log into events, while the run lasts."""

    def __init__(self, recorder: Recorder, world: World) -> None:
        super().__init__(logging.INFO)
        self._recorder = recorder
        self._world = world

    def __enter__(self) -> None:
        logger = logging.getLogger(_PATTERNS)
        self._former = (logger.level, logger.disabled)
        logger.setLevel(logging.INFO)
        logger.disabled = False
        logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger(_PATTERNS)
        logger.removeHandler(self)
        logger.setLevel(self._former[0])
        logger.disabled = self._former[1]

    def createLock(self) -> None:
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if isinstance(event, dict) and current_world() is self._world:
            self._add(dict(event))

    def _add(self, event: dict[str, Any]) -> None:
        kind, agent = event.pop("kind", None), event.pop("agent", None)
        data = _as_json(event)
        if kind == "guard":
            guard, reason = str(data.pop("guard", "guard")), str(data.pop("reason", ""))
            self._recorder.add(GuardFired, agent=agent, guard=guard, reason=reason, data=data)
        elif kind in _LOGGED:
            self._recorder.add(_LOGGED[kind], agent=agent, data=data)


_LOGGED: dict[str, Callable[..., Event]] = {"checkpoint": Checkpoint, "ask": Asked, "answer": Answered}
