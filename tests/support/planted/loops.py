"""Loops without a bound, and bounds that count the wrong thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic

from dissonance.faults import (
    EmptyContent,
    Overloaded,
    Paraphrase,
    PingPong,
    RateLimit,
    RejectWork,
    RepeatToolCall,
    SlowReply,
)
from dissonance.harness import terminates

from .flows import MODEL, Planted, ask, client, on, said, tell

Flow = Callable[[str], Any]
JUDGE = "Answer APPROVE or REVISE."


def no_cap(repaired: bool) -> Flow:
    """The judge alone ends the review."""

    async def flow(task: str) -> str:
        draft, rounds = await tell("writer", task), 0
        while "APPROVE" not in await tell("judge", draft, system=JUDGE):
            rounds += 1
            if repaired and rounds == 3:
                raise RuntimeError("no agreement")
            draft = await tell("writer", draft)
        return draft

    return flow


def cap_of_repeats(repaired: bool) -> Flow:
    """The review ends where the judge says the same twice, which a judge with more words never does."""

    async def flow(task: str) -> str:
        draft, before = await tell("writer", task), list[str]()
        while "APPROVE" not in (verdict := await tell("judge", draft, system=JUDGE)):
            if verdict in before or (repaired and len(before) == 5):
                raise RuntimeError("the judge repeats itself")
            before.append(verdict)
            draft = await tell("writer", draft)
        return draft

    return flow


def cap_outside(repaired: bool) -> Flow:
    """Three drafts at most, but the inner loop asks the judge until it likes the wording."""

    async def flow(task: str) -> str:
        for _ in range(3):
            draft = await tell("writer", task)
            for tries in range(3 if repaired else 10**9):
                if "APPROVE" in await tell("judge", f"{draft} (reading {tries})", system=JUDGE):
                    return draft
        raise RuntimeError("no agreement")

    return flow


SEARCH = {
    "name": "search",
    "description": "Searches the archive.",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}


def tool_without_end(repaired: bool) -> Flow:
    """The agent may search as often as it wants."""

    async def flow(task: str) -> str:
        said_so_far: list[Any] = [{"role": "user", "content": task}]
        for turns in range(6 if repaired else 10**9):
            message = await client.messages.create(
                model=MODEL,
                max_tokens=300,
                system="You are the researcher.",
                messages=said_so_far,
                tools=[SEARCH],  # type: ignore[list-item]
            )
            uses = [block for block in message.content if block.type == "tool_use"]
            if not uses:
                return said(message)
            results = [{"type": "tool_result", "tool_use_id": each.id, "content": f"page {turns}"} for each in uses]
            said_so_far += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        raise RuntimeError("too many searches")

    return flow


def hand_offs_without_end(repaired: bool) -> Flow:
    """Sales and support may hand a customer over to each other for ever."""

    async def flow(task: str) -> str:
        here, there = "sales", "support"
        for _ in range(6 if repaired else 10**9):
            tool = {
                "name": f"transfer_to_{there}",
                "description": "Hands over.",
                "input_schema": {"type": "object", "properties": {}},
            }
            message = await ask(here, task, tools=[tool])
            if all(block.type != "tool_use" for block in message.content):
                return said(message)
            here, there = there, here
        raise RuntimeError("nobody is responsible")

    return flow


def waits_for_its_turn(repaired: bool) -> Flow:
    """A 429 is waited out, however often it comes."""

    async def flow(task: str) -> str:
        for _ in range(5 if repaired else 10**9):
            try:
                return await tell("writer", task)
            except anthropic.RateLimitError:
                await asyncio.sleep(30)
        raise RuntimeError("the limit does not go away")

    return flow


def waits_for_capacity(repaired: bool) -> Flow:
    """A 529 is waited out for ever; any other status is an error."""

    async def flow(task: str) -> str:
        for _ in range(5 if repaired else 10**9):
            try:
                return await tell("writer", task)
            except anthropic.APIStatusError as error:
                if error.status_code != 529:
                    raise
                await asyncio.sleep(10)
        raise RuntimeError("overloaded")

    return flow


def waits_for_words(repaired: bool) -> Flow:
    """An answer without a word is asked for again, without end."""

    async def flow(task: str) -> str:
        for _ in range(4 if repaired else 10**9):
            message = await ask("writer", task)
            if message.content:
                return said(message)
        raise RuntimeError("nothing is said")

    return flow


def waits_for_the_slow(repaired: bool) -> Flow:
    """A timeout is followed by another try, without end."""

    async def flow(task: str) -> str:
        for _ in range(3 if repaired else 10**9):
            try:
                return await tell("writer", task)
            except anthropic.APITimeoutError:
                continue
        raise RuntimeError("too slow")

    return flow


def no_time_box(repaired: bool) -> Flow:
    """Due in ten minutes, and nobody looks at the clock."""

    async def flow(task: str) -> str:
        try:
            return await asyncio.wait_for(tell("writer", task), 300 if repaired else None)
        except TimeoutError:
            return "late"

    return flow


LOOPS = [
    Planted(flow=no_cap, checks=[terminates()], rules=[on("judge", RejectWork())]),
    Planted(flow=cap_of_repeats, checks=[terminates()], rules=[on("judge", Paraphrase())]),
    Planted(flow=cap_outside, checks=[terminates()], rules=[on("judge", RejectWork())]),
    Planted(flow=tool_without_end, checks=[terminates()], rules=[on("researcher", RepeatToolCall())]),
    Planted(flow=hand_offs_without_end, checks=[terminates()], rules=[on(None, PingPong())]),
    Planted(flow=waits_for_its_turn, checks=[terminates()], rules=[on("writer", RateLimit())]),
    Planted(flow=waits_for_capacity, checks=[terminates()], rules=[on("writer", Overloaded())]),
    Planted(flow=waits_for_words, checks=[terminates()], rules=[on("writer", EmptyContent())]),
    Planted(flow=waits_for_the_slow, checks=[terminates()], rules=[on("writer", SlowReply(seconds=598))]),
    Planted(flow=no_time_box, checks=[terminates(within_seconds=600)], rules=[on("writer", SlowReply(seconds=598), 1)]),
]
