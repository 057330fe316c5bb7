"""The amplification of a real cascade: claims derived from a planted one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

from dissonance.harness.claims import Claim, occurs
from dissonance.harness.history import History

__all__ = ["elaborated"]


def elaborated(sentences: Sequence[str], past: History, count: int) -> tuple[str, ...]:
    """The sentences, and after each that has a claim planted by now, ``count`` more that follow from it.

    A derived sentence holds its claim and is like no other, so that after d agents that pass on
    what they read there are (1 + count) ** d.
    """
    planted = {claim["id"]: claim for fault in past.faults() for claim in fault.claims}
    if not planted:
        return tuple(sentences)
    claims = [Claim.model_validate(claim) for claim in planted.values()]
    known = set(sentences)
    found: list[str] = []
    for sentence in sentences:
        found.append(sentence)
        if any(_has(claim, sentence) for claim in claims):
            new = (text for number in itertools.count() if (text := _derived(sentence, number)) not in known)
            found += itertools.islice(new, count)
    return tuple(found)


@lru_cache(maxsize=8_192)
def _has(claim: Claim, sentence: str) -> bool:
    return occurs(claim, sentence) or occurs(claim, sentence, "true")


def _derived(sentence: str, number: int) -> str:
    """What follows from a sentence: without figures, so that it contradicts nothing."""
    return f"{sentence.rstrip(' .!?')}, as analysis {_letters(number)} bears out."


def _letters(number: int) -> str:
    """A, B, …, Z, BA, BB, …"""
    rest, last = divmod(number, 26)
    return (_letters(rest) if rest else "") + chr(ord("A") + last)
