"""The family ``hallucination``: the model says what is not so, in a reply that looks like any other.

They alter what the model answers: its text, or where it has none the free strings of its structured
output or tool arguments. Decisions, and what a schema binds, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator

from dissonance.harness.call import Call, JsonObject, Message, Reply
from dissonance.harness.claims import Claim, Twin, informs, sentences

from .fault import Family, Fault
from .texts import change_text, insert, times

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["Contradict", "CorruptNumber", "DropCitation", "FabricateCitation", "SeedClaim"]

_Nth = Annotated[int, Field(ge=1)]


class SeedClaim(Fault):
    """The reply says a claim more: the ``false`` form, or in the control arm the ``true`` one (``twin``).

    It stands in front of the rest, where ``max_tokens`` does not cut it off; behind it, where the call
    has a decision read from the text. Its mark carries the claim, which the check ``cascade`` follows;
    a claim by itself damages nothing.
    """

    family: ClassVar[Family] = "hallucination"
    claim: Claim
    twin: Twin = "false"

    @field_validator("claim", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        """A claim's lists come as lists in JSON."""
        return value if isinstance(value, Claim) else Claim.model_validate(value)

    @property
    def claims(self) -> tuple[JsonObject, ...]:
        return (self.claim.model_dump(mode="json"),)

    def sentence(self) -> str:
        return f"the model says {self.claim.text(self.twin)!r} ({self.twin})"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None:
            return None
        return reply.with_message(insert(reply.message, call, self.claim.text(self.twin)))


class CorruptNumber(Fault):
    """A number of the reply is wrong: the ``nth`` of its text (from 1) times ``factor`` (not 0 or 1).

    Numbers of list items, and numbers within words, codes and dates in figures, are none. A reply
    without such a number is left alone.
    """

    family: ClassVar[Family] = "hallucination"
    damages: ClassVar[str | None] = "wrong number"
    factor: float = 10.0
    nth: _Nth = 1

    @field_validator("factor")
    @classmethod
    def _changes(cls, value: float) -> float:
        if value in (0, 1):
            raise ValueError(f"factor {value:g} gives no wrong number to be found again; give another one, such as 10")
        return value

    def sentence(self) -> str:
        return f"number {self.nth} of the reply is {self.factor:g} times what it should be"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return _changed(call, reply, lambda text: times(text, self.factor, self.nth))


class FabricateCitation(Fault):
    """The reply cites a ``source`` that does not exist, behind its first sentence that informs (else its first).

    The default is in the form of author, year and DOI; the DOI's prefix 10.5555 is one that names nothing.
    """

    family: ClassVar[Family] = "hallucination"
    damages: ClassVar[str | None] = "fabricated citation"
    source: Annotated[str, Field(min_length=1)] = "(Harlow and Pike, 2021, doi:10.5555/hp.2021.0417)"

    def sentence(self) -> str:
        return f"the model cites {self.source!r}, which does not exist"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return _changed(call, reply, lambda text: _behind(_first(text), f" {self.source}", text))


class DropCitation(Fault):
    """The reply names no sources: citations in its text and in its blocks are gone.

    Citations are ``[1]``, ``[2, 5]``, ``[source: …]``, ``(Author, 2020)``, ``(doi:…)``, addresses and bare DOIs. A
    reply without any is left alone.
    """

    family: ClassVar[Family] = "hallucination"
    damages: ClassVar[str | None] = "dropped citation"

    def sentence(self) -> str:
        return "the model leaves its sources out"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        message = reply.message
        if message is None:
            return None
        plain = replace(message, content=[{k: v for k, v in b.items() if k != "citations"} for b in message.content])
        bare = _everywhere(plain, call, _without_citations)
        return None if list(bare.content) == list(message.content) else reply.with_message(bare)


class Contradict(Fault):
    """The reply says the opposite of what it would have said, of its ``nth`` sentence that informs (from 1).

    A sentence informs that has a number, a name or a date. A reply without so many is left alone.
    """

    family: ClassVar[Family] = "hallucination"
    damages: ClassVar[str | None] = "contradicted statement"
    nth: _Nth = 1

    def sentence(self) -> str:
        return f"the model denies its statement number {self.nth}"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return _changed(call, reply, self._denied)

    def _denied(self, text: str) -> str:
        statements = [sentence for sentence in sentences(text) if informs(sentence)]
        if len(statements) < self.nth:
            return text
        statement = statements[self.nth - 1]
        return text.replace(statement, f"It is not true that {statement}", 1)


# --- texts ------------------------------------------------------------------------------------

_CITATION = re.compile(
    r"\s*(?:\[(?:\d{1,3}(?:\s*[,;\u2013-]\s*\d{1,3})*|(?:source|ref|cite|doc)s?\b[^\]\n]*)\]"
    r"|\((?:[^()\n]*\b(?:1[89]|20)\d\d[a-z]?(?:,[^()\n]*)?|doi:[^()\n]*|https?://[^()\s]*)\)"
    r"|\bdoi:\s?10\.\S+\w|\bhttps?://[^\s<>\"')\]]*[^\s<>\"')\].,;])",
    re.IGNORECASE,
)


def _changed(call: Call, reply: Reply, change: Callable[[str], str]) -> Reply | None:
    message = None if reply.message is None else change_text(reply.message, call, change)
    return None if message is None else reply.with_message(message)


def _everywhere(message: Message, call: Call, change: Callable[[str], str]) -> Message:
    while (changed := change_text(message, call, change)) is not None:
        message = changed
    return message


def _without_citations(text: str) -> str:
    return _CITATION.sub("", text)


def _first(text: str) -> str:
    found = sentences(text)
    return next((sentence for sentence in found if informs(sentence)), found[0] if found else "")


def _behind(sentence: str, addition: str, text: str) -> str:
    """The text with an addition within this sentence, before its full stop."""
    if not sentence or sentence not in text:
        return text
    stop = sentence[-1] if sentence[-1] in ".!?" else ""
    return text.replace(sentence, sentence.removesuffix(stop) + addition + stop, 1)
