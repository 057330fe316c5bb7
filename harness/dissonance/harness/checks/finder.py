"""Finds one claim in many texts: each sentence is looked at once, and most are passed over by their letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dissonance.harness.claims import Claim, Twin, bare, occurs, sentences
from dissonance.harness.surface import tokens

from .reading import Reading, result_text

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Finder"]

_STEM = 3
"""Letters at a word's start that no spelling changes (see ``surface``)."""


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
        self._stems = _stems(claim, twin)
        self._one_by_one = all(len(sentences(form)) == 1 for form in claim.forms(twin))
        self.background = False
        if baseline is not None:
            self._leave_out(_texts(baseline))

    def sentences(self, text: str) -> tuple[str, ...]:
        """The sentences that hold the claim, normalised and without a speaker's name; the whole text where only all of it does."""
        if text not in self._known:
            found = tuple(bare(one) for one in sentences(text) if self._holds(one))
            if not found and not self._one_by_one and self._holds(text):
                found = (bare(text),)
            self._known[text] = found
        return self._known[text]

    def __contains__(self, text: str) -> bool:
        return bool(self.sentences(text))

    def _holds(self, text: str) -> bool:
        if text not in self._judged:
            self._judged[text] = self._may_hold(text) and occurs(self._claim, text, self._twin)
        return self._judged[text]

    def _may_hold(self, text: str) -> bool:
        folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
        return any(all(stem in folded for stem in stems) for stems in self._stems)

    def _leave_out(self, usual: list[str]) -> None:
        name = "false_forms" if self._twin == "false" else "true_forms"
        alone = self._claim.model_copy(update={name: ()})
        kept = tuple(form for form in getattr(self._claim, name) if not _anywhere(alone, form, self._twin, usual))
        self._claim = self._claim.model_copy(update={name: kept})
        self._stems = _stems(self._claim, self._twin)
        self.background = any(text in self for text in usual)
        self._known.clear()


def _anywhere(claim: Claim, form: str, twin: Twin, usual: Iterable[str]) -> bool:
    """Whether a form alone stands in one of the texts."""
    alone = Finder(claim.model_copy(update={twin: form}), twin)
    return any(text in alone for text in usual)


def _stems(claim: Claim, twin: Twin) -> list[tuple[str, ...]]:
    """Starts of words: no text holds the claim that lacks one in each of these. A wording without a word asks nothing."""
    mine, others = tokens(claim.text(twin)), tokens(claim.text("true" if twin == "false" else "false"))
    apart = tuple(token[:_STEM] for token in mine if isinstance(token, str) and token not in others)
    return [_words(form) for form in claim.forms(twin)] + [apart]


def _words(form: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(token[:_STEM] for token in tokens(form) if isinstance(token, str)))


def _texts(run: Run) -> list[str]:
    """Everything that was sent, said and delivered, each content once."""
    reading = Reading(run.history)
    sent = {part.key: part.text for call in run.history.calls() for part in reading.sent(call)}
    said = [reading.said(reply) for reply in run.history.replies()]
    return [*sent.values(), *said, result_text(run)]
