"""Values for JSON schemas: fill one in.

:func:`fill` covers what tools and structured outputs use: ``$ref`` and ``$defs``, ``enum``,
``const``, ``anyOf``/``oneOf``/``allOf``, arrays with their limits, nested and recursive objects,
numbers with their limits, and strings with lengths and the usual formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .call import Json, JsonObject
from .schemas import (
    SCORES,
    is_null,
    merged,
    options_of,
    references,
    resolve,
    side_of_boolean,
    side_of_variant,
    type_of,
)
from .words import Side, side_of, tokens_of

__all__ = ["fill", "score_range"]

_DEPTH = 12
_ITEMS = 2
_FILLER = "Nothing to add."
_UNIT = frozenset({"confidence", "probability", "certainty", "likelihood"})
_RANGE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(?:-|\u2013|to|and)\s*(\d+(?:\.\d+)?)(?!\w|\.\d)")
_FORMATS: Mapping[str, str] = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fill(schema: JsonObject, strings: Sequence[str] = (), accept: bool = True) -> Json:
    """A value that is valid for this JSON schema, with each of ``strings`` in one of its strings.

    Where an enum, a boolean or a score is a decision (see :mod:`.words`), ``accept`` says which
    branch it takes. Optional properties are left out, unless nothing is required or they decide.
    Arrays have two items where their limits allow it; the same input gives the same value.
    """
    slots: list[JsonObject] = []
    _Filler(schema, strings, accept, slots.append).value(schema, "", 0)
    shares = iter(_shares(strings, len(slots)))
    return _Filler(schema, strings, accept, lambda _: next(shares)).value(schema, "", 0)


def _shares(strings: Sequence[str], slots: int) -> Iterator[str]:
    """Deals the strings out to the slots in turn; where there are fewer strings than slots, some are used twice."""
    for slot in range(slots):
        dealt = strings[slot::slots] or (strings[slot % len(strings)],) if strings else (_FILLER,)
        yield " ".join(dealt)


class _Filler:
    """One pass over a schema. ``take`` gives the text of the next free string."""

    def __init__(
        self, root: JsonObject, strings: Sequence[str], accept: bool, take: Callable[[JsonObject], str | None]
    ) -> None:
        self._root = root
        self._strings = strings
        self._accept = accept
        self._take = take
        self._open: list[str] = []

    def value(self, schema: Any, name: str, depth: int) -> Json:
        if not isinstance(schema, Mapping) or depth > _DEPTH:
            return None
        if "$ref" in schema:
            return self._referred(schema, name, depth)
        if schema.get("allOf"):
            return self.value(merged(schema, self._root), name, depth + 1)
        options = options_of(schema)
        if options:
            return self._option(options)
        variants = schema.get("anyOf") or schema.get("oneOf")
        if variants:
            return self._variant(schema, variants, name, depth)
        return self._typed(schema, name, depth)

    def _referred(self, schema: JsonObject, name: str, depth: int) -> Json:
        self._open.append(str(schema["$ref"]))
        try:
            return self.value(resolve(schema, self._root), name, depth + 1)
        finally:
            self._open.pop()

    def _variant(self, schema: JsonObject, variants: Sequence[Any], name: str, depth: int) -> Json:
        usable = [v for v in variants if not is_null(v) and not self._recurs(v)] or list(variants)
        wanted: Side = "accept" if self._accept else "reject"
        sides = [side_of_variant(v, self._root) if isinstance(v, Mapping) else None for v in usable]
        fallback = next((i for i, side in enumerate(sides) if side is None), 0)
        choice = usable[sides.index(wanted) if wanted in sides else fallback]
        shared = {key: item for key, item in schema.items() if key not in ("anyOf", "oneOf")}
        return self.value({**shared, **choice} if isinstance(choice, Mapping) else choice, name, depth + 1)

    def _typed(self, schema: JsonObject, name: str, depth: int) -> Json:
        kind = type_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "boolean":
            return self._accept if side_of_boolean(name) != "reject" else not self._accept
        if kind in ("integer", "number"):
            return _number(schema, name, self._accept)
        return None if kind == "null" else self._string(schema)

    def _object(self, schema: JsonObject, depth: int) -> Json:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = list(schema.get("required") or properties)
        names = [n for n in properties if n in required or self._decides(properties[n], n)]
        names += [n for n in required if n not in properties]
        return {n: self.value(properties.get(n, {}), n, depth + 1) for n in names}

    def _decides(self, schema: Any, name: str) -> bool:
        plain = resolve(schema, self._root)
        if type_of(plain) == "boolean":
            return side_of_boolean(name) is not None
        return any(side_of(str(option)) for option in options_of(plain))

    def _array(self, schema: JsonObject, name: str, depth: int) -> Json:
        fixed: Sequence[Any] = schema.get("prefixItems") or ()
        items = schema.get("items", {})
        least = max(int(schema.get("minItems") or 0), len(fixed))
        most = len(fixed) if items is False else int(schema.get("maxItems", max(least, _ITEMS)))
        count = least if self._recurs(items) else min(max(least, _ITEMS), most)
        options = options_of(resolve(items, self._root))
        if options and len(options) >= least:
            return list(options[:count])
        return [self.value(fixed[i] if i < len(fixed) else items, name, depth + 1) for i in range(count)]

    def _recurs(self, schema: Any) -> bool:
        return any(reference in self._open for reference in references(schema))

    def _option(self, options: Sequence[Json]) -> Json:
        """The option that takes the branch; of options that decide nothing, one that the strings mention."""
        wanted: Side = "accept" if self._accept else "reject"
        sides = [side_of(str(option)) for option in options]
        if wanted in sides:
            return options[sides.index(wanted)]
        free = [option for option, side in zip(options, sides, strict=True) if side is None] or list(options)
        text = " ".join(self._strings).lower()
        return next((o for o in free if isinstance(o, str) and len(o) > 2 and o.lower() in text), free[0])

    def _string(self, schema: JsonObject) -> str:
        formatted = _FORMATS.get(str(schema.get("format")))
        if formatted is not None:
            return formatted
        text = self._take(schema) or _FILLER
        least = int(schema.get("minLength") or 0)
        if len(text) < least:
            text = (text + " ") * math.ceil(least / (len(text) + 1))
        return text[: int(schema.get("maxLength", len(text)))]


def score_range(schema: JsonObject, name: str) -> tuple[float, float]:
    """The range of a score: its limits, else the one its description names, else 0 to 1 or 1 to 10 by its name."""
    said = _RANGE.search(str(schema.get("description", "")))
    guess = (float(said[1]), float(said[2])) if said else (0.0, 1.0) if _UNIT & {*tokens_of(name)} else (1.0, 10.0)
    return float(schema.get("minimum", guess[0])), float(schema.get("maximum", guess[1]))


def _number(schema: JsonObject, name: str, accept: bool) -> int | float:
    """A score at the end of its range that takes the branch; any other number as near to 1 as its limits allow."""
    step = schema.get("multipleOf") or (1 if type_of(schema) == "integer" else 0.1)
    low = schema.get("minimum", schema["exclusiveMinimum"] + step if "exclusiveMinimum" in schema else -math.inf)
    high = schema.get("maximum", schema["exclusiveMaximum"] - step if "exclusiveMaximum" in schema else math.inf)
    wanted = score_range(schema, name)[1 if accept else 0] if SCORES & {*tokens_of(name)} else 1
    value = min(max(wanted, low), high)
    if schema.get("multipleOf"):
        value = (
            min(math.ceil(max(value, low) / step), math.floor(high / step)) * step
            if high < math.inf
            else (math.ceil(value / step) * step)
        )
    return int(value) if type_of(schema) == "integer" or float(value).is_integer() else float(value)
