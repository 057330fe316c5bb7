"""An answer that has room in ``max_tokens``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from dissonance.harness.call import Call, Message
from dissonance.harness.wire.complete import output_limit
from dissonance.harness.wire.estimate import corrected, count_block, cut_text

__all__ = ["fitted"]

_CHARACTERS = 8  # a token of prose has four on average: more of them than this never has room


def fitted(build: Callable[[Sequence[str]], Message], strings: Sequence[str], call: Call) -> Message:
    """The message built of the first of the strings, as many as have room in the answer to this call.

    A text that has no room even for the first is left to be cut by the API, as it would be; of a
    structured answer the string is cut, so that it stays readable.
    """
    limit, _ = output_limit(call)
    strings = _possible(strings, limit)
    message = build(strings)
    tokens = _tokens(message, call)
    while tokens > limit and len(strings) > 1:
        strings = strings[: min(len(strings) - 1, len(strings) * limit // tokens or 1)]
        message = build(strings)
        tokens = _tokens(message, call)
    if tokens > limit and strings and message.content[0].get("text") != strings[0]:
        return build((cut_text(strings[0], limit // 3, call.model),))
    return message


def _possible(strings: Sequence[str], limit: int) -> Sequence[str]:
    """The first strings that may have room, by their lengths: to count a whole inflated prompt would take seconds."""
    room = _CHARACTERS * limit
    return [text for text, end in zip(strings, accumulate(map(len, strings)), strict=True) if end <= room] or strings[
        :1
    ]


def _tokens(message: Message, call: Call) -> int:
    return corrected(sum([count_block(block) for block in message.content]), call.model)
