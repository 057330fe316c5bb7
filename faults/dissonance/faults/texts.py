"""Changing what a reply says: one text of it, a number, a sentence, a citation; decisions stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from dissonance.harness.call import Call, Message, text_block
from dissonance.harness.choices import choices

from .wording import change_strings

__all__ = ["NUMBER", "change_text", "insert", "times"]

Change = Callable[[str], str]

NUMBER = re.compile(
    r"(?<![\w.,/-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w-]|[.,/]\d)|(?<![\w.,/-])\d+(?:\.\d+)?(?![\w-]|[.,/]\d)"
)
"""A number that stands by itself: no part of a word, a code or a date in figures."""


def change_text(message: Message, call: Call, change: Change) -> Message | None:
    """The message with the first of its texts changed that ``change`` makes another of; None where it changes none.

    Its texts are its text blocks and the free strings of structured output and of tool arguments.
    """
    done = False

    def once(text: str) -> str:
        nonlocal done
        if done:
            return text
        new = change(text)
        done = new != text
        return new

    changed = change_strings(message, call, once, once)
    return changed if done else None


def insert(message: Message, call: Call, sentence: str) -> Message:
    """The message with a sentence more: before the rest of its first text, where its limit cannot cut it off.

    Where the call has its decision read from the first line of a text, it comes behind it. A message
    without any free text gets a block of its own, first.
    """
    behind = any(choice.where == "words" and choice.decides for choice in choices(call))
    changed = change_text(
        message, call, lambda text: f"{text}\n{sentence}" if behind else f"{sentence}\n{text}".strip()
    )
    if changed is not None:
        return changed
    content = (text_block(sentence), *message.content)
    return Message(content, message.stop_reason, message.stop_sequence, message.stop_details, id=message.id)


def times(text: str, factor: float, nth: int | None = None) -> str:
    """The text with its ``nth`` number (from 1; None: each) times ``factor``, written as it was.

    >>> times("1. Sales rose by 4.5 % to 1,200 units in 3 regions.", 10, 2)
    '1. Sales rose by 4.5 % to 12,000 units in 3 regions.'
    """
    count = 0

    def one(found: re.Match[str]) -> str:
        nonlocal count
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if not line.strip() and text[found.end() : found.end() + 2] in (". ", ") "):
            return found[0]  # the number of an item
        count += 1
        return found[0] if nth not in (None, count) else _multiplied(found[0], factor)

    return NUMBER.sub(one, text)


def _multiplied(figure: str, factor: float) -> str:
    decimals = len(figure.partition(".")[2])
    value = Decimal(figure.replace(",", "")) * Decimal(repr(factor))
    places = decimals if value == round(value, decimals) else max(decimals, 2)
    return f"{value:,.{places}f}" if "," in figure else f"{value:.{places}f}"
