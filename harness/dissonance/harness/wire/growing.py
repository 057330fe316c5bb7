"""Parsing requests that resend a growing conversation, at the cost of what is new in them.

A workflow sends its whole history with each call. A body that begins with the very bytes of an earlier
one, up to the end of its messages, shares the earlier one's parsed messages: the same objects, which
whoever compares or checks them next sees at a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

__all__ = ["GrowingParser", "parse_json"]

_KEY = b'"messages":['
_KEPT = 8
_LEAST = 4_000  # bytes: a shorter body is parsed whole as fast


def parse_json(data: bytes) -> Any:
    """JSON as the API reads it. ValueError for anything else, infinities and NaN included."""
    return from_json(data, allow_inf_nan=False, cache_strings="keys")  # texts are long, and seldom equal


@dataclass(frozen=True, slots=True)
class _Known:
    """A body up to the end of its messages: those bytes, the fields before the messages, and these."""

    data: bytes
    before: dict[str, Any]
    messages: list[Any]


class GrowingParser:
    """Parses the bodies of one run. What it gives is shared: treat it as read-only.

    >>> parser = GrowingParser()
    >>> parser.parse(b'{"messages":[1,2],"model":"m"}')
    {'messages': [1, 2], 'model': 'm'}
    """

    def __init__(self) -> None:
        self._known: list[_Known] = []  # the latest first

    def parse(self, data: bytes) -> Any:
        """As :func:`parse_json`."""
        if len(data) < _LEAST:
            return parse_json(data)
        for index, known in enumerate(self._known):
            if data.startswith(known.data):
                body = self._continued(known, data)
                if body is not None:
                    del self._known[index]
                    self._remember(data, known, body["messages"])
                    return body
        return self._whole(data)

    def _whole(self, data: bytes) -> Any:
        body = parse_json(data)
        start = data.find(_KEY)
        if isinstance(body, dict) and isinstance(body.get("messages"), list) and start > 0:
            try:
                before = parse_json(data[:start].rstrip(b", ") + b"}")
            except ValueError:  # the first such key stands somewhere within another field
                return body
            if isinstance(before, dict) and "messages" not in before:
                self._remember(data, _Known(data[: start + len(_KEY)], before, []), body["messages"])
        return body

    def _continued(self, known: _Known, data: bytes) -> dict[str, Any] | None:
        """The body, if it goes on where the known one's messages end; None where it does not."""
        rest = data[len(known.data) :]
        if not known.messages or rest[:1] not in (b",", b"]") or b'"messages":' in rest:
            return None
        try:
            after = parse_json(b'{"messages":[0' + rest)
        except ValueError:
            return None
        new = after.pop("messages")
        if not isinstance(new, list) or new[:1] != [0] or after.keys() & known.before.keys():
            return None
        return {**known.before, "messages": known.messages + new[1:], **after}

    def _remember(self, data: bytes, known: _Known, messages: list[Any]) -> None:
        """Keep the body as known, if the end of its messages can be told for certain."""
        end = data.rfind(b"]", len(known.data) - 1)
        while end > 0:
            count = _count(data[len(known.data) : end], bool(known.messages))
            if count == len(messages) - len(known.messages):
                self._known.insert(0, _Known(data[:end], known.before, messages))
                del self._known[_KEPT:]
                return
            end = data.rfind(b"]", len(known.data) - 1, end)


def _count(rest: bytes, continued: bool) -> int:
    """How many messages there are in what was added; -1 where this is not the end of a list."""
    try:
        return len(parse_json(b"[0" + rest + b"]" if continued else b"[" + rest + b"]")) - continued
    except ValueError:
        return -1
