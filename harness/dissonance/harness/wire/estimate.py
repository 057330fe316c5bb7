"""How many tokens a text or a content block is: estimates for Claude's two tokenizers.

There is no public tokenizer of Claude 3 and later. A text is counted with ``cl100k_base`` and the
count corrected by one factor for each of Claude's two tokenizers:

* up to Claude 4.6: 1.2. ``tiktoken`` undercounts Claude by about 15 to 20 % on typical text
  (Anthropic's public skill ``claude-api``, July 2026), by more on code and other languages.
* from Claude 4.7: 1.5 = 1.2 · 1.25 to 1.3. The new tokenizer counts about 30 % more (public page
  *token counting*); third parties measured 1.00 (CJK) to 1.47 (English prose), 1.325 on average.

Each message, and the system prompt, adds 3: with that, the docs' example ("You are a scientist",
"Hello, Claude" = 14) comes out. Tools add their JSON and the system-prompt overhead that the
pricing page gives for each model. An image counts as 1,100 uncorrected tokens, a PDF as 1,500 for
each 100 kB of base64: guesses, since neither is decoded. All of it is an *estimate*, as the API's
own ``count_tokens`` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from .catalog import info
from .memo import Memo
from .ranks import decode, encode

__all__ = [
    "CORRECTION",
    "PER_MESSAGE",
    "corrected",
    "count_block",
    "count_content",
    "count_json",
    "count_text",
    "cut_text",
    "uncorrected",
]

CORRECTION: Mapping[str, float] = {"old": 1.2, "new": 1.5}
"""By tokenizer generation (``ModelInfo.tokenizer``): Claude's tokens for one of ``cl100k_base``."""

PER_MESSAGE = 3
"""Claude's tokens that each message, and the system prompt, adds."""

_PER_IMAGE = 1_100
_PER_PDF_PAGE = 1_500
_PDF_PAGE_BYTES = 100_000

# --- texts ------------------------------------------------------------------------------------

_LONG = 2_000
_PIECE = 1_000
_BETWEEN = re.compile(r" (?<=[.!?;:] )(?=[A-Za-z])")
"""The blank before a sentence or a clause: a literal is searched for at half the price of a place."""
_counts: Memo[str, int] = Memo(cap=32_000_000)


def count_text(text: str, model: str) -> int:
    """The estimated tokens of this text for this model.

    >>> text = "The merger closes on 3 May 2027, says the board."
    >>> count_text(text, "claude-sonnet-4-6"), count_text(text, "claude-opus-5-5")
    (18, 22)
    """
    return corrected(_count(text), model)


def corrected(base: int, model: str) -> int:
    """Claude's estimated tokens for so many of ``cl100k_base``, rounded."""
    return round(base * _correction(model))


@lru_cache(maxsize=1024)
def _correction(model: str) -> float:
    return CORRECTION[info(model).tokenizer]


def uncorrected(tokens: int, model: str) -> int:
    """The most of ``cl100k_base`` tokens that are so many of the model's, or fewer; 0 where none are."""
    base = max(0, int((tokens + 0.5) / _correction(model)))
    return base - 1 if base and corrected(base, model) > tokens else base


def cut_text(text: str, tokens: int, model: str) -> str:
    """The beginning of this text that fits into so many of the model's tokens."""
    if count_text(text, model) <= tokens:
        return text
    return decode(encode(text)[: max(0, int(tokens / _correction(model)))])


def _count(text: str) -> int:
    count = _counts.data.get(text)
    if count is not None:
        return count
    if len(text) <= _LONG:
        sentences = _sentences(text)
        count = len(encode(text)) if len(sentences) == 1 else sum([_count_piece(each) for each in sentences])
        return _counts.keep(text, count, len(text))
    return sum([_count_piece(piece) for piece in _pieces(text)])


def _sentences(text: str) -> list[str]:
    """The text in sentences and clauses. No token reaches beyond one, and agents say each other's sentences again."""
    first, *others = _BETWEEN.split(text)
    return [first, *[" " + each for each in others]]


def _count_piece(piece: str) -> int:
    count = _counts.data.get(piece)
    return _counts.keep(piece, len(encode(piece)), len(piece)) if count is None else count


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of about a thousand characters, whose counts add up exactly to its own.

    No token reaches beyond a line break that a visible character follows (see the pattern in
    ``ranks``), so that is where it is cut: a text that grows at its end costs its new lines only.
    """
    start = 0
    end = text.find("\n", _PIECE) + 1
    while 0 < end < len(text):
        if text[end].isspace():
            end = text.find("\n", end) + 1
        else:
            yield text[start:end]
            start, end = end, text.find("\n", end + _PIECE) + 1
    yield text[start:]


# --- blocks -----------------------------------------------------------------------------------


def count_block(block: Any) -> int:
    """The uncorrected tokens of a content block of any kind, malformed ones included."""
    if type(block) is not dict and not isinstance(block, Mapping):
        return count_json(block)
    kind = block.get("type")
    if kind == "text":
        return _count_value(block.get("text"))
    if kind == "tool_result":
        return count_content(block.get("content"))
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        return _count_value(block.get("name")) + _count_value(block.get("input"))
    if kind == "thinking":
        return _count_value(block.get("thinking"))
    if kind == "image":
        return _PER_IMAGE
    if kind == "document":
        return _count_document(block)
    return count_json(block)


def count_content(content: Any) -> int:
    """The uncorrected tokens of a content: a string or a list of blocks."""
    if isinstance(content, list):
        return sum(map(count_block, content))
    return _count_value(content)


def count_json(value: Any) -> int:
    """The uncorrected tokens of any JSON value, written out."""
    return _count(_json(value))


def _count_value(value: Any) -> int:
    if value is None:
        return 0
    return _count(value if isinstance(value, str) else _json(value))


def _count_document(block: Mapping[str, Any]) -> int:
    source = block.get("source")
    if not isinstance(source, Mapping):
        return count_json(block)
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        return _PER_PDF_PAGE * (1 + len(data) // _PDF_PAGE_BYTES)
    return _count_value(data) + count_content(source.get("content"))


def _json(value: Any) -> str:
    return to_json(value, fallback=dict).decode()
