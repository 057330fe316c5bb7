"""States of a given size: prose written for this project, which repeats no paragraph, with needles at given depths.

The paragraphs of ``prose.txt`` come again in another order and with other names, places and figures
each time, all drawn by hash: the same arguments give the same text in every process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field

from dissonance.harness.wire.estimate import uncorrected
from dissonance.harness.wire.ranks import encode

from .draw import uniform
from .spec import Spec

__all__ = ["Needle", "grown", "paragraphs", "state"]

_BREAK = "\n\n"
_FILL = " so"
_LEAST = 8  # uncorrected tokens left for the last, incomplete paragraph
_SLOT = re.compile(r"\{(\w+)\}")
_MONTHS = "January February March April May June July August September October November December".split()
_PLACES = """
    Ardwick Belmora Castrel Dunhaven Eskmouth Farrow Gellan Hollin Ivelscombe Jarra Kettlewick Lorne Maravel Northolm
    Ostrava Penwith Quillan Redmarsh Saltney Tarrant Ulverton Vessel Wexcombe Yarrowby Zennor
    """.split()
_FIRST = "Ada Bela Carla Daniel Edith Farid Greta Hugo Ines Jonas Kira Leo Mina Nils Olga Pavel Rosa Samir Tilda Viktor".split()
_LAST = """
    Abbott Brandt Castillo Dietz Ekström Farkas Grant Holm Ishida Jensen Kowal Lindqvist Moreau Novak Okafor Petrov
    Quist Rossi Santos Thorne Ueda Vogel Weiss Yilmaz
    """.split()
_THINGS = """
    barley|rope|glassware|copper wire|dried peas|lamp oil|paper|seed potatoes|roof slates|salt|wool|charcoal|linen
    |machine parts|apples|clock springs|tea|window frames|beeswax|ink
    """


class Needle(Spec):
    """Something that must not be lost: an instruction, a fact or a tool's result, at a ``depth`` of the prose (0 to 1)."""

    text: Annotated[str, Field(min_length=1)]
    depth: Annotated[float, Field(ge=0, le=1)] = 0.5
    kind: Literal["instruction", "fact", "tool_result"] = "fact"

    @property
    def said(self) -> str:
        """How it stands in the prose, as a paragraph of its own."""
        before = {"instruction": "Instruction: ", "fact": "", "tool_result": "Result of a tool: "}
        return before[self.kind] + self.text


def state(tokens: int, *, model: str, needles: Sequence[Needle] = (), seed: int = 0) -> str:
    """Prose of so many of the model's tokens as the harness estimates them; one fewer where no text has as many.

    >>> len(encode(state(1_000, model="claude-sonnet-4-6")))  # 1,000 / 1.2
    833
    """
    return grown("", uncorrected(tokens, model), needles, seed)


def grown(text: str, size: int, needles: Sequence[Needle] = (), seed: int = 0) -> str:
    """The text with prose behind it, of ``size`` uncorrected tokens in all, or as few more as its needles need."""
    parts = [text] if text else []
    waiting = sorted(needles, key=lambda needle: needle.depth)
    room = size - sum(map(_size, parts)) - sum(_size(needle.said) for needle in waiting)
    used = 0
    for paragraph in paragraphs(seed):
        while waiting and used >= waiting[0].depth * max(room, 1):
            parts.append(waiting.pop(0).said)
        more = _size(paragraph)
        if used + more > room - _LEAST:
            break
        parts.append(paragraph)
        used += more
    last = _BREAK.join(needle.said for needle in waiting)
    rest = size - sum(map(_size, parts)) - len(encode(last))
    filling = _exactly(paragraph, rest, _BREAK if last else "")
    return _BREAK.join(part for part in (*parts, filling, last) if part)


def paragraphs(seed: int = 0) -> Iterator[str]:
    """Prose without end, a paragraph at a time; no two are the same."""
    templates = _templates()
    for number in range(1_000_000):
        cycle, place = divmod(number, len(templates))
        shift = int(uniform(seed, "order", cycle) * len(templates))
        yield _written(templates[(place + shift) % len(templates)], seed, number)


@cache
def _templates() -> tuple[str, ...]:
    return tuple((files(__package__) / "prose.txt").read_text(encoding="utf-8").splitlines())


def _written(template: str, seed: int, number: int) -> str:
    def fill(slot: re.Match[str]) -> str:
        return _word(slot[1], uniform(seed, number, slot[1]), number)

    return _SLOT.sub(fill, template)


def _word(kind: str, u: float, number: int) -> str:
    if kind == "n":
        return f"{100 + int(u * 900)}{number % 10}" if number >= 36 else str(100 + int(u * 900))
    if kind == "p":
        return f"{1 + int(u * 480) / 10:g}"
    if kind == "year":
        return str(1820 + int(u * 180))
    if kind == "who":
        return f"{_pick(_FIRST, u)} {_pick(_LAST, u * 97 % 1)}"
    words = {"month": _MONTHS, "place": _PLACES, "thing": _things()}
    return _pick(words[kind], u)


@cache
def _things() -> list[str]:
    return [thing.strip() for thing in _THINGS.split("|")]


def _pick(words: Sequence[str], u: float) -> str:
    return words[int(u * len(words))]


# --- sizes ------------------------------------------------------------------------------------


def _size(part: str) -> int:
    """The uncorrected tokens of a part with the break behind it: no token goes beyond one, so they add up."""
    return len(encode(part + _BREAK))


def _exactly(paragraph: str, size: int, behind: str) -> str:
    """The beginning of a paragraph, filled up with a word of one token, that has so many tokens with this behind it."""
    if size <= 1:
        return ""
    words = paragraph.split(" ")
    low, high = 0, len(words) - 1
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(encode(" ".join(words[:middle]) + behind)) <= size
        low, high = (middle, high) if fits else (low, middle - 1)
    text = "So"
    for end in range(low, -1, -1):  # a word behind another may add two tokens; then one word fewer is filled up
        text = " ".join(words[:end]) or "So"
        while len(encode(text + behind)) < size:
            text += _FILL
        if len(encode(text + behind)) == size:
            break
    return text
