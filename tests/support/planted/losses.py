"""What was lost or broken on the way, and nobody said so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic

from dissonance.faults import (
    CutStream,
    Disconnect,
    EmptyContent,
    HttpError,
    MalformedBody,
    RateLimit,
    Refusal,
    SlowReply,
    Stall,
    StreamError,
    TruncatedToolJson,
)
from dissonance.harness import no_silent_damage

from .flows import MODEL, Planted, ask, client, delivers, on, said, tell

Flow = Callable[[str], Any]
FAILED = (anthropic.APIStatusError,)
SCOUTS = ("north-scout", "south-scout", "east-scout")


def swallowed_exception(repaired: bool) -> Flow:
    """Whatever goes wrong, the report goes out."""

    async def flow(task: str) -> str:
        try:
            found = await tell("scout", task)
        except Exception:
            if repaired:
                raise
            found = ""
        return await tell("writer", task + found)

    return flow


def hidden_gap(repaired: bool) -> Flow:
    """The reducer joins what came back and does not say what is missing."""

    async def flow(task: str) -> str:
        found = await asyncio.gather(*(tell(scout, task) for scout in SCOUTS), return_exceptions=True)
        lost = [scout for scout, each in zip(SCOUTS, found, strict=True) if isinstance(each, BaseException)]
        if repaired and lost:
            raise RuntimeError(f"missing: {', '.join(lost)}")
        return "\n".join(each for each in found if isinstance(each, str))

    return flow


def cut_taken_for_whole(repaired: bool) -> Flow:
    """A stream that ends without a stop reason is no answer."""

    async def flow(task: str) -> str:
        async with client.messages.stream(
            model=MODEL, max_tokens=300, system="You are the writer.", messages=[{"role": "user", "content": task}]
        ) as stream:
            message = await stream.get_final_message()
        if repaired and message.stop_reason is None:
            raise RuntimeError("the answer was cut")
        return said(message)

    return flow


def empty_taken_for_answer(repaired: bool) -> Flow:
    """Nothing joined is still a text."""

    async def flow(task: str) -> str:
        message = await ask("writer", task)
        if repaired and not message.content:
            raise RuntimeError("no answer")
        return "Report: " + "".join(block.text for block in message.content if block.type == "text")

    return flow


def refusal_taken_for_answer(repaired: bool) -> Flow:
    """It knows empty answers, and takes a refusal for a short one."""

    async def flow(task: str) -> str:
        message = await ask("writer", task)
        if not message.content and (repaired or message.stop_reason == "end_turn"):
            raise RuntimeError("no answer")
        return "Report: " + "".join(block.text for block in message.content if block.type == "text")

    return flow


def silent_judge_approves(repaired: bool) -> Flow:
    """What is not rejected is published, and a judge who says nothing rejects nothing."""

    async def flow(task: str) -> str:
        draft = await tell("writer", task)
        message = await ask("judge", draft, system="Answer APPROVE or REVISE.")
        verdict = "".join(block.text for block in message.content if block.type == "text")
        if "REVISE" in verdict or (repaired and "APPROVE" not in verdict):
            raise RuntimeError("not published")
        return draft

    return flow


ORDER = {
    "name": "order",
    "description": "Orders a part.",
    "input_schema": {
        "type": "object",
        "properties": {"part": {"type": "string"}, "number": {"type": "integer"}},
        "required": ["part", "number"],
    },
}


def half_an_order(repaired: bool) -> Flow:
    """An order without a number is for one."""

    async def flow(task: str) -> str:
        message = await ask("buyer", task, tools=[ORDER], tool_choice={"type": "tool", "name": "order"})
        (use,) = (block for block in message.content if block.type == "tool_use")
        if repaired and (message.stop_reason != "tool_use" or set(use.input) != {"part", "number"}):
            raise RuntimeError("the order is not complete")
        return f"ordered {use.input.get('number', 1)} of {use.input.get('part', 'all')}"

    return flow


def page_taken_for_answer(repaired: bool) -> Flow:
    """What has no content has nothing to say, be it a proxy's page."""

    async def flow(task: str) -> str:
        message: Any = await ask("writer", task)
        if repaired and not isinstance(message, anthropic.types.Message):
            raise RuntimeError("no message")
        blocks = getattr(message, "content", None)
        if blocks is not None and not blocks:
            raise RuntimeError("no answer")
        return "Report: " + "".join(block.text for block in blocks or ())

    return flow


def stale_when_locked_out(repaired: bool) -> Flow:
    """Without a valid key, yesterday's report is sent."""

    async def flow(task: str) -> str:
        try:
            return await tell("writer", task)
        except anthropic.AuthenticationError:
            if repaired:
                raise
            return "ACME sold 1,100 units."

    return flow


def shortened_in_silence(repaired: bool) -> Flow:
    """Too large a request is asked again without the material."""

    async def flow(task: str) -> str:
        try:
            return await tell("writer", task + "\nMaterial: the north grew by 7 %.")
        except anthropic.RequestTooLargeError:
            if repaired:
                raise
            return await tell("writer", task)

    return flow


def offline_means_nothing_found(repaired: bool) -> Flow:
    """A connection that breaks is read as no news; a timeout is an error."""

    async def flow(task: str) -> str:
        try:
            return await tell("scout", task)
        except anthropic.APITimeoutError:
            raise
        except anthropic.APIConnectionError:
            if repaired:
                raise
            return "Nothing was found."

    return flow


def keeps_what_arrived(repaired: bool) -> Flow:
    """A stream that breaks with an error has said enough."""

    async def flow(task: str) -> str:
        text = ""
        async with client.messages.stream(
            model=MODEL, max_tokens=300, system="You are the writer.", messages=[{"role": "user", "content": task}]
        ) as stream:
            try:
                async for piece in stream.text_stream:
                    text += piece
            except anthropic.APIError:
                if repaired or not text:
                    raise
                return text
            if (await stream.get_final_message()).stop_reason is None:
                raise RuntimeError("the answer was cut")
        if not text:
            raise RuntimeError("no answer")
        return text

    return flow


def second_failure_hidden(repaired: bool) -> Flow:
    """The fallback is there; that it may fail too, nobody thought of."""

    async def flow(task: str) -> str:
        try:
            return await tell("writer", task)
        except FAILED:
            try:
                return await tell("substitute", task)
            except FAILED:
                if repaired:
                    raise
                return "Nothing to report."

    return flow


def no_quorum(repaired: bool) -> Flow:
    """Two lost votes of three leave a majority of one."""

    async def flow(task: str) -> dict[str, Any]:
        votes = await asyncio.gather(*(_vote(scout, task) for scout in SCOUTS))
        cast = [vote for vote in votes if vote is not None]
        if not cast or (repaired and len(cast) < 2):
            raise RuntimeError("too few votes")
        return {"decided": True, "votes": len(cast)}

    return flow


async def _vote(voter: str, task: str) -> str | None:
    try:
        return await tell(voter, task)
    except FAILED:
        return None


def paid_twice(repaired: bool) -> Flow:
    """The step pays and then asks for a receipt; where that fails, the whole step is done again."""

    async def flow(task: str) -> list[str]:
        paid: list[str] = []
        for _ in range(2):
            if not (repaired and paid):
                paid.append("120 euros")
            try:
                await tell("clerk", f"Write a receipt. {task}")
            except FAILED:
                continue
            break
        return paid

    return flow


def mailed_again(repaired: bool) -> Flow:
    """The notice is sent for each answer that is asked for again because it was empty."""

    async def flow(task: str) -> list[str]:
        sent: list[str] = []
        for _ in range(3):
            if not repaired:
                sent.append("notice")
            message = await ask("clerk", task)
            if message.content:
                return sent if sent else ["notice"]
        raise RuntimeError("no answer")

    return flow


def late_branch_left_out(repaired: bool) -> Flow:
    """After two minutes the report goes out with the branches that are there, without a word about the others."""

    async def flow(task: str) -> dict[str, list[str]]:
        branches = {scout: asyncio.ensure_future(tell(scout, task)) for scout in SCOUTS}
        done, late = await asyncio.wait(branches.values(), timeout=120)
        for each in late:
            each.cancel()
        found = [scout for scout, branch in branches.items() if branch in done and branch.result()]
        return {"found": found, "missing": [scout for scout in SCOUTS if scout not in found] if repaired else []}

    return flow


def wrong_order(repaired: bool) -> Flow:
    """Results are taken in the order in which they come, and named in the order in which they were asked for."""

    async def flow(task: str) -> list[tuple[str, str]]:
        questions = [f"What of {region}?" for region in ("Norway", "Sweden")]
        scouts = ("first-scout", "second-scout")
        asked = [asyncio.ensure_future(tell(*each)) for each in zip(scouts, questions, strict=True)]
        answers = [await each for each in (asked if repaired else asyncio.as_completed(asked))]
        return list(zip(questions, answers, strict=True))

    return flow


_ALL_NAMED = delivers(lambda result: len(result["found"]) + len(result["missing"]) == len(SCOUTS), "gaps are named")
_ONCE = delivers(lambda result: len(result) == 1, "done once")
_QUORUM = delivers(lambda result: result["votes"] >= 2, "quorum")
_MATCHED = delivers(lambda result: all(question in answer for question, answer in result), "answers match")
_A_REPORT = delivers(lambda result: result != "Nothing to report.", "a report")
_TOLD = [no_silent_damage()]

LOSSES = [
    Planted(flow=swallowed_exception, checks=_TOLD, rules=[on("scout", Stall(), 1)]),
    Planted(flow=hidden_gap, checks=_TOLD, rules=[on(SCOUTS[0], Stall(), 1)]),
    Planted(flow=cut_taken_for_whole, checks=_TOLD, rules=[on("writer", CutStream(), 1)]),
    Planted(flow=empty_taken_for_answer, checks=_TOLD, rules=[on("writer", EmptyContent(), 1)]),
    Planted(flow=refusal_taken_for_answer, checks=_TOLD, rules=[on("writer", Refusal(), 1)]),
    Planted(flow=silent_judge_approves, checks=_TOLD, rules=[on("judge", EmptyContent(), 1)]),
    Planted(flow=half_an_order, checks=_TOLD, rules=[on("buyer", TruncatedToolJson(), 1)]),
    Planted(flow=page_taken_for_answer, checks=_TOLD, rules=[on("writer", MalformedBody(shape="html"), 1)]),
    Planted(flow=stale_when_locked_out, checks=_TOLD, rules=[on("writer", HttpError(status=401), 1)]),
    Planted(flow=shortened_in_silence, checks=_TOLD, rules=[on("writer", HttpError(status=413), 1)]),
    Planted(flow=offline_means_nothing_found, checks=_TOLD, rules=[on("scout", Disconnect(), 1)]),
    Planted(flow=keeps_what_arrived, checks=_TOLD, rules=[on("writer", StreamError(), 1)]),
    Planted(
        flow=second_failure_hidden,
        checks=[_A_REPORT],
        rules=[on("writer", RateLimit(), 1), on("substitute", RateLimit(), 1)],
    ),
    Planted(flow=no_quorum, checks=[_QUORUM], rules=[on(SCOUTS[0], RateLimit(), 1), on(SCOUTS[1], RateLimit(), 1)]),
    Planted(flow=paid_twice, checks=[_ONCE], rules=[on("clerk", RateLimit(), 1)]),
    Planted(flow=mailed_again, checks=[_ONCE], rules=[on("clerk", EmptyContent(), 1)]),
    Planted(flow=late_branch_left_out, checks=[_ALL_NAMED], rules=[on(SCOUTS[0], SlowReply(seconds=118), 1)]),
    Planted(flow=wrong_order, checks=[_MATCHED], rules=[on("first-scout", SlowReply(seconds=1), 1)]),
]
