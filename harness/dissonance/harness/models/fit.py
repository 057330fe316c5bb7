"""An answer that has room in ``max_tokens``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dissonance.harness.call import Call, Message
from dissonance.harness.wire.complete import output_limit
from dissonance.harness.wire.estimate import corrected, count_block, count_content, cut_text, uncorrected

__all__ = ["fitted"]


def fitted(build: Callable[[Sequence[str]], Message], strings: Sequence[str], call: Call) -> Message:
    """The message built of the first of the strings, as many as have room in the answer to this call.

    A text that has no room even for the first is left to be cut by the API, as it would be; of a
    structured answer the string is cut, so that it stays readable.
    """
    limit, _ = output_limit(call)
    strings = _first(strings, limit, call.model)
    message = build(strings)
    tokens = _tokens(message, call.model)
    while tokens > limit and len(strings) > 1:
        strings = strings[: min(len(strings) - 1, max(1, len(strings) * limit // tokens))]
        message = build(strings)
        tokens = _tokens(message, call.model)
    if tokens > limit and strings and message.content[0].get("text") != strings[0]:
        return build((cut_text(strings[0], limit // 3, call.model),))
    return message


def _first(strings: Sequence[str], limit: int, model: str) -> Sequence[str]:
    """The first strings that have room on lines of their own; one at least. Each is counted once and remembered."""
    total, most = 0, uncorrected(limit, model)
    for place, text in enumerate(strings):
        total += count_content(text) + 1
        if place and total > most:
            return strings[:place]
    return strings


def _tokens(message: Message, model: str) -> int:
    return corrected(sum([count_block(block) for block in message.content]), model)
