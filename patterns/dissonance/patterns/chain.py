"""A chain: stages in a fixed order, each of which fills one field of a typed state.

**When to use it.** Each stage needs the whole result of an earlier one: extract, analyse, draft, format. **When
not.** Stages don't need each other (``fan_out``), or which comes next turns out on the way (``supervise``).

**What it costs.** The sum of its stages, in time and in calls. A stage's prompt holds the fields that it ``sees``
and nothing else; a chain of k stages that all see everything carries k(k-1)/2 outputs in all. With a store, one
transaction a stage, made on the event loop: about a millisecond where the database is near.

**How it fails.** One bad stage fails all after it: verify outputs by guards, and give a ``Retry``. A falsehood
is carried on by every stage that sees it: ground it, or ``Quarantine`` what nobody verified. A crash, where a
store is given, loses the stage at work and no other: called again with the same run, here or elsewhere, it goes on.

A stage that ends unfinished after its last try ends the chain, unfinished; ``output`` is the state so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from .guards import Guard
from .passage import STATES, Chained, Passage
from .stage import Stage

if TYPE_CHECKING:
    from .store import OpenRun, Store

__all__ = ["STATES", "Chain", "Chained", "chain"]

S = TypeVar("S", bound=BaseModel)


def chain(
    state: type[S],
    stages: Sequence[Stage],
    *,
    store: Store | None = None,
    name: str = "chain",
    guards: Sequence[Guard] = (),
) -> Chain[S]:
    """A pattern that takes a task through ``stages``.

    * ``state``: a model with a field ``task: str`` and one for each stage, which has a default.
    * ``store``: where finished stages are kept; None: a crash loses all. ``name``: which of its runs are this chain's.
    * ``guards``: a step is a try of a stage; progress is the share of stages done. Guards of outputs look at
      each stage's.

    Raises ValueError for a stage that has no field, has no default there, or sees what is not there yet.
    """
    names = [stage.name for stage in stages]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"stages={names!r}: give at least one, each with a name of its own")
    for number, stage in enumerate(stages):
        found = state.model_fields.get(stage.name)
        if found is None or found.is_required():
            raise ValueError(f"stage {stage.name!r}: {state.__name__} needs a field of this name with a default")
        if unknown := [each for each in stage.sees if each not in ("task", *names[:number])]:
            raise ValueError(
                f"stage {stage.name!r} sees {unknown!r}: give 'task' or earlier stages, {names[:number]!r}"
            )
    return Chain(state, tuple(stages), store, name, tuple(guards))


@dataclass(frozen=True)
class Chain(Generic[S]):
    """The pattern that ``chain`` makes."""

    state: type[S]
    stages: tuple[Stage, ...]
    store: Store | None
    name: str
    guards: tuple[Guard, ...]

    async def __call__(self, task: str, *, run: str | None = None) -> Chained[S]:
        """Take the task through all stages that are not finished yet.

        ``run`` is the run's id in the store; by default it is made from the chain's name and the task.
        """
        digest = blake2b(task.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        passage = Passage(
            self.state, self.stages, self.store, self.name, self.guards, run or f"{self.name}-{digest}", task
        )
        return await passage.go()

    def unfinished(self) -> tuple[OpenRun, ...]:
        """The runs of this chain in its store that have not come to an end."""
        return () if self.store is None else self.store.unfinished(self.name)

    async def resume(self) -> tuple[Chained[S], ...]:
        """Go on with all of them, one after the other: what a process does when it starts."""
        return tuple([await self(open.task, run=open.id) for open in self.unfinished()])
