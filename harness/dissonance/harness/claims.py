"""Claims, and the forms in which they reappear.

A :class:`Claim` is planted in its false form and, in the control arm, in its true one.
:func:`occurs` finds either again after it was rounded, converted, respelled or retold in other
words, without asking a model; how texts are normalised stands in :mod:`.surface`.
:func:`sentences` and :func:`claims_in` are the extractive reading that ``Gullible`` has of a prompt.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .surface import Token, matches, tokens

__all__ = ["Claim", "Twin", "bare", "claims_in", "informs", "normal", "occurs", "sentences"]

Twin: TypeAlias = Literal["false", "true"]


class Claim(BaseModel):
    """A statement to plant: ``false`` and its ``true`` twin, of the same kind and length.

    ``false_forms`` and ``true_forms`` are further wordings that count as the claim, such as the bare
    figure. ``topic`` groups claims.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    false: str
    true: str
    false_forms: tuple[str, ...] = ()
    true_forms: tuple[str, ...] = ()
    topic: str = ""

    @field_validator("false", "true", "false_forms", "true_forms")
    @classmethod
    def _says_something(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (value,) if isinstance(value, str) else value:
            if not tokens(text):
                raise ValueError(f"{text!r} has no word or number in it, so it could never be found again")
        return value

    @model_validator(mode="after")
    def _twins_differ(self) -> Claim:
        if tokens(self.false) == tokens(self.true):
            raise ValueError(f"false and true both say {self.true!r}; give two statements that differ")
        return self

    def text(self, twin: Twin = "false") -> str:
        """The statement of this twin."""
        return self.false if twin == "false" else self.true

    def forms(self, twin: Twin = "false") -> tuple[str, ...]:
        """Every wording given for this twin, the statement first."""
        return (self.false, *self.false_forms) if twin == "false" else (self.true, *self.true_forms)


# --- finding a claim --------------------------------------------------------------------------


def occurs(claim: Claim, text: str, twin: Twin = "false") -> bool:
    """Whether this twin of the claim stands in the text.

    It does where one of its forms does, token by token as :mod:`.surface` normalises them; or where
    one sentence has all that tells this twin from the other (its figures, dates or names), nothing
    that is the other's alone, and at least half of the statement's other words of four letters or more.
    A number counts as a rounding (two digits or more) only where it is not one of the other twin's as well.

    >>> claim = Claim(id="c1", false="ACME sold 4,213,000 units in 2023.", true="ACME sold 3,100,000 units in 2023.")
    >>> occurs(claim, "In 2023 some 4.2 million units were sold by ACME."), occurs(claim, "ACME sold 14,213,000 units in 2023.")
    (True, False)
    """
    other: Twin = "true" if twin == "false" else "false"
    rivals = tokens(claim.text(other))
    said = tokens(text)
    if any(_stands_in(tokens(form), said, rivals) for form in claim.forms(twin)):
        return True
    mine, others = _apart(tokens(claim.text(twin)), rivals)
    return bool(mine) and any(
        _retold(tokens(one), tokens(claim.text(twin)), mine, others, rivals) for one in sentences(text)
    )


def _means(said: Token, meant: Token, rivals: Sequence[Token]) -> bool:
    if matches(said, meant, rounded=False):
        return True
    return matches(said, meant) and not any(matches(said, rival) for rival in rivals)


def _stands_in(form: Sequence[Token], said: Sequence[Token], rivals: Sequence[Token]) -> bool:
    first, length = form[0], len(form)
    for start in range(len(said) - length + 1):
        if _means(said[start], first, rivals) and all(
            _means(a, b, rivals) for a, b in zip(said[start + 1 : start + length], form[1:], strict=True)
        ):
            return True
    return False


def _apart(mine: Sequence[Token], others: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    """What stands in one twin only, and in the other only."""
    return [t for t in mine if t not in others], [t for t in others if t not in mine]


def _retold(
    said: Sequence[Token],
    claim: Sequence[Token],
    mine: Sequence[Token],
    others: Sequence[Token],
    rivals: Sequence[Token],
) -> bool:
    if not all(any(_means(a, b, rivals) for a in said) for b in mine):
        return False
    if any(a == b for a in said for b in others if not isinstance(b, str) or len(b) > 3):
        return False
    shared = [t for t in claim if t not in mine and (not isinstance(t, str) or len(t) > 3)]
    return bool(shared) and 2 * sum(any(matches(a, t) for a in said) for t in shared) >= len(shared)


# --- reading a text ---------------------------------------------------------------------------

_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|inc|ltd|corp|co|approx|ca|fig|sec|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|e\.g|i\.e|etc|u\.s|u\.k)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_LONGEST = 12
"""No abbreviation is longer, the letter before it included."""
_STOP = re.compile(r"[.!?]+[\"')\]\u201d]*(?=\s+[\"'(\[\u201c]?[^\Wa-z])")
_BULLET = re.compile(r"^(?:[-*\u2022#>]+\s+|\(?\d{1,2}[.)]\s+)+")
_LABEL = re.compile(
    r"^(?:(?:the |your |my |this |previous |current |original |final |initial )*(?:answer|context|conversation|critique"
    r"|data|document|draft|feedback|finding|findings|information|input|material|message|note|notes|observation|opinion"
    r"|output|plan|position|previous|proposal|question|report|request|result|results|review|source|sources|step|summary"
    r"|task|text|topic|work)(?: \w{1,2})?:\s+)+(?=\S)",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^(?:[\[(]?[^\W\d_][\w .-]{0,40}[\])]?:\s+)+(?=\S+\s+\S+\s+\S)")
_TAG = re.compile(r"</?[A-Za-z][\w-]*(?: [^<>\n]*)?>|^```\w*$")
_JSON = re.compile(r"(?:^|(?<=[:\n]))[ \n]*(?=[{\[][\s\"'{\[])")
_NAME = re.compile(r"(?<=[\w,;:)] )[\"'(]?[A-Z]\w*[a-z]\w*|\b[A-Z]{2,}\w*\b|^[A-Z]\w+ [A-Z]\w+|\b[A-Z]\w*[a-z][A-Z]\w*")
_MONTH = re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")


def sentences(text: str) -> list[str]:
    """The sentences of a text, without bullets and without labels such as ``Draft:``; abbreviations end none.

    >>> sentences("Draft: Dr. Roe left in 2021. ACME grew 4.5 %!")
    ['Dr. Roe left in 2021.', 'ACME grew 4.5 %!']
    """
    return list(_sentences(text))


@lru_cache(maxsize=4096)
def _sentences(text: str) -> tuple[str, ...]:
    return tuple(clean for line in text.splitlines() for piece in _split(line) if (clean := _clean(piece)))


def _split(line: str) -> Iterator[str]:
    bare = _BULLET.sub("", line.strip()) or line
    start = 0
    for match in _STOP.finditer(bare):
        if not _ABBREVIATION.search(bare, max(start, match.end() - _LONGEST), match.end()):
            yield bare[start : match.end()]
            start = match.end()
    yield bare[start:]


def _clean(piece: str) -> str:
    return _LABEL.sub("", " ".join(_TAG.sub(" ", piece).split()))


@lru_cache(maxsize=4096)
def claims_in(text: str) -> tuple[str, ...]:
    """The sentences of a text that carry information, each once: those with numbers, names and dates first.

    Headings and sentences of fewer than three words without a number or a name carry none. JSON, if
    it is the text or stands in it after a colon or on a line of its own, is read by its values; so are
    lists and dicts as Python prints them.
    """
    found: dict[str, str] = {}
    for sentence in _read(text):
        if _carries(sentence):
            found.setdefault(normal(sentence), sentence)
    return tuple(sorted(found.values(), key=lambda sentence: not informs(sentence)))


def normal(sentence: str) -> str:
    """By this, two sentences are the same claim: case, blanks and the final stop do not count."""
    return " ".join(sentence.split()).casefold().rstrip(" .;,")


def bare(sentence: str) -> str:
    """:func:`normal`, without the name of who says it before it (``Ann: …``, ``[Ann]: …``)."""
    return normal(_SPEAKER.sub("", sentence))


@lru_cache(maxsize=8192)
def informs(sentence: str) -> bool:
    """Whether it has a number, a name or a date."""
    return any(char.isdigit() for char in sentence) or bool(_NAME.search(sentence) or _MONTH.search(sentence))


def _carries(sentence: str) -> bool:
    if sentence.endswith(":") or not any(char.isalnum() for char in sentence):
        return False
    return len(sentence.split()) >= 3 or informs(sentence)


def _read(text: str) -> Iterator[str]:
    """The sentences of a text, in which JSON is read by its values."""
    at = 0
    for match in _JSON.finditer(text):
        if match.end() < at:
            continue
        value, end = _value(text, match.end())
        if value is None:
            continue
        yield from _sentences(text[at : match.start()])
        yield from _leaves(value, "")
        at = end
    yield from _sentences(text[at:])


_DECODER = json.JSONDecoder()


def _value(text: str, start: int) -> tuple[Any, int]:
    """The JSON that starts here, or the line's rest as Python prints lists and dicts; and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except ValueError:
        line = text[start:].partition("\n")[0]
    try:
        return ast.literal_eval(line), start + len(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError, Warning):
        return None, start


def _leaves(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, key)
    elif isinstance(value, str) and len(value.split()) >= 3:
        yield from _sentences(value)
    elif value is not None and value != "":
        yield f"{key}: {value}" if key else str(value)
