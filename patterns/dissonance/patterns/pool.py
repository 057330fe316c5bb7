"""A pool of workers: fungible, dispatched least loaded first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from anthropic import AsyncAnthropic
from pydantic import BaseModel

from .agent import Agent
from .outcome import Outcome
from .solo import solo

__all__ = ["Pool", "Worker", "worker"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Worker(Generic[T]):
    """Who can do a task: a name, and an async callable, which any pattern is."""

    name: str
    work: Callable[[str], Awaitable[Outcome[T]]]


@overload
def worker(client: AsyncAnthropic, agent: Agent, schema: type[M]) -> Worker[M]: ...
@overload
def worker(client: AsyncAnthropic, agent: Agent, schema: None = None) -> Worker[str]: ...
def worker(client: AsyncAnthropic, agent: Agent, schema: type[BaseModel] | None = None) -> Worker[Any]:
    """An agent as a worker: ``solo``, which answers in text or in a validated ``schema``."""
    return Worker(agent.name, solo(client, agent, schema) if schema is not None else solo(client, agent))


class Pool(Generic[T]):
    """The workers and how many tasks each has in hand, over all concurrent runs that share the pool."""

    def __init__(self, workers: Sequence[Worker[T]]) -> None:
        names = [worker.name for worker in workers]
        if not names:
            raise ValueError("workers=[]: a pool needs at least one worker")
        if len(set(names)) < len(names):
            raise ValueError(f"workers={names!r}: give each worker a name of its own")
        self._workers = tuple(workers)
        self._load = dict.fromkeys(names, 0)

    def __len__(self) -> int:
        return len(self._workers)

    def choose(self, tried: Mapping[str, int], *, other_than: str | None = None) -> Worker[T]:
        """The worker to dispatch to: fewest tries at this task, then least loaded, then first in order.

        ``other_than`` is passed over if there is anybody else.
        """
        others = [worker for worker in self._workers if worker.name != other_than] or self._workers
        return min(others, key=lambda worker: (tried.get(worker.name, 0), self._load[worker.name]))

    async def do(self, worker: Worker[T], prompt: str) -> Outcome[T]:
        """What the worker makes of a prompt, which is meanwhile one more task in its hands."""
        self._load[worker.name] += 1
        try:
            return await worker.work(prompt)
        finally:
            self._load[worker.name] -= 1
