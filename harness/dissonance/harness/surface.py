"""Text as what it says: words, numbers and dates, normalised so that spellings of one thing are equal.

What counts as the same:

* case, Unicode width, punctuation, a possessive ``'s``; British and American ``-ise``/``-ize``,
  ``-our``/``-or`` and ``-tre``/``-ter``; hyphens and blanks;
* numbers: ``1,200``, ``1200`` and ``1 200`` with a no-break space; ``1.2 million``, ``1.2m`` after a
  currency and ``1,200,000``; ``12 %``, ``12 percent`` and ``12 per cent``; ``twelve``; signs of currency
  and their names; units of length, mass, time and data (``1.5 km``, ``1500 m``);
* dates: ``3 March 2024``, ``March 3rd, 2024``, ``2024-03-03``; ``03/04/2024`` is read as both of its days.

A number is one token, so that ``1,200`` is never found inside ``11,200``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TypeAlias

__all__ = ["Date", "Number", "Token", "matches", "tokens"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number: ``value`` as written (scale words included), ``base`` in the base unit of ``unit``.

    ``digits`` is how many significant digits it was written with. ``exact`` numbers (years,
    ordinals) are never taken for roundings of others.
    """

    value: Decimal
    base: Decimal
    unit: str
    digits: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Date:
    """A calendar date; a part that is not said is None. ``swapped``: day and month may be the other way round."""

    year: int | None
    month: int
    day: int | None
    swapped: bool = False


Token: TypeAlias = str | Number | Date

_SCALES = {
    "hundred": 2, "thousand": 3, "k": 3, "million": 6, "mn": 6, "mio": 6, "billion": 9, "bn": 9, "trillion": 12, "tn": 12,
}  # fmt: skip
_CURRENCIES = {
    "$": "usd", "usd": "usd", "dollar": "usd", "dollars": "usd", "us$": "usd", "\u20ac": "eur", "eur": "eur",
    "euro": "eur", "euros": "eur", "\u00a3": "gbp", "gbp": "gbp", "pound": "gbp", "pounds": "gbp", "\u00a5": "jpy",
    "yen": "jpy", "jpy": "jpy",
}  # fmt: skip
_UNITS: dict[str, tuple[str, str]] = {
    "%": ("percent", "1"), "percent": ("percent", "1"), "pct": ("percent", "1"), "per cent": ("percent", "1"),
    "mm": ("metre", "0.001"), "cm": ("metre", "0.01"), "m": ("metre", "1"), "metre": ("metre", "1"),
    "meter": ("metre", "1"), "km": ("metre", "1000"), "kilometre": ("metre", "1000"), "kilometer": ("metre", "1000"),
    "mile": ("metre", "1609.344"), "mi": ("metre", "1609.344"), "foot": ("metre", "0.3048"), "feet": ("metre", "0.3048"),
    "ft": ("metre", "0.3048"), "mg": ("kilogram", "0.000001"), "g": ("kilogram", "0.001"), "gram": ("kilogram", "0.001"),
    "kg": ("kilogram", "1"), "kilogram": ("kilogram", "1"), "tonne": ("kilogram", "1000"), "lb": ("kilogram", "0.45359237"),
    "lbs": ("kilogram", "0.45359237"), "ms": ("second", "0.001"), "millisecond": ("second", "0.001"), "s": ("second", "1"),
    "sec": ("second", "1"), "second": ("second", "1"), "min": ("second", "60"), "minute": ("second", "60"),
    "h": ("second", "3600"), "hr": ("second", "3600"), "hour": ("second", "3600"), "day": ("second", "86400"),
    "week": ("second", "604800"), "kb": ("byte", "1000"), "mb": ("byte", "1000000"), "gb": ("byte", "1000000000"),
    "tb": ("byte", "1000000000000"),
}  # fmt: skip
_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sept sep|october oct"
        "|november nov|december dec".split("|"),
        1,
    )
    for name in names.split()
}
_SMALL = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
        " eighteen nineteen".split()
    )
}
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}

_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WORDS = "|".join([*_TENS, *sorted(_SMALL, key=len, reverse=True)])
_UNIT = "|".join(
    re.escape(name) + ("s?" if len(name) > 3 and name.isalpha() else "")
    for name in sorted(_UNITS, key=len, reverse=True)
)
_SIGN = r"us\$|[$\u20ac\u00a3\u00a5]"
_MONEY = "|".join(name for name in sorted(_CURRENCIES, key=len, reverse=True) if name.isalpha())
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_TOKEN = re.compile(
    rf"""(?P<iso>(?<![\w.-])\d{{4}}-\d{{2}}-\d{{2}}(?![\w-]))
    |(?P<slashed>(?<![\w./])\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}}(?![\w/]))
    |(?P<dmy>\b\d{{1,2}}(?:st|nd|rd|th)?\ (?:of\ )?(?:{_MONTH})\b\.?(?:,?\ \d{{4}}\b)?)
    |(?P<mdy>\b(?:{_MONTH})\b\.?\ \d{{1,2}}(?:st|nd|rd|th)?\b(?!\ ?%)(?:,?\ \d{{4}}\b)?)
    |(?P<my>\b(?:{_MONTH})\b\.?,?\ \d{{4}}\b)
    |(?P<number>(?:(?<![\w.,])|(?<=us))(?P<minus>(?<![\w)])[-\u2212])?(?P<sign>{_SIGN})?\ ?(?P<figure>
        \d{{1,3}}(?:[,'\u2009\u00a0\u202f]\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+|(?:\b(?:{_WORDS})(?:[ -](?:{_WORDS}))?\b)
      )(?![\d]|[.,]\d)
      (?P<ordinal>(?:st|nd|rd|th)\b)?
      (?:[ -]?(?P<scale>{_SCALE})\b|(?P<short>m|b)\b(?<=m|b))?
      (?:[ -]?(?P<unit>{_UNIT})(?!\w)|\ (?P<money>{_MONEY})\b)?)(?!\w)
    |(?P<word>[^\W_]+(?:['\u2019](?!s\b)[^\W_]+)*)""",
    re.VERBOSE,
)


@lru_cache(maxsize=8192)
def tokens(text: str) -> tuple[Token, ...]:
    """The words, numbers and dates of a text, in order, normalised as the module's docstring says."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\n", " ")
    return tuple(_read(re.sub(r"['\u2019]s\b", "", folded)))


def _read(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if match["number"]:
            yield _number(match)
        elif match["word"]:
            yield _spelling(match["word"])
        else:
            yield _date(str(kind), match[0])


def _spelling(word: str) -> str:
    for old, new in (
        ("isation", "ization"),
        ("ise", "ize"),
        ("ised", "ized"),
        ("ising", "izing"),
        ("our", "or"),
        ("tre", "ter"),
    ):
        if word.endswith(old) and len(word) > len(old) + 2:
            return word[: -len(old)] + new
    return word


def _number(match: re.Match[str]) -> Number:
    figure, written = match["figure"], match["figure"]
    if figure[-1].isdigit():
        plain = re.sub(r"[,'\u2009\u00a0\u202f ]", "", figure)
        value = Decimal(plain)
        digits = len(
            plain.replace(".", "").lstrip("0").rstrip("0") if "." not in plain else plain.replace(".", "").lstrip("0")
        )
    else:
        value = Decimal(sum(_TENS.get(w, 0) + _SMALL.get(w, 0) for w in re.split(r"[ -]", figure)))
        digits = 2
    money = _CURRENCIES.get(match["sign"] or match["money"] or "", "")
    value = value.scaleb(_power(match, bool(money)))
    if match["minus"]:
        value = -value
    unit, factor = _unit(match, money)
    year = not (unit or match["scale"] or match["short"]) and written.isdigit() and 1000 <= value <= 2100
    return Number(value, value * factor, unit, max(digits, 1), year or bool(match["ordinal"]))


def _power(match: re.Match[str], money: bool) -> int:
    if match["scale"]:
        return _SCALES[match["scale"]]
    if match["short"] and (money or match["short"] == "b"):
        return {"m": 6, "b": 9}[match["short"]]
    return 0


def _unit(match: re.Match[str], money: str) -> tuple[str, Decimal]:
    if money:
        return money, Decimal(1)
    name = match["unit"] or ("m" if match["short"] == "m" else "")
    unit, factor = _UNITS.get(name) or _UNITS.get(name.removesuffix("s"), ("", "1"))
    return unit, Decimal(factor)


def _date(kind: str, text: str) -> Date:
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    if kind == "iso":
        return Date(numbers[0], numbers[1], numbers[2])
    if kind == "slashed":
        first, second, year = numbers
        return Date(year, first, second) if second > 12 else Date(year, second, first, swapped=first <= 12)
    month = next(_MONTHS[word] for word in re.findall(r"[a-z]+", text) if word in _MONTHS)
    if kind == "my":
        return Date(numbers[0], month, None)
    return Date(numbers[1] if len(numbers) > 1 else None, month, numbers[0])


# --- sameness ---------------------------------------------------------------------------------


def matches(said: Token, meant: Token, *, rounded: bool = True) -> bool:
    """Whether ``said`` in a text can stand for ``meant``; ``rounded`` also lets it be its rounding to two digits or more."""
    if isinstance(said, Number) and isinstance(meant, Number):
        return _same_number(said, meant, rounded)
    if isinstance(said, Date) and isinstance(meant, Date):
        return any(_same_date(said, one) for one in _readings(meant)) or any(
            _same_date(r, meant) for r in _readings(said)
        )
    return said == meant


def _same_number(said: Number, meant: Number, rounded: bool) -> bool:
    if said.unit and meant.unit and said.unit != meant.unit:
        return False
    both = bool(said.unit and meant.unit)
    a, b = (said.base, meant.base) if both else (said.value, meant.value)
    if a == b:
        return True
    if not rounded or said.exact or meant.exact or said.digits < 2 or not a or said.digits >= meant.digits:
        return False
    if said.unit != meant.unit or not b:
        return False
    step = Decimal(1).scaleb(b.adjusted() - said.digits + 1)
    return (b / step).quantize(Decimal(1), ROUND_HALF_UP) * step == a


def _readings(date: Date) -> tuple[Date, ...]:
    return (date, Date(date.year, date.day or 1, date.month)) if date.swapped else (date,)


def _same_date(said: Date, meant: Date) -> bool:
    """Equal where both say something; and a text that leaves out the day of a date that has one is not it."""
    year = said.year == meant.year or said.year is None or meant.year is None
    return year and said.month == meant.month and said.day == meant.day
