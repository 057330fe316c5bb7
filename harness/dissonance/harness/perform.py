"""One run, from an empty world to its last event: what :func:`~.run.run` does once, and once more for the baseline."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from pydantic_core import to_jsonable_python

from .agents import Agents, current_agent
from .call import Interceptor, LiveModel, Model
from .desk import Desk
from .errors import RunStopped
from .exchange import Exchange, FaultCount
from .history import (
    Acted,
    Answered,
    Asked,
    Bodies,
    Checkpoint,
    Event,
    GuardFired,
    History,
    Outcome,
    Restarted,
    RunEnded,
    RunStarted,
    Stopped,
    canonical,
)
from .identities import Identities
from .limits import Limits, Switch
from .process import MOST_LIVES, Process, ProcessDied
from .recorder import Recorder
from .routes import routed
from .runtimes import ToolHook, install_runtimes, install_sampling
from .sdk import install_sdk, lent_key, seed_back_off
from .secrets import hidden
from .store import RunFolder
from .wire.hook import answer_by, install_hook
from .workflow import Restartable, Workflow
from .world import Patches, Standing, World, complete, current_world, inside
from .world.processes import kill_children

__all__ = ["TAMED", "Order", "Performed", "concluded", "perform", "started"]

_PATTERNS = "dissonance.patterns"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run; ``name`` is the workflow's. Valid already."""

    workflow: Callable[..., Any] | Restartable
    name: str
    task: Any
    rules: Sequence[Interceptor]
    schedule: int | None
    model: Model | LiveModel
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
    hidden.add_environment()
    life = _Life(order, folder)
    started(order, life.recorder)
    with routed(), Workflow(order.workflow, _given(order, life.exchange), life.human) as workflow:
        result, exception = life.played(workflow.start)
        while life.restarts(workflow, result, exception):
            result, exception = life.played(workflow.resume)
    performed = concluded(result, exception, life.ended.seconds, life.recorder, life.exchange)
    if life.exchange.broken is not None:
        raise life.exchange.broken
    if isinstance(exception, KeyboardInterrupt):
        raise exception
    return performed


def started(order: Order, recorder: Recorder) -> None:
    """Record that the run begins."""
    recorder.add(
        RunStarted,
        workflow=order.name,
        task=recorder.bodies.put(_as_json(order.task)),
        seed=order.seed,
        model=_described(order.model),
        rules=tuple(rule.id for rule in order.rules),
    )


def _given(order: Order, exchange: Exchange) -> Any:
    """The task as the workflow gets it: what the rules make of it, before any call."""
    task = order.task
    for rule in order.rules:
        altered = getattr(rule, "on_task", _as_it_is)(task)
        if altered is not None:
            exchange.altered_task(rule, _as_json(task), _as_json(altered))
            task = altered
    return task


def _as_it_is(task: Any) -> None:
    """What a rule without ``on_task`` makes of the task."""


class _Life:
    """A run's processes, one after the other: each has a world of its own, and all have one history."""

    def __init__(self, order: Order, folder: RunFolder | None) -> None:
        self._order = order
        self._began = time.monotonic()
        self._identities = Identities(order.seed)
        world = self._world(0.0)
        bodies = Bodies(folder.body if folder else None)
        self.recorder = recorder = Recorder(world, bodies, folder)
        counts = {rule.id: FaultCount() for rule in order.rules}
        self._process = process = Process(order.rules, recorder, counts, world)
        self.exchange = Exchange(
            world,
            recorder,
            order.model,
            order.rules,
            order.seed,
            Switch(order.limits, world),
            process,
            counts,
            order.agents,
        )
        asked = hasattr(order.human, "ask")
        self._desk = Desk(order.human, order.rules, recorder, counts, process) if asked else None
        self.ended = _End(world)

    @property
    def human(self) -> Any:
        """What the workflow gets as its human; one that cannot be asked is handed on as it is."""
        return self._desk or self._order.human

    def played(self, begin: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """The result and the exception of one process."""
        try:
            return self._play(begin), None
        except BaseException as error:
            return None, error
        finally:
            world = self.exchange.world
            if self.exchange.switch.stopped is not None or world.ending is not None:
                world.abandoned += kill_children(world)
            world.children.clear()
            if self._process.died is not None:
                world.abandoned.clear()  # a dead process has left nothing behind that could go on

    def _play(self, begin: Callable[[], Any]) -> Any:
        order, world, ended = self._order, self.exchange.world, self.ended
        with ExitStack() as stack:
            stack.enter_context(TAMED)
            patches = stack.enter_context(inside(world))
            answer_by(self.exchange, world, patches, order.allow_hosts)
            seed_back_off(patches, order.seed)
            self._identities.install(patches)
            install_runtimes(patches, stack, ToolHook(self.exchange.strike))
            _let_direct(self.exchange, patches)
            stack.enter_context(lent_key())
            stack.enter_context(_Randomness(order.seed))
            stack.enter_context(_Listening(self.recorder, self._process))
            with ended:
                result = _apart(begin)
            if inspect.isawaitable(result):
                result = complete(world, _awaited(result, ended, self._desk))
            return result

    def restarts(self, workflow: Workflow, result: Any, exception: BaseException | None) -> bool:
        """Whether the process is started again; if so, its new world is ready."""
        process = self._process
        paused = exception if isinstance(exception, Exception) else result
        if process.died is None and workflow.restartable and _is_paused(paused):
            process.died = process.paused(self.recorder.next_id - 1)
        died = process.died
        if died is None or not workflow.restartable or self.exchange.switch.stopped is not None:
            return False
        if process.lives >= MOST_LIVES:
            reason = f"the process died {process.lives} times: it is in a crash loop"
            self.exchange.switch.stopped = RunStopped("restarts", reason)
            return False
        self._begin_anew(died)
        return True

    def _begin_anew(self, died: ProcessDied) -> None:
        former = self.exchange.world
        world = self._world(former.now + died.down)
        world.escapes.extend(former.escapes)
        world.captured_threads = former.captured_threads
        process = self._process
        process.world = self.exchange.world = self.exchange.switch.world = self.recorder.world = world
        self.ended = _End(world)
        process.died = None
        process.lives += 1
        if self._desk is not None:
            self._desk.forget()
        self.recorder.add(Restarted, down=died.down, reason=died.reason)

    def _world(self, began: float) -> World:
        limits = self._order.limits
        left = max(limits.real_seconds - (time.monotonic() - self._began), 1e-3)
        return World(seconds=limits.seconds, real_seconds=left, shuffle=self._order.schedule, began=began)


async def _awaited(result: Awaitable[T], ended: _End, desk: Desk | None) -> T:
    with ended:
        value = await result
    if desk is not None:
        await desk.drain()
    return value


def _apart(function: Callable[[], T]) -> T:
    """Call it in a context of its own, and with a state of exceptions of its own.

    A workflow that is ended in the midst of a ``with`` may leave the context's variables as they were in it. And
    where a traced line of a handler raises, as :func:`~.world.insist.insist` lets it, the interpreter (3.11) goes on
    to take the handled exception for the current one, after the handler too. That of a generator ends with it.
    """

    def generator() -> Iterator[T]:
        yield copy_context().run(function)

    return next(generator())


class _End:
    """Notes when the workflow itself ended: what it left behind may take time to end, too."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.seconds = self._world.now


def concluded(
    result: Any, exception: BaseException | None, seconds: float, recorder: Recorder, exchange: Exchange
) -> Performed:
    """How the run went; its last events are recorded."""
    stop = exchange.switch.stopped or exchange.world.ending
    if stop is None and isinstance(exception, RunStopped):
        stop = exception
    if isinstance(stop, ProcessDied):
        stop, exception = None, stop
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
    if _is_paused(exception if exception is not None else result):
        return "paused"
    if exception is None:
        return "completed"
    return "failed" if isinstance(exception, Exception | asyncio.CancelledError) else "crashed"


def _is_paused(value: object) -> bool:
    return getattr(value, "paused", False) is True


def _guard_of(value: object) -> str | None:
    """The guard that names itself in a result or an exception, or in what the exception was raised from.

    ``raise error from error`` (CrewAI does it) makes an exception its own cause, so each is asked once.
    """
    asked: set[int] = set()
    while value is not None and id(value) not in asked:
        asked.add(id(value))
        named = getattr(value, "stopped_by", None)
        if isinstance(named, str) and named:
            return named
        value = getattr(value, "__cause__", None)
    return None


# --- JSON -------------------------------------------------------------------------------------


def _described(model: Model | LiveModel) -> Any:
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
    text = hidden.clean(" ".join(_ADDRESS.sub("", shown).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# --- what a run tames -------------------------------------------------------------------------


def _install(patches: Patches) -> None:
    install_hook(patches)
    install_sdk(patches)
    install_sampling(patches)


TAMED = Standing(_install)
"""What every run needs of HTTP clients and of the SDK, and code outside of any does not notice."""


def _let_direct(exchange: Exchange, patches: Patches) -> None:
    """Let direct clients meet this exchange, where there can be any: their module is loaded with them."""
    direct = sys.modules.get("dissonance.harness.direct")
    if isinstance(direct, ModuleType):
        direct.install_direct(exchange, patches)
        exchange.prepared = direct.prepared


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

    def __init__(self, recorder: Recorder, process: Process) -> None:
        super().__init__(logging.INFO)
        self._recorder = recorder
        self._process = process

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
        if isinstance(event, dict) and current_world() is self._process.world and self._process.died is None:
            self._add(dict(event))

    def _add(self, event: dict[str, Any]) -> None:
        kind, agent = event.pop("kind", None), event.pop("agent", None) or current_agent()
        data = _as_json(event)
        if kind == "guard":
            guard, reason = str(data.pop("guard", "guard")), str(data.pop("reason", ""))
            self._recorder.add(GuardFired, agent=agent, guard=guard, reason=reason, data=data)
        elif kind in _DONE:
            key = str(data.pop("key", ""))
            made = self._recorder.add(Acted, agent=agent, key=key, data=data)
            self._process.passed("action", made.id, agent, f"{key}\n{canonical(data).decode()}")
        elif kind in _LOGGED:
            made = self._recorder.add(_LOGGED[kind], agent=agent, data=data)
            if kind == "checkpoint":
                self._process.passed("checkpoint", made.id, agent, canonical(data).decode())


_DONE = ("action", "effect")
"""What a pattern may call something that it has done in the world."""

_LOGGED: dict[str, Callable[..., Event]] = {"checkpoint": Checkpoint, "ask": Asked, "answer": Answered}
