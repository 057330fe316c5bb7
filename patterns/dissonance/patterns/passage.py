"""One run of a chain on its way through the stages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from . import log
from .gate import as_text
from .guards import Guard, Quarantine, Rounds, Stop
from .outcome import NO_USAGE, Outcome, Usage
from .provenance import Provenance
from .question import Halted
from .reply import DamagedReply
from .stage import Stage
from .states import StateMachine

if TYPE_CHECKING:
    from .store import Store

__all__ = ["STATES", "Chained", "Passage"]

S = TypeVar("S", bound=BaseModel)

STATES = StateMachine(
    "chain",
    {
        "ready": ("working", "resumed"),
        "working": ("kept", "retrying", "paused", "stopped"),
        "retrying": ("working", "stopped"),
        "kept": ("working", "resumed", "stopped", "done"),
        "resumed": ("resumed", "working", "stopped", "done"),
        "paused": (),
        "stopped": (),
        "done": (),
    },
)


@dataclass(frozen=True, kw_only=True)
class Chained(Outcome[S]):
    """What a chain made of a task; ``output`` is its state, with what there is by now.

    ``made`` are the stages that this call finished, ``resumed`` those that it found finished; ``usage`` counts
    both. ``failed`` is the stage at which it ended, None if it is finished. ``paused``: that stage waits for a human.
    """

    run: str
    made: tuple[str, ...]
    resumed: tuple[str, ...]
    failed: str | None
    paused: bool = False


@dataclass(frozen=True)
class _Kept:
    """What is kept of a finished stage."""

    output: Any
    usage: Usage
    provenance: Provenance


_KEPT = TypeAdapter(_Kept)
_DONE: Outcome[Any] = Outcome(output=None, finished=True, steps=0, usage=NO_USAGE)


@dataclass
class Passage(Generic[S]):
    """One run: the values of the state's fields by now, and where each comes from."""

    state: type[S]
    stages: Sequence[Stage]
    store: Store | None
    name: str
    guards: Sequence[Guard]
    run: str
    task: str
    values: dict[str, Any] = field(init=False)
    origins: dict[str, Provenance] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {"task": self.task}
        self._made: list[str] = []
        self._resumed: list[str] = []
        self._rounds = Rounds(self.guards)
        self._trace = STATES.trace()
        self._types = {stage.name: _type_of(self.state, stage.name) for stage in self.stages}

    async def go(self) -> Chained[S]:
        """From the first stage that is not finished to the end, or to where it stops."""
        at = self.stages[0].name
        async with self._rounds:
            if self.store is not None:
                self.store.open(self.run, self.name, self.task)
            for stage in self.stages:
                at = stage.name
                if self._found(stage):
                    continue
                result = await self._tried(stage)
                if not result.finished:
                    return self._ended(at, result)
                if stage is not self.stages[-1] and (stop := self._check(stage, result)):
                    return self._ended(at, _stopped(stop))
            if self.store is not None:
                self.store.finish(self.run)
            return self._ended(None, _DONE)
        stop = self._rounds.stop
        assert stop is not None, "the block ended without a result and without a stop"
        return self._ended(at, _stopped(stop))

    # --- one stage ----------------------------------------------------------------------------

    async def _tried(self, stage: Stage) -> Outcome[Any]:
        """The stage, as often as its retry policy has it; a finished one is kept."""
        view, stop = self._view(stage)
        if stop is not None:
            return _stopped(self._rounds.reject(stop, stage.name))
        prompt = said = stage.show(view)
        tried = 0
        while True:
            tried += 1
            self._trace.to("working")
            self._rounds.begin()
            result = await self._once(stage, said)
            self._rounds.spend(result.usage)
            if result.finished:
                self._keep(stage, result)
                return result
            if tried == stage.retry.tries or getattr(result, "paused", False):
                return result
            if stop := self._check(stage, result):
                return replace(result, stopped_by=stop.guard, reason=stop.reason)
            self._trace.to("retrying")
            await asyncio.sleep(stage.retry.pause(tried))
            if stage.retry.informed:
                said = f"{prompt}\n\n<feedback>\nThe last try was rejected: {result.reason}\n</feedback>"

    def _view(self, stage: Stage) -> tuple[dict[str, Any], Stop | None]:
        """What the stage may see, less what a quarantine holds back."""
        view: dict[str, Any] = {name: self.values[name] for name in stage.sees}
        for guard in (*self.guards, *stage.guards):
            if isinstance(guard, Quarantine):
                for name, origin in self.origins.items():
                    if name in view:
                        view[name], stop = guard.admit(name, view[name], origin)
                        if stop is not None:
                            return view, stop
        return view, None

    async def _once(self, stage: Stage, prompt: str) -> Outcome[Any]:
        """One try under the stage's own guards; what may be gone the next time is an unfinished outcome."""
        own = Rounds(stage.guards)
        try:
            async with own:
                result = await stage.work(prompt)
                if result.finished:
                    result = await self._verified(stage, own, prompt, result)
                return replace(result, usage=result.usage + own.spent)
        except Halted:
            raise
        except stage.retry.on as error:
            usage = error.usage if isinstance(error, DamagedReply) else own.metered
            return _unfinished(None, f"{type(error).__name__}: {error}", usage)
        assert own.stop is not None, "the block ended without a result and without a stop"
        return _unfinished(own.stop.guard, own.stop.reason, own.metered)

    async def _verified(self, stage: Stage, own: Rounds, prompt: str, result: Outcome[Any]) -> Outcome[Any]:
        """The output, if it fits the state and all guards of outputs let it pass."""
        try:
            output = self._types[stage.name].validate_python(result.output)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            return replace(result, finished=False, reason=f"{stage.name} does not fit the state: {problem}")
        origin = result.provenance or Provenance(by=stage.name)
        for rounds in (own, self._rounds):
            origin, stop = await rounds.verify(prompt, output, origin)
            if stop is not None:
                log.guard_fired(stop.guard, origin.by, stop.reason, self._rounds.steps)
                return replace(result, finished=False, stopped_by=stop.guard, reason=stop.reason)
        return replace(result, output=output, provenance=origin)

    def _check(self, stage: Stage, result: Outcome[Any]) -> Stop | None:
        output = "" if result.output is None else as_text(result.output)
        done = len(self._made) + len(self._resumed)
        return self._rounds.check(
            agent=stage.name, action="stage", task=self.task, output=output, passed=done, criteria=len(self.stages)
        )

    # --- what is kept -------------------------------------------------------------------------

    def _found(self, stage: Stage) -> bool:
        """Whether the stage is finished, by an earlier call or by another process meanwhile."""
        kept = None if self.store is None else self.store.checkpoint(self.run, stage.name)
        if kept is None:
            return False
        found = self._take(stage, kept.value)
        self._rounds.spend(found.usage)
        self._resumed.append(stage.name)
        self._trace.to("resumed")
        return True

    def _keep(self, stage: Stage, result: Outcome[Any]) -> None:
        """Keep the stage's output, or go on with that of another process which was first."""
        assert result.provenance is not None
        plain = self._types[stage.name].dump_python(result.output, mode="json")
        value = _KEPT.dump_python(_Kept(plain, result.usage, result.provenance), mode="json")
        if self.store is not None:
            value = self.store.save(self.run, stage.name, value).value
            log.checkpointed(self.name, self.run, stage.name)
        self._take(stage, value)
        self._made.append(stage.name)
        self._trace.to("kept")

    def _take(self, stage: Stage, value: Any) -> _Kept:
        kept = _KEPT.validate_python(value)
        self.values[stage.name] = self._types[stage.name].validate_python(kept.output)
        self.origins[stage.name] = kept.provenance.resting_on(*self._seen(stage))
        return kept

    def _seen(self, stage: Stage) -> list[Provenance]:
        """What the stage rests on, less what another of them rests on: where all see all, a tree would double each time."""
        seen = [self.origins[name] for name in stage.sees if name in self.origins]
        below = {id(each) for origin in seen for above in origin.upstream for each in above.walk()}
        return [origin for origin in seen if id(origin) not in below]

    def _ended(self, at: str | None, result: Outcome[Any]) -> Chained[S]:
        paused = bool(getattr(result, "paused", False))
        self._trace.to("done" if at is None else "paused" if paused else "stopped")
        return Chained(
            output=self.state.model_validate(self.values),
            finished=at is None,
            steps=self._rounds.steps,
            usage=self._rounds.spent,
            stopped_by=result.stopped_by,
            reason=None if at is None else f"{at}: {result.reason}",
            provenance=self.origins.get(self.stages[-1].name),
            run=self.run,
            made=tuple(self._made),
            resumed=tuple(self._resumed),
            failed=at,
            paused=paused,
        )


def _type_of(state: type[BaseModel], name: str) -> TypeAdapter[Any]:
    annotation: Any = state.model_fields[name].annotation
    return TypeAdapter(annotation)


def _unfinished(guard: str | None, reason: str | None, usage: Usage) -> Outcome[Any]:
    return Outcome(output=None, finished=False, steps=0, usage=usage, stopped_by=guard, reason=reason)


def _stopped(stop: Stop) -> Outcome[Any]:
    return _unfinished(stop.guard, stop.reason, NO_USAGE)
