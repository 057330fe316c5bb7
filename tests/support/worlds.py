"""Plays a workflow in a world of its own and keeps how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dissonance.harness.perform import _apart
from dissonance.harness.world import World, complete, inside


@dataclass(frozen=True)
class Played:
    world: World
    result: Any
    error: BaseException | None

    @property
    def seconds(self) -> float:
        return self.world.now

    @property
    def stopped(self) -> tuple[str, str]:
        """The limit that ended the world, and the reason."""
        assert self.world.ending is not None, f"it was not stopped; error {self.error!r}"
        return self.world.ending.limit, self.world.ending.reason


def play(workflow: Callable[[], Any], **options: Any) -> Played:
    """Run a sync or async workflow without arguments; its exception is kept, not raised."""
    world = World(**options)
    try:
        with inside(world):
            result = _apart(workflow)  # what a world's end raises in a handler is not to outlive it
            if asyncio.iscoroutine(result):
                result = complete(world, result)
    except BaseException as error:
        return Played(world, None, error)
    return Played(world, result, None)


def succeed(workflow: Callable[[], Any], **options: Any) -> Played:
    """As :func:`play`; raises what the workflow raised."""
    played = play(workflow, **options)
    if played.error is not None:
        raise played.error
    return played


def worked(seconds: float, result: Any = None) -> Any:
    """Work that blocks its thread for so long, and comes to this result."""
    time.sleep(seconds)
    return result


def later(seconds: float, act: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """A function that blocks for so long, and then acts."""

    def wait_and_act() -> Any:
        time.sleep(seconds)
        return act(*arguments)

    return wait_and_act
