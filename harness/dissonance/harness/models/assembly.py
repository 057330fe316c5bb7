"""A message put together from the events of a stream: the reverse of ``wire.sse``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from dissonance.harness.call import ApiError, Message, Usage, api_error_of

__all__ = ["Assembly", "events_of"]

_USAGE = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class Assembly:
    """Takes events one by one. ``over``: the stream came to its ``message_stop``; ``error``: it broke off with one.

    >>> assembly = Assembly()
    >>> assembly.add({"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}}})
    >>> assembly.add({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    >>> assembly.add({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}})
    >>> assembly.message.content
    [{'type': 'text', 'text': 'Hi'}]
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._written: dict[int, list[str]] = {}
        self._usage: dict[str, int] = {}
        self.over = False
        self.error: ApiError | None = None

    @property
    def begun(self) -> bool:
        """Whether the message has begun, so that it is billed."""
        return bool(self._head)

    def add(self, event: Mapping[str, Any]) -> None:
        """The next event; one of a kind that is not known changes nothing."""
        kind = event.get("type")
        if kind == "message_start":
            self._head.update(event["message"])
            self._count(event["message"].get("usage"))
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
        elif kind == "content_block_delta":
            self._add_delta(event["index"], event["delta"])
        elif kind == "content_block_stop":
            self._finish(event["index"])
        elif kind == "message_delta":
            self._head.update(event["delta"])
            self._count(event.get("usage"))
        elif kind == "error":
            self.error = api_error_of(event)
        self.over = self.over or kind == "message_stop"

    @property
    def message(self) -> Message:
        """The message so far."""
        for index in list(self._written):
            self._finish(index)
        head = self._head
        return Message(
            content=[self._blocks[index] for index in sorted(self._blocks)],
            stop_reason=head.get("stop_reason"),
            stop_sequence=head.get("stop_sequence"),
            stop_details=head.get("stop_details"),
            usage=self.usage,
            id=head.get("id"),
            model=head.get("model"),
        )

    @property
    def usage(self) -> Usage:
        """What has been billed so far."""
        return Usage(**self._usage)

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block, kind = self._blocks[index], delta["type"]
        if kind in _TEXTS:
            name = _TEXTS[kind]
            block[name] = (block.get(name) or "") + delta[name]
        elif kind == "input_json_delta":
            self._written.setdefault(index, []).append(delta["partial_json"])
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]

    def _finish(self, index: int) -> None:
        """The input of a tool call is JSON now; where it breaks off, as much of it as there is."""
        written = "".join(self._written.pop(index, ()))
        if written:
            try:
                self._blocks[index]["input"] = from_json(written, allow_partial=True)
            except ValueError:
                self._blocks[index]["input"] = written

    def _count(self, usage: Any) -> None:
        for name in _USAGE:
            if isinstance(usage, Mapping) and isinstance(usage.get(name), int):
                self._usage[name] = usage[name]


def events_of(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The events of a stream, from its lines; what is no JSON object ends it."""
    for line in lines:
        if line.startswith("data:"):
            try:
                event = from_json(line[5:])
            except ValueError:
                return
            if isinstance(event, dict):
                yield event
