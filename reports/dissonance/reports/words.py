"""Numbers as people read them: durations, dollars, counts, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, isnan, log10

from .stats import Interval

__all__ = ["count", "dollars", "duration", "interval", "joined", "number", "slug"]


def count(value: float) -> str:
    """A whole number with its thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{round(value):,}"


def number(value: float) -> str:
    """A measured number: three significant digits below 100, a whole number above.

    >>> [number(v) for v in (0, 0.02734, 1.39, 47.0, 1234.5)]
    ['0', '0.0273', '1.39', '47', '1,234']
    """
    if not isfinite(value):
        return "-"
    if abs(value) >= 100 or float(value).is_integer():
        return count(value)
    return f"{value:.3g}"


def dollars(value: float) -> str:
    """US dollars: cents from ten cents on, two significant digits below.

    >>> [dollars(v) for v in (0, 0.00123, 0.072, 0.5, 1234.5)]
    ['$0', '$0.0012', '$0.072', '$0.50', '$1,234.50']
    """
    if value == 0:
        return "$0"
    if abs(value) >= 0.1:
        return f"${value:,.2f}"
    return f"${value:.{1 - floor(log10(abs(value)))}f}".rstrip("0")


def duration(seconds: float) -> str:
    """Seconds in the units that fit: the two largest.

    >>> [duration(v) for v in (0.25, 3.456, 90, 2700, 7384, 180000)]
    ['0.25 s', '3.46 s', '1 min 30 s', '45 min', '2 h 3 min', '2 d 2 h']
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    sizes = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    rest = round(seconds)
    parts = []
    for unit, size in sizes:
        amount, rest = divmod(rest, size)
        parts.append((amount, unit))
    first = next(i for i, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def interval(value: Interval) -> str:
    """An estimate with its interval and n.

    >>> interval(Interval(0.9, 0.596, 0.982, 10, percent=True))
    '90 % (60 to 98 %, n 10)'
    >>> interval(Interval(12.0, 12.0, 12.0, 3))
    '12 (n 3, all equal)'
    """
    if isnan(value.estimate):
        return "- (n 0)"
    if value.percent:
        return f"{value.estimate:.0%} ({value.low * 100:.0f} to {value.high:.0%}, n {value.n})".replace("%", " %")
    if isnan(value.low):
        return f"{number(value.estimate)} (n {value.n})"
    if value.low == value.high:
        return f"{number(value.estimate)} (n {value.n}, all equal)"
    return f"{number(value.estimate)} ({number(value.low)} to {number(value.high)}, n {value.n})"


def joined(words: Sequence[str], last: str = "and") -> str:
    """A list in a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def slug(text: str) -> str:
    """A text as an anchor or file name: lower case letters, digits and hyphens.

    >>> slug("Judge: never accepts!")
    'judge-never-accepts'
    """
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()) or "x"
