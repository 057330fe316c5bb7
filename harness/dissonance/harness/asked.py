"""The JSON that a prompt asks for in words, as a schema.

Plain prompts say ``Reply with JSON: {"approved": true|false, "reason": "..."}`` or ``Return a JSON
list of three steps``. An example in the prompt is read as a template: quoted strings, numbers and
booleans give types, alternatives (``"A" | "B"``, ``"A or B"``, ``1-10``) give enums and ranges.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from .call import JsonObject

__all__ = ["asked_schema"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<range>\d+(?:\.\d+)?\s*(?:-|\u2013|to)\s*\d+(?:\.\d+)?)"""
    r"""|(?P<number>-?\d+(?:\.\d+)?)|(?P<placeholder><[^<>\n]*>)|(?P<dots>\.\.\.|…)"""
    r"""|(?P<word>[A-Za-z_][\w ]*?(?=\s*[|/,\]}:]))|(?P<mark>[\[\]{},:|/]))"""
)
_LIST = re.compile(r"\bJSON (?:array|list)\b(?: of (?P<count>\w+))?", re.IGNORECASE)
_KEYS = re.compile(r"\b(?:keys?|fields?|properties)\b(?P<names>[^.\n]*)", re.IGNORECASE)
_NAME = re.compile(r"""["'`“]([A-Za-z_]\w*)["'`”](?:\s*\((?P<kind>[^)]*)\))?""")
_OBJECT = re.compile(r"\bJSON\b", re.IGNORECASE)
_CUE = re.compile(
    r"\b(?:respond|reply|return|answer|produce|emit|generate|write|output(?!\s*:)|format|schema|form)\b", re.IGNORECASE
)
_NEAR = 240
_FORM = re.compile(r"\b(?:JSON|format|schema|structure|template|shape|object|form)\b", re.IGNORECASE)
_LEADS = re.compile(r"\b(?:with|as|like|exactly)\b[^.!?\n]{0,20}$", re.IGNORECASE)
_NUMBERS = {word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_KINDS = {
    "bool": "boolean",
    "true": "boolean",
    "int": "integer",
    "float": "number",
    "number": "number",
    "list": "array",
    "array": "array",
}


@lru_cache(maxsize=512)
def asked_schema(text: str) -> JsonObject | None:
    """The schema of the JSON that this prompt asks for; None where it asks for none.

    >>> asked_schema('Reply with JSON only: {"verdict": "accept" | "reject"}')["properties"]
    {'verdict': {'enum': ['accept', 'reject']}}
    """
    for match in re.finditer(r"[\[{]", text):
        if _asked_for(text[max(0, match.start() - _NEAR) : match.start()]):
            schema = _Template(text, match.start()).read()
            if schema is not None:
                return schema
    asks = any(_CUE.search(one) and _OBJECT.search(one) for one in re.split(r"(?<=[.!?])\s+", text))
    return _described(text) if asks else None


def _asked_for(before: str) -> bool:
    """Whether what stands before a bracket asks for what it holds; data that a prompt brings stands there as well."""
    cue = _CUE.search(before)
    return cue is not None and bool(_FORM.search(before, cue.start()) or _LEADS.search(before.rstrip(" :\n`\"'")))


def _described(text: str) -> JsonObject | None:
    """A list or an object with named keys, asked for without an example."""
    listed = _LIST.search(text)
    if listed:
        count = _count(listed["count"])
        return {"type": "array", "items": {"type": "string"}} | (
            {"minItems": count, "maxItems": count} if count else {}
        )
    keys = _KEYS.search(text) if _OBJECT.search(text) else None
    names = _NAME.finditer(keys["names"]) if keys else ()
    properties = {match[1]: _kind(match["kind"] or "") for match in names}
    return {"type": "object", "properties": properties} if properties else None


def _count(word: str | None) -> int | None:
    return None if word is None else int(word) if word.isdigit() and int(word) else _NUMBERS.get(word.lower())


def _kind(hint: str) -> JsonObject:
    """The type that a placeholder names: ``bool``, ``integer``, ``1-10``, ``A or B``; a string otherwise."""
    low = hint.strip(" <>.").lower()
    if _span(low):
        return _ranged(low)
    for start, kind in _KINDS.items():
        if low.startswith(start):
            return {"type": kind, "items": {"type": "string"}} if kind == "array" else {"type": kind}
    return _text(hint.strip(" <>"))


def _span(text: str) -> re.Match[str] | None:
    return re.fullmatch(
        r"(?:(?:int|integer|float|number)\W+)?(\d+(?:\.\d+)?)\s*(?:-|\u2013|to)\s*(\d+(?:\.\d+)?)", text
    )


def _ranged(text: str) -> JsonObject:
    match = _span(text)
    assert match is not None
    low, high = (float(part) if "." in part else int(part) for part in match.groups())
    kind = "integer" if isinstance(low, int) and isinstance(high, int) and high > 1 else "number"
    return {"type": kind, "minimum": low, "maximum": high}


def _text(example: str) -> JsonObject:
    """A string's example: alternatives make an enum, anything else is free text."""
    parts = [part.strip(" '\"") for part in re.split(r"\s*\|\s*|\s*/\s*|\s+or\s+", example)]
    if len(parts) > 1 and all(re.fullmatch(r"[\w -]{1,30}", part) for part in parts):
        return {"enum": parts}
    return {"type": "string"}


class _Template:
    """Reads one example of JSON, leniently, from where its bracket opens."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start

    def read(self) -> JsonObject | None:
        """The schema; None where what stands there is no JSON with something in it, such as ``[search, read]``."""
        if re.match(r"\[\s*[^\s\"{<\[]", self._text[self._at :]):
            return None
        try:
            schema = self._value()
        except ValueError:
            return None
        items = schema.get("items", {})
        return schema if schema.get("properties") or items.get("properties") or items.get("type") == "string" else None

    def _next(self) -> tuple[str, str]:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            raise ValueError(self._at)
        self._at = match.end()
        return match.lastgroup, match[match.lastgroup].strip()

    def _peek(self) -> str:
        at = self._at
        _, token = self._next()
        self._at = at
        return token

    def _value(self) -> JsonObject:
        options = [self._single()]
        while self._peek_or_none() in ("|", "/"):
            self._next()
            options.append(self._single())
        if len(options) == 1:
            return options[0]
        words = [option["example"] for option in options if "example" in option]
        return {"enum": words} if len(words) == len(options) else options[0]

    def _peek_or_none(self) -> str | None:
        try:
            return self._peek()
        except ValueError:
            return None

    def _single(self) -> JsonObject:
        kind, token = self._next()
        if token == "{":
            return self._object()
        if token == "[":
            return self._array()
        if kind == "string":
            return self._string(token[1:-1])
        if kind == "number":
            return {"type": "number" if "." in token else "integer"}
        if kind == "range":
            return _ranged(token)
        if kind in ("placeholder", "word"):
            return _kind(token)
        raise ValueError(token)

    def _string(self, token: str) -> JsonObject:
        schema = _text(token)
        hinted = schema if "enum" in schema else _kind(token) if token.startswith("<") else schema
        alternative = self._peek_or_none() in ("|", "/")
        return {"type": "string", "example": token} if alternative or self._ends_choice(token) else hinted

    def _ends_choice(self, token: str) -> bool:
        before = self._text[: self._at - len(token) - 2].rstrip()
        return before.endswith(("|", "/"))

    def _object(self) -> JsonObject:
        properties: dict[str, Any] = {}
        while (following := self._next())[1] != "}":
            kind, token = following
            if kind == "string" and self._peek() == ":":
                self._next()
                properties[token[1:-1]] = self._value()
            elif token not in (",", "...", "…"):
                raise ValueError(token)
        return {"type": "object", "properties": properties}

    def _array(self) -> JsonObject:
        items: JsonObject | None = None
        while self._peek() != "]":
            if self._peek() in (",", "...", "…"):
                self._next()
            else:
                item = self._value()
                items = items or item
        self._next()
        return {"type": "array", "items": items or {"type": "string"}}
