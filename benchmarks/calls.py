"""The same SDK calls through the harness and over a bare ``httpx2.MockTransport``.

The bare transport answers the bytes that the harness answered, so that only what stands between the
SDK and the answer differs. Clients are made once, beforehand. No question is asked twice in a process, on
either side: what the harness has once counted and written out it would know again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

import anthropic
import httpx2
from anthropic.types import MessageParam

from dissonance.harness import Limits, Pace, Scripted, run

from .rows import Row, ratio, timed

__all__ = ["rows"]

TARGET = 1.25
MODEL = "claude-sonnet-4-6"
LINE = "ACME sold 1,200 units in May 2024, 4 % more than in April; the north grew, and the south did not. "
ANSWER = LINE * 4
_MODEL = Scripted(ANSWER, pace=Pace(first_byte=10.0, tokens_per_second=1e9))


# --- clients ----------------------------------------------------------------------------------

_client = anthropic.Anthropic(api_key="none")
_async_client = anthropic.AsyncAnthropic(api_key="none")


def _answer_of_the_harness() -> httpx2.Response:
    """What a bare transport is to answer: the very bytes and headers that the harness gives."""
    made = run(lambda: _client.messages.with_raw_response.create(**_request([_question()])), model=_MODEL, store=None)
    response: httpx2.Response = made.result.http_response
    return response


def _bare() -> httpx2.MockTransport:
    answer = _answer_of_the_harness()
    headers, content = answer.headers.multi_items(), answer.content
    return httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=content))


# --- workflows --------------------------------------------------------------------------------


def _request(messages: list[MessageParam]) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 300, "system": "You are the writer.", "messages": messages}


_numbers = count(100_000)  # of as many digits each


def _question() -> MessageParam:
    return {"role": "user", "content": f"{next(_numbers)}: {LINE * 2}"}


def _calls(client: anthropic.Anthropic, calls: int) -> None:
    """Requests of the same size."""
    for _ in range(calls):
        message = client.messages.create(**_request([_question()]))
        assert message.content[0].text == ANSWER


async def _conversation(client: anthropic.AsyncAnthropic, calls: int) -> None:
    """One conversation: each request resends all that was said before, as the SDK gave it."""
    said: list[MessageParam] = []
    for _ in range(calls):
        said.append(_question())
        message = await client.messages.create(**_request(said))
        said.append({"role": "assistant", "content": message.content})


# --- the two sides ----------------------------------------------------------------------------


@contextmanager
def _harness(workflow: Callable[[Any], object], calls: int) -> Iterator[Callable[[], None]]:
    """A whole run of the workflow, stored in a folder."""
    limits = Limits(calls=calls, tokens=10**9, usd=10**6, real_seconds=600)
    with TemporaryDirectory() as store:

        def play() -> None:
            made = run(workflow, model=_MODEL, limits=limits, store=store)
            assert (made.outcome, made.calls, made.tier) == ("completed", calls, "T1"), made.error_text
            assert made.seconds >= 10 * calls

        yield play


def _sync_call(rounds: int, calls: int = 400) -> Row:
    bare = anthropic.Anthropic(api_key="none", http_client=anthropic.DefaultHttpxClient(transport=_bare()))
    spent = 0.0

    def workflow(task: object) -> None:
        nonlocal spent
        spent = timed(lambda: _calls(_client, calls))

    with _harness(workflow, calls) as play:

        def inside() -> float:
            play()
            return spent

        return ratio("a call", TARGET, inside, lambda: timed(lambda: _calls(bare, calls)), calls=calls, rounds=rounds)


def _whole_run(rounds: int, calls: int = 270) -> Row:
    bare = anthropic.AsyncAnthropic(api_key="none", http_client=anthropic.DefaultAsyncHttpxClient(transport=_bare()))

    def alone() -> float:
        return timed(lambda: asyncio.run(_conversation(bare, calls)))

    with _harness(lambda task: _conversation(_async_client, calls), calls) as play:
        name = f"a run of {calls} calls of 10 s with growing history"
        return ratio(name, TARGET, lambda: timed(play), alone, calls=calls, rounds=rounds)


def rows(rounds: int) -> Iterator[Row]:
    """A sync call inside a run; and a whole run, async: 45 virtual minutes of one conversation."""
    yield _sync_call(rounds)
    yield _whole_run(rounds)
