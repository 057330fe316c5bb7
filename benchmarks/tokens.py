"""A state of 200,000 tokens that grows by a block a call, counted at each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import process_time
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from dissonance.harness.history import Bodies
from dissonance.harness.wire.request import Request
from dissonance.harness.wire.tokens import Meter

from .rows import Row

__all__ = ["rows"]

TARGET_MS = 1.0
STATE = 200_000
CALLS = 200
LINES = 18
_WORDS = (
    "In week {} of the audit, ACME's branch {} reported {} units, a shortfall of {} against the plan it had signed."
)


def _block(number: int) -> str:
    """About 500 tokens, as a tool's result has, unlike any other block's."""
    return " ".join(_WORDS.format(number, number * 7 % 97, number * 131 % 1009, line) for line in range(LINES))


def _as_blocks(blocks: list[str]) -> list[dict[str, Any]]:
    """One message whose content has them all."""
    return [{"role": "user", "content": [{"type": "text", "text": block} for block in blocks]}]


def _as_messages(blocks: list[str]) -> list[dict[str, Any]]:
    """A conversation with a message for each."""
    return [{"role": ("user", "assistant")[number % 2], "content": block} for number, block in enumerate(blocks)]


def _request(messages: list[dict[str, Any]]) -> Request:
    body = {"model": "claude-sonnet-4-6", "max_tokens": 300, "system": "You are the auditor.", "messages": messages}
    return Request("messages", from_json(to_json(body)), {}, 0, "2023-06-01")


def _row(name: str, shape: Callable[[list[str]], list[dict[str, Any]]], rounds: int) -> Row:
    grown = [_grow(shape) for _ in range(rounds)]
    detail = f"{grown[0].blocks} blocks and one more at each of {CALLS} calls, {rounds} rounds"
    return Row(
        f"counting 200,000 tokens, {name}", TARGET_MS, median(each.milliseconds for each in grown), "ms a call", detail
    )


class _Grown(NamedTuple):
    blocks: int
    milliseconds: float


def _grow(shape: Callable[[list[str]], list[dict[str, Any]]]) -> _Grown:
    """Each request is parsed anew, as the wire does; that is not timed."""
    meter, bodies = Meter(), Bodies()
    blocks: list[str] = []
    while meter.measure(_request(shape(blocks)), bodies).tokens < STATE:
        blocks += [_block(len(blocks) + more) for more in range(10)]
    size, spent = len(blocks), 0.0
    for _ in range(CALLS):
        blocks.append(_block(len(blocks)))
        request = _request(shape(blocks))
        before = process_time()
        meter.measure(request, bodies)
        spent += process_time() - before
    return _Grown(size, 1000 * spent / CALLS)


def rows(rounds: int) -> Iterator[Row]:
    """In one message with many blocks, and in many messages."""
    yield _row("in one message", _as_blocks, rounds)
    yield _row("in many messages", _as_messages, rounds)
