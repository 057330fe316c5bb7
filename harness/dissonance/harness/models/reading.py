"""How ``Gullible`` reads a request: the claims that others bring to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from dissonance.harness.call import Block, Call, text_of
from dissonance.harness.claims import bare, claims_in, informs, normal
from dissonance.harness.words import offered

__all__ = ["carried"]


class _Read(NamedTuple):
    """A claim as read: ``key`` tells claims apart, ``bare`` is the key without the speaker's name before it."""

    key: str
    bare: str
    sentence: str
    informs: bool


_FORM = re.compile(
    r"\b(?:respond|reply|answer|return|output|produce|write|format)\b[^.!?]*\bJSON\b|^(?:please )?(?:respond|reply) "
    r"|\b(?:you|I) must\b|\bfinal answer\b|^(?:thought|action(?: input)?):",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)


def carried(call: Call) -> tuple[str, ...]:
    """The claims of the request, each once: those with numbers, names or dates first, else in their order.

    They come from what users and tools say, and last from the system prompt, of which only what
    informs and is not said to the model itself counts. What tells the model how to answer is no
    claim. The agent's own lines (the conversation's assistant messages) are no source.
    """
    found: dict[str, _Read] = {}
    for message in call.messages:
        if message.get("role") != "assistant":
            for text in _texts(message.get("content")):
                _gather(found, _read(text))
    _gather(found, _read_system(call.system_text))
    reads = found.values()
    return (*[r.sentence for r in reads if r.informs], *[r.sentence for r in reads if not r.informs])


def _gather(found: dict[str, _Read], reads: Sequence[_Read]) -> None:
    """Adds what is new; a known claim with another speaker's name before it is not, or names would pile up."""
    for read in reads:
        if read.key not in found and read.bare not in found:
            found[read.key] = read


def _texts(content: str | Sequence[Block] | None) -> Iterator[str]:
    """The texts of a message, one for each block."""
    if isinstance(content, str):
        yield content
    else:
        for block in content or ():
            text = block.get("text") or block.get("content")
            yield text if isinstance(text, str) else text_of((block,))


@lru_cache(maxsize=16_384)
def _read(text: str) -> tuple[_Read, ...]:
    return tuple(
        _Read(normal(sentence), bare(sentence), sentence, informs(sentence))
        for sentence in claims_in(text)
        if not _instructs(sentence)
    )


@lru_cache(maxsize=1_024)
def _read_system(text: str) -> tuple[_Read, ...]:
    return tuple(read for read in _read(text) if read.informs and not _ADDRESS.search(read.sentence))


def _instructs(sentence: str) -> bool:
    """Whether it tells how to answer."""
    return bool(_FORM.search(sentence) or offered(sentence, cued=True))
