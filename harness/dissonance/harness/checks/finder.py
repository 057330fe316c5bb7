"""Finds one claim in many texts: each sentence is looked at once, and most are passed over by their letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from dissonance.harness.claims import Claim, Twin, bare, occurs, sentences
from dissonance.harness.surface import Token, tokens

from .reading import Reading, result_text

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Finder"]

_RESPELLED = ("ization", "ize", "ized", "izing", "or", "ter")
"""Endings under which words of several spellings are one token (see ``surface``)."""

_STEM = 3
"""Letters at the start of such a word that are the same in each of its spellings."""


class _Need(NamedTuple):
    """What a text must have in it to hold one wording: each of ``all``, and ``least`` of ``some``."""

    all: tuple[str, ...]
    some: tuple[str, ...] = ()
    least: int = 0

    def met(self, text: str) -> bool:
        return all(word in text for word in self.all) and sum(word in text for word in self.some) >= self.least


class Finder:
    """Where one twin of a claim stands.

    Forms that stand in the fault-free run do not count; where the statement itself stands there,
    ``background`` is True.
    """

    def __init__(self, claim: Claim, twin: Twin = "false", baseline: Run | None = None) -> None:
        self._twin = twin
        self._claim = claim
        self._known: dict[str, tuple[str, ...]] = {}
        self._judged: dict[str, bool] = {}
        self._needs = _needs(claim, twin)
        self._one_by_one = all(len(sentences(form)) == 1 for form in claim.forms(twin))
        self.background = False
        if baseline is not None:
            self._leave_out(_texts(baseline))

    def sentences(self, text: str) -> tuple[str, ...]:
        """The sentences that hold the claim, normalised and without a speaker's name; the whole text where only all of it does."""
        if text not in self._known:
            self._known[text] = self._found(text) if self._may_hold(text) else ()
        return self._known[text]

    def _found(self, text: str) -> tuple[str, ...]:
        lines = (line for line in text.splitlines() if self._may_hold(line))
        found = tuple(bare(one) for line in lines for one in sentences(line) if self._holds(one))
        if not found and not self._one_by_one and self._holds(text):
            return (bare(text),)
        return found

    def __contains__(self, text: str) -> bool:
        return bool(self.sentences(text))

    def _holds(self, text: str) -> bool:
        if text not in self._judged:
            self._judged[text] = self._may_hold(text) and occurs(self._claim, text, self._twin)
        return self._judged[text]

    def _may_hold(self, text: str) -> bool:
        folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
        return any(need.met(folded) for need in self._needs)

    def _leave_out(self, usual: list[str]) -> None:
        name = "false_forms" if self._twin == "false" else "true_forms"
        alone = self._claim.model_copy(update={name: ()})
        kept = tuple(form for form in getattr(self._claim, name) if not _anywhere(alone, form, self._twin, usual))
        self._claim = self._claim.model_copy(update={name: kept})
        self._needs = _needs(self._claim, self._twin)
        self.background = any(text in self for text in usual)
        self._known.clear()


def _anywhere(claim: Claim, form: str, twin: Twin, usual: Iterable[str]) -> bool:
    """Whether a form alone stands in one of the texts."""
    alone = Finder(claim.model_copy(update={twin: form}), twin)
    return any(text in alone for text in usual)


def _needs(claim: Claim, twin: Twin) -> list[_Need]:
    """One for each form, and one for the statement in other words, which ``claims.occurs`` also finds."""
    said, rivals = tokens(claim.text(twin)), tokens(claim.text("true" if twin == "false" else "false"))
    shared = [token for token in said if token in rivals and (not isinstance(token, str) or len(token) > 3)]
    words = _words(shared)
    least = (len(shared) + 1) // 2 - sum(not isinstance(token, str) for token in shared)
    retold = _Need(_words(token for token in said if token not in rivals), words, max(0, min(least, len(words))))
    return [_Need(_words(tokens(form))) for form in claim.forms(twin)] + [retold]


def _words(some: Iterable[Token]) -> tuple[str, ...]:
    """The words among tokens, those of several spellings by their beginning."""
    words = (token for token in some if isinstance(token, str))
    return tuple(dict.fromkeys(word[:_STEM] if word.endswith(_RESPELLED) else word for word in words))


def _texts(run: Run) -> list[str]:
    """Everything that was sent, said and delivered, each content once."""
    reading = Reading(run.history)
    sent = {part.key: part.text for call in run.history.calls() for part in reading.sent(call)}
    said = [reading.said(reply) for reply in run.history.replies()]
    return [*sent.values(), *said, result_text(run)]
