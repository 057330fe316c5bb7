"""Cutting a text into statements, and the figures in them."""

from __future__ import annotations

import re

__all__ = ["figures", "has_figure", "statements"]

_END = re.compile(r"(?<=[.!?\])])\s+(?=[A-Z0-9\"'(])|\n+")
_FIGURE = re.compile(r"\d+(?:[,.]\d+)*")


def statements(text: str) -> list[str]:
    """The sentences and lines of a text.

    >>> statements("It was founded in 1987 [a]. It has 1,200 staff. [b]\\n- Based in Oslo")
    ['It was founded in 1987 [a].', 'It has 1,200 staff. [b]', '- Based in Oslo']
    """
    return [part.strip() for part in _END.split(text) if part.strip()]


def figures(text: str) -> set[str]:
    """The numbers in a text, without separators of thousands.

    >>> sorted(figures("In 1987, 1,200 staff; 3.5 %."))
    ['1200', '1987', '3.5']
    """
    return {found.replace(",", "") for found in _FIGURE.findall(text)}


def has_figure(statement: str) -> bool:
    """Whether a statement states a number, which is what readers build on and models make up."""
    return bool(figures(statement))
