"""Making a conversation shorter: its beginning and its end stay, a summary stands for what was between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anthropic.types import MessageParam
from pydantic import BaseModel

from dissonance.patterns.agent import Agent
from dissonance.patterns.outcome import NO_USAGE, Usage
from dissonance.patterns.question import Question

__all__ = ["Compaction", "pieces_of", "text_of"]

_ENDS = 2000
"""Characters that stay at each end of a first message that is itself too long: where people put instructions."""


@dataclass(frozen=True)
class Compaction:
    """How to compact: who summarises, what is pinned, how many last messages stay, bytes that fit into one summary's call."""

    compactor: Agent
    pinned: Sequence[str]
    keep: int
    room: int

    async def of(self, question: Question, limit: int) -> tuple[tuple[MessageParam, ...], Usage]:
        """The shorter conversation, and what making it has cost."""
        messages = question.messages
        tail = _tail(messages, self.keep)
        first = text_of(messages[:1])
        old = text_of(messages[1:tail])
        if _size(first) > limit // 2:
            first, old = f"{first[:_ENDS]}\n[…]\n{first[-_ENDS:]}", f"{first}\n\n{old}"
        summary, usage = await self._shortened(question, old, limit)
        parts = [first]
        if self.pinned:
            parts.append("<pinned>\n" + "\n".join(self.pinned) + "\n</pinned>")
        parts.append(f"<summary>\n{summary}\n</summary>\nThe summary stands for what was said before.")
        beginning: MessageParam = {"role": "user", "content": "\n\n".join(parts)}
        return (beginning, *messages[tail:]), usage

    async def _shortened(self, question: Question, text: str, limit: int) -> tuple[str, Usage]:
        """A summary, piece by piece; a summary that is still too long is summarised again, while that helps."""
        usage = NO_USAGE
        while True:
            pieces = list(pieces_of(text, self.room))
            words = max(50, limit // (4 * max(1, len(pieces))))
            summaries = []
            for piece in pieces:
                prompt = f"<record>\n{piece}\n</record>\n\nShorten this record to at most {words} words."
                answer = await self.compactor.ask(question.client, prompt)
                summaries.append(answer.text)
                usage += answer.usage
            before, text = _size(text), "\n".join(summaries)
            if _size(text) <= limit // 2 or _size(text) > 0.9 * before:
                return text, usage


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _tail(messages: Sequence[MessageParam], keep: int) -> int:
    """Where the last messages begin that stay: at an assistant's turn, so that no tool's result loses its call."""
    wanted = max(1, len(messages) - keep)
    turns = (index for index in range(wanted, len(messages)) if messages[index]["role"] == "assistant")
    return next(turns, len(messages))


def pieces_of(text: str, most: int) -> Iterable[str]:
    """The text in pieces of at most so many bytes, cut between lines or words where possible."""
    rest = text.encode("utf-8", "surrogatepass")
    while rest.strip():
        cut = len(rest)
        if cut > most:
            cut = max(rest.rfind(b"\n", most // 2, most), rest.rfind(b" ", most // 2, most)) + 1 or most
        yield rest[:cut].decode("utf-8", "ignore")
        rest = rest[cut:]


def text_of(messages: Iterable[MessageParam]) -> str:
    """All that stands in some messages, as text."""
    return "\n\n".join(_said(message["content"]) for message in messages)


def _said(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, BaseModel):
        content = content.model_dump(mode="json")
    if isinstance(content, dict):
        kind = content.get("type")
        if kind == "text":
            return str(content.get("text"))
        if kind == "tool_use":
            return f"{content.get('name')}({json.dumps(content.get('input'), ensure_ascii=False)})"
        return _said(content.get("content") or "")
    return "\n".join(_said(each) for each in content) if isinstance(content, (list, tuple)) else ""
