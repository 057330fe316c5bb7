"""Reads the blocks of a page of the guide, and compares what a command says with what the page says."""

from __future__ import annotations

import re

__all__ = ["blocks", "matches", "name_of"]


def blocks(text: str, language: str) -> list[str]:
    """The page's blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def name_of(block: str) -> str:
    """The file's name, which a Python block begins with."""
    found = re.match(r"# (\w+\.py)\n", block)
    assert found, f"a Python block begins with its file's name, not {block[:40]!r}"
    return found[1]


def matches(expected: str, said: str) -> bool:
    """Whether that was said; ``...`` stands for anything, and the width of a gap does not matter."""
    expected, said = (" ".join(text.split()) for text in (expected, said))
    return re.fullmatch(re.escape(expected).replace(r"\.\.\.", ".*"), said) is not None
