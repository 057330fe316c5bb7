"""A veil over a fault's own bytes: two JSON values are the same behind it where nothing else differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .call import text_of

__all__ = ["Veil"]

_PLACEHOLDER = "\N{OBJECT REPLACEMENT CHARACTER}"


class Veil:
    """Hides texts that a fault altered.

    ``alterations`` are contents of messages without and with the fault. Hidden are their texts that
    differ, whole and, where both have as many, by the line; and the whole content. Where both are the
    same, what was altered is how much of it arrived: any beginning of its texts is then hidden.

    >>> veil = Veil([([{"type": "text", "text": "12 orders"}], [{"type": "text", "text": "21 orders"}])])
    >>> veil.same("Judge: 21 orders", "Judge: 12 orders"), veil.same("Judge: 22 orders", "Judge: 12 orders")
    (True, False)
    """

    def __init__(self, alterations: Iterable[tuple[Any, Any]]) -> None:
        self._whole = [pair for pair in alterations if pair[0] is not None and pair[1] is not None]
        self._cut = [text for before, after in self._whole if before == after for text in _strings(before)]
        self._hidden: dict[str, str] = {}
        for before, after in self._whole:
            for texts in _altered(before, after):
                self._hide(*texts)
        longest_first = sorted(self._hidden, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def same(self, mine: Any, usual: Any) -> bool:
        """Whether a value with the fault differs from the one without it in nothing else."""
        if mine == usual:
            return True
        if isinstance(mine, str) and isinstance(usual, str):
            return self._veiled(mine) == self._veiled(usual) or any(_cut_short(mine, usual, text) for text in self._cut)
        if isinstance(mine, Mapping) and isinstance(usual, Mapping):
            return mine.keys() == usual.keys() and all(self.same(mine[key], usual[key]) for key in mine)
        if isinstance(mine, list) and isinstance(usual, list):
            return self._same_lists(mine, usual)
        return False

    def _same_lists(self, mine: list[Any], usual: list[Any]) -> bool:
        if len(mine) == len(usual) and all(map(self.same, mine, usual)):
            return True
        return any(_carries(mine, after) and _carries(usual, before) for before, after in self._whole)

    def _hide(self, before: str, after: str) -> None:
        sign = _PLACEHOLDER if before and after else ""
        for text in (before, after):
            if text:
                self._hidden.setdefault(text, sign)

    def _veiled(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(lambda found: self._hidden[found[0]], text)


def _altered(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """The texts that differ, in pairs; one pair of all text where the two are not of one shape."""
    if before == after:
        return
    if isinstance(before, str) and isinstance(after, str):
        yield before, after
        lines = before.splitlines(), after.splitlines()
        if len(lines[0]) == len(lines[1]) > 1:
            yield from (pair for pair in zip(*lines, strict=True) if pair[0] != pair[1])
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        if before.get("type") == after.get("type"):
            for key in before:
                yield from _altered(before[key], after.get(key))
        else:
            yield text_of([before]), text_of([after])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _altered(one, other)
    elif isinstance(before, list | str) and isinstance(after, list | str):
        yield text_of(before), text_of(after)


def _strings(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    texts = [text_of([block]) for block in content]
    return [text for text in texts if text]


def _cut_short(mine: str, usual: str, text: str) -> bool:
    """Whether the one is the other with this text cut short."""
    head, found, tail = usual.partition(text)
    if not found or not mine.startswith(head) or not mine.endswith(tail) or len(mine) < len(head) + len(tail):
        return False
    return text.startswith(mine[len(head) : len(mine) - len(tail)])


def _carries(value: list[Any], content: Any) -> bool:
    """Whether a list of blocks is this content; clients add fields of their own."""
    return (
        isinstance(content, list)
        and len(value) == len(content)
        and all(
            isinstance(one, Mapping) and all(one.get(key) == part for key, part in block.items())
            for one, block in zip(value, content, strict=True)
        )
    )
