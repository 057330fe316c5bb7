"""Words that accept and words that reject: the one table by which decisions are read.

A word counts wherever somebody offers it as an answer: as an option of an enum, as the name of a
boolean or of a tool, or quoted or in capitals in a prompt (``Respond with 'APPROVE'``, ``FINISH``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

__all__ = ["ACCEPTING", "REJECTING", "Offer", "Side", "listed", "offered", "side_of", "tokens_of"]

Side: TypeAlias = Literal["accept", "reject"]

ACCEPTING = frozenset(
    """
    accept accepted acceptable accepts agree agreed agreement approval approve approved approves complete completed
    completion confirm confirmed consensus converged correct done end ended exit final finalise finalised finalize
    finalized finish finished good lgtm ok okay pass passed passes publish ready resolved respond satisfactory satisfied ship
    solved stop submit submitted succeeded success successful sufficient terminate terminated true valid verified yes
    """.split()
)
"""Words that take the accepting or finishing branch."""

REJECTING = frozenset(
    """
    again bad continue declined decline denied deny disagree disagreed disapprove disapproved error errors fail failed
    fails false improve improvement incomplete incorrect insufficient invalid issues missing more needs no problems
    redo refine refuse refused reject rejected rejection rejects repeat retry revise revised revision revisions rework
    rewrite unacceptable unfinished unresolved unsatisfactory unsolved wrong
    """.split()
)
"""Words that take the other branch: ask for another round, or say no."""

_WEAK = frozenset(
    """
    again bad complete correct end error errors fail false final good improve invalid issues missing more needs no ok
    okay pass problems ready respond ship stop submit true valid wrong yes
    """.split()
)
"""Words that also stand in capitals for mere emphasis: unquoted they count only where an answer is asked for."""

_NEGATIONS = frozenset({"not", "never", "isn", "dont", "don", "non", "without"})
_ABSENCES = re.compile(r"^(no|zero|without)\b.*\b(change|issue|error|problem|concern|revision|improvement|more)", re.I)
_CUE = re.compile(
    r"\b(respond|reply|answer|say|saying|output|return|write|type|choose|select|pick|print|state|emit|include|add"
    r"|(end|finish|conclude|begin|start) (your|the|each|every|with)|verdict|decide|decision|either)\b",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])")
_QUOTED = re.compile(
    r"""(?<![\w'"`])(?P<open>\*\*|["'`\u201c\u2018])(?P<phrase>[A-Za-z][A-Za-z _-]{0,38}?)"""
    r"""(?P<tail>:[^"'`\u201d\u2019*\n]{0,60}|[.!])?(?:\*\*|["'`\u201d\u2019])(?!\w)"""
)
_CAPITALS = re.compile(r"\b[A-Z]{2,}(?:[ _-][A-Z]{2,})*\b(?P<tail>: ?<[^>\n]{1,60}>)?")
_ITEM = r"""["'`*]{0,2}[A-Za-z][\w-]*["'`*]{0,2}"""
_LIST = re.compile(rf"{_ITEM}(?:(?:,\s*(?:(?:or|and)\s+)?|\s*[|/]\s*|\s+(?:or|and)\s+){_ITEM})+")
_ITEMS = re.compile(r",\s*(?:(?:or|and)\s+)?|\s*[|/]\s*|\s+(?:or|and)\s+")
_CHOOSE = re.compile(
    r"\b(?:choose|select|pick|classify|categori[sz]e|route|one of|either|next|one word|single word)\b", re.IGNORECASE
)
_LEADS = re.compile(
    r"(?::|\b(?:one of|from|either|between|among|classify (?:it|this|them)? ?as))(?: the following)?:?\s*[\[(]?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\b(?:OR|AND)\b")


@dataclass(frozen=True, slots=True)
class Offer:
    """A word that a prompt offers as an answer; ``tail``: it is to be followed by a colon and an explanation."""

    word: str
    side: Side
    tail: bool = False


def tokens_of(name: str) -> list[str]:
    """The words of an identifier or a phrase, in lower case: ``needsRevision`` → ``needs``, ``revision``."""
    return [part.lower() for part in _SPLIT.split(name) if part]


@lru_cache(maxsize=4096)
def side_of(phrase: str) -> Side | None:
    """Which branch a word or a short phrase takes; None where the table knows none of it.

    >>> side_of("APPROVED"), side_of("NOT APPROVED"), side_of("needs_revision"), side_of("no changes"), side_of("blue")
    ('accept', 'reject', 'reject', 'accept', None)
    """
    if _ABSENCES.match(phrase.replace("_", " ")):
        return "accept"
    words = tokens_of(phrase)
    if any(word in REJECTING for word in words):
        return "accept" if "not" in words else "reject"
    if any(word in ACCEPTING for word in words):
        return "reject" if any(word in _NEGATIONS for word in words) else "accept"
    return None


@lru_cache(maxsize=512)
def offered(text: str, *, cued: bool = False) -> tuple[Offer, ...]:
    """The answers that a prompt offers, in order, each once.

    ``cued``: only where the sentence asks for an answer. One that begins with the word (``REJECT: add the
    date.``) is somebody's answer.
    """
    found: dict[str, Offer] = {}
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
        asks = bool(_CUE.search(sentence))
        if asks or not cued:
            for offer in _offers(sentence, asks):
                if cued and sentence.lstrip(" *'\"`").lower().startswith(offer.word.lower()):
                    continue
                found.setdefault(offer.word.lower(), offer)
    return tuple(found.values())


@lru_cache(maxsize=512)
def listed(text: str) -> tuple[str, ...]:
    """The options of a list of which the prompt wants one, whatever they mean; empty where it offers no such list.

    >>> listed("Choose the next worker: researcher, writer or FINISH.")
    ('researcher', 'writer', 'FINISH')
    """
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
        if _CHOOSE.search(sentence):
            for match in _LIST.finditer(sentence):
                if _LEADS.search(sentence[: match.start()]):
                    return tuple(item.strip("\"'`*") for item in _ITEMS.split(match[0]))
    return ()


def _offers(sentence: str, asks: bool) -> Iterator[Offer]:
    spans: list[tuple[int, str, bool]] = []
    for match in _QUOTED.finditer(sentence):
        spans.append((match.start(), match["phrase"].strip(), (match["tail"] or "").startswith(":")))
    unquoted = _QUOTED.sub(lambda match: " " * len(match[0]), sentence)
    for match in _CAPITALS.finditer(unquoted):
        phrases = [phrase.strip() for phrase in _BETWEEN.split(match[0].split(":")[0])]
        spans.extend(
            (match.start(), phrase, bool(match["tail"])) for phrase in phrases if asks or _stands_alone(phrase)
        )
    for _, phrase, tail in sorted(spans, key=lambda span: span[0]):
        side = side_of(phrase)
        if side is not None and len(phrase.split()) <= 4:
            yield Offer(phrase, side, tail)


def _stands_alone(phrase: str) -> bool:
    return len(phrase.split()) == 1 and phrase.lower() not in _WEAK
