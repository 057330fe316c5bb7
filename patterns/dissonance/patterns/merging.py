"""Agents at both ends of a fan-out: one that splits a task, one that merges the parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel, ConfigDict, Field

from .agent import Agent
from .fan_out import Split
from .outcome import Outcome
from .parts import GAP, Conflict, Part, Piece
from .solo import solo
from .step import normalised

__all__ = ["merger", "splitter"]


class _Pieces(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pieces: list[Piece] = Field(description="Independent sub-tasks that together are the whole task.")


def splitter(client: AsyncAnthropic, agent: Agent, *, at_most: int) -> Split:
    """A split made by ``agent``, into ``at_most`` (from 1) pieces; more are an error, since each costs a branch."""
    if at_most < 1:
        raise ValueError(f"at_most={at_most!r}: give 1 or more")
    ask = solo(client, agent, _Pieces)

    async def split(task: str) -> Outcome[Iterable[Piece]]:
        outcome = await ask(f"<task>\n{task}\n</task>\n\nSplit the task into at most {at_most} independent pieces.")
        pieces = outcome.output.pieces if outcome.output is not None else []
        finished, reason = outcome.finished, outcome.reason
        if len(pieces) > at_most:
            finished, reason = False, f"{agent.name} made {len(pieces)} pieces where {at_most} are allowed"
        return Outcome(output=pieces, finished=finished, steps=outcome.steps, usage=outcome.usage, reason=reason)

    return split


def merger(
    client: AsyncAnthropic, agent: Agent
) -> Callable[[str, Sequence[Part[Any]], Sequence[Conflict]], Awaitable[Outcome[str]]]:
    """A reducer that is ``agent``: it reads each part, each gap and each conflict.

    A gap or a conflict that its text does not name is added to the end of it: the orchestrator sees to it
    that nothing is passed over, since models smooth such things away.
    """
    ask = solo(client, agent)

    async def merge(task: str, parts: Sequence[Part[Any]], conflicts: Sequence[Conflict]) -> Outcome[str]:
        outcome = await ask(_prompt(task, parts, conflicts))
        if outcome.output is None:
            return outcome
        silent = [line for names, line in _to_be_named(parts, conflicts) if not _named(names, outcome.output)]
        return replace(outcome, output="\n".join([outcome.output, *silent]))

    return merge


def _prompt(task: str, parts: Sequence[Part[Any]], conflicts: Sequence[Conflict]) -> str:
    blocks = [f"<task>\n{task}\n</task>"]
    blocks += [f'<part name="{part.name}">\n{part.shown}\n</part>' for part in parts]
    blocks += [f"<conflict>\n{conflict}\n</conflict>" for conflict in conflicts]
    blocks.append(
        f"Put the parts together. Where one is missing, write its name and '{GAP}'; do not fill it in. "
        "Where parts contradict each other, give each version and whose it is."
    )
    return "\n\n".join(blocks)


def _to_be_named(parts: Sequence[Part[Any]], conflicts: Sequence[Conflict]) -> list[tuple[tuple[str, ...], str]]:
    gaps = [((part.name, GAP), f"{part.name}: {GAP} ({part.missing})") for part in parts if part.missing is not None]
    return [*gaps, *(((each.fact, *each.values.values()), f"Conflict: {each}") for each in conflicts)]


def _named(names: Sequence[str], text: str) -> bool:
    """Whether one line of the text has all of the names."""
    lines = [normalised(line) for line in text.splitlines()]
    return any(all(normalised(name) in line for name in names) for line in lines)
