"""How checks put numbers and lists into words."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["listed", "number", "plural", "share"]

_SHOWN = 3


def number(value: float) -> str:
    """At most three decimals, which tell any bound from what exceeds it in practice."""
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 call``, ``2 calls``; ``many`` for a plural that is not made by an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def share(part: int, whole: int) -> str:
    """A rate with its n: ``3 of 4 (75 %)``."""
    return f"{part:,} of {whole:,} ({100 * part / whole:.0f} %)" if whole else "0 of 0"


def listed(items: Iterable[object], shown: int = _SHOWN) -> str:
    """The first few, each once, and how many more."""
    each = list(dict.fromkeys(map(str, items)))
    more = f" and {len(each) - shown} more" if len(each) > shown else ""
    return ", ".join(each[:shown]) + more
