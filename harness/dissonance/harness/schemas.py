"""JSON schemas, read: references, types, options, and the leaves at which something is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .call import Json, JsonObject
from .words import Side, side_of, tokens_of

__all__ = [
    "SCORES",
    "Leaf",
    "is_null",
    "leaves",
    "merged",
    "options_of",
    "references",
    "resolve",
    "side_of_boolean",
    "side_of_variant",
    "type_of",
]

SCORES = frozenset({"score", "rating", "grade", "confidence", "quality", "probability", "certainty", "likelihood"})
"""Names of numbers that judge: the upper end of their range accepts."""

_DEPTH = 12

Leaf = tuple[tuple[str, ...], JsonObject]
"""The path of a property and its schema, references resolved."""


def resolve(schema: Any, root: JsonObject) -> JsonObject:
    """The schema behind ``$ref``, with the keys beside it; an unknown reference resolves to the empty schema."""
    for _ in range(_DEPTH):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" not in schema:
            return schema
        target: Any = root
        for step in str(schema["$ref"]).lstrip("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name, {}) if isinstance(target, Mapping) and name else target
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **beside} if isinstance(target, Mapping) else beside
    return {}


def merged(schema: JsonObject, root: JsonObject) -> JsonObject:
    """A schema with its ``allOf`` folded in: properties and required names are united, the rest overrides."""
    whole: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", ()):
        plain = resolve(part, root)
        plain = merged(plain, root) if "allOf" in plain else plain
        properties = {**whole.get("properties", {}), **plain.get("properties", {})}
        required = [*whole.get("required", ()), *plain.get("required", ())]
        whole |= plain
        if properties:
            whole["properties"] = properties
        if required:
            whole["required"] = list(dict.fromkeys(required))
    return whole


def is_null(schema: Any) -> bool:
    """Whether only null is valid."""
    return isinstance(schema, Mapping) and (schema.get("type") == "null" or schema.get("const", ...) is None)


def type_of(schema: JsonObject) -> str:
    """The type that a value is made of: the first but null of several; where none is said, what the keywords imply."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Sequence) and kind:
        return next((str(one) for one in kind if one != "null"), "null")
    if "properties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def options_of(schema: JsonObject) -> tuple[Json, ...]:
    """The values that an enum, a const or a union of consts allows; none for anything else."""
    if schema.get("enum"):
        return tuple(schema["enum"])
    if "const" in schema:
        return (schema["const"],)
    variants = [v for v in schema.get("anyOf") or schema.get("oneOf") or () if not is_null(v)]
    options = [options_of(v) for v in variants if isinstance(v, Mapping)]
    return tuple(o for each in options for o in each) if variants and all(options) else ()


def references(schema: Any) -> Iterator[str]:
    """The references that stand anywhere in a schema."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"])
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, Sequence) and not isinstance(schema, str):
        for value in schema:
            yield from references(value)


def side_of_boolean(name: str) -> Side | None:
    """Which branch it is when the boolean with this name is true: ``approved`` accepts, ``needs_revision`` rejects."""
    return side_of(name)


def side_of_variant(schema: JsonObject, root: JsonObject) -> Side | None:
    """Which branch a variant of a union takes, by the constant that marks it: ``{"action": {"const": "finish"}}``."""
    for value in (resolve(schema, root).get("properties") or {}).values():
        options = options_of(resolve(value, root))
        if len(options) == 1 and side_of(str(options[0])):
            return side_of(str(options[0]))
    return None


def leaves(schema: JsonObject, root: JsonObject, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """The enums, booleans and scores of a schema, in its order; at most 12 levels deep."""
    plain = resolve(schema, root)
    plain = merged(plain, root) if "allOf" in plain else plain
    if len(path) > _DEPTH:
        return
    if options_of(plain):
        yield path, plain
        return
    kind = type_of(plain)
    if kind == "boolean" or (kind in ("integer", "number") and path and SCORES.intersection(tokens_of(path[-1]))):
        yield path, plain
    for name, value in (plain.get("properties") or {}).items():
        yield from leaves(value, root, (*path, name))
    if isinstance(plain.get("items"), Mapping):
        yield from leaves(plain["items"], root, (*path, "[]"))
    for variant in plain.get("anyOf") or plain.get("oneOf") or ():
        yield from leaves(variant, root, path)
