"""A model whose replies are written down beforehand: :class:`Scripted`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from dissonance.harness.call import ApiError, Call, Json, Message, Pace, Reply
from dissonance.harness.errors import BadInput, ScriptExhausted
from dissonance.harness.history import History

__all__ = ["Line", "Lines", "Scripted"]

Line: TypeAlias = str | Message | Reply
"""One reply: a text, a message, or a reply with its own timing and ending."""

Lines: TypeAlias = Line | Sequence[Line] | Callable[[Call, History], Line | None]
"""What answers the calls of one entry: always the same line, the n-th of a sequence, or a function that may decline."""

_TEXT = "text:"


@dataclass(frozen=True)
class Scripted:
    """Says what its script says, at ``pace``; a line that is a :class:`Reply` keeps its own timing.

    ``replies`` is the lines for all agents, or a mapping of them. A key is an agent's name, a glob of
    it (``"worker-*"``), or ``"text:…"`` for requests that contain the text; of the keys that fit, the
    first that has a line for the call gives it. A sequence has its n-th line for the call with
    ``ordinal`` n, so that each agent gets it from the start and a retry gets the same line: nothing is
    used up. A line that is no sequence serves every call; a function declines with None.

    Raises :class:`ScriptExhausted` where there is no line for a call, :class:`BadInput` for what is
    no script.

    >>> script = Scripted({"judge": ["REVISE", "APPROVE"], "text:ACME": "ACME sold 4 units."})
    """

    replies: Mapping[str, Lines] | Lines
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if not isinstance(self.pace, Pace):
            raise BadInput(f"Scripted(pace={self.pace!r}): give Pace(first_byte=…, tokens_per_second=…).")
        for key, lines in self._entries():
            _check(key, lines)

    def reply(self, call: Call, past: History) -> Reply:
        """The line for this call."""
        for key, lines in self._entries():
            line = _line(lines, call, past) if _concerns(key, call) else None
            if line is not None:
                return self._performed(line, key)
        raise ScriptExhausted(self._exhausted(call))

    def describe(self) -> Json:
        """The script and the pace; a function goes by its qualified name."""
        told = self.replies
        pace = {"first_byte": self.pace.first_byte, "tokens_per_second": self.pace.tokens_per_second}
        replies = {key: _told(lines) for key, lines in told.items()} if isinstance(told, Mapping) else _told(told)
        return {"name": "Scripted", "replies": replies, "pace": pace}

    def _entries(self) -> Iterable[tuple[str, Any]]:
        return self.replies.items() if isinstance(self.replies, Mapping) else (("*", self.replies),)

    def _performed(self, line: object, key: str) -> Reply:
        if isinstance(line, str):
            return Reply.say(line, pace=self.pace)
        if isinstance(line, Message):
            return Reply(body=line, seconds=self.pace.first_byte, tokens_per_second=self.pace.tokens_per_second)
        if isinstance(line, Reply):
            return line
        raise BadInput(f"Scripted, {key!r}: its function gave {line!r}. Give a str, a Message, a Reply or None.")

    def _exhausted(self, call: Call) -> str:
        who = f"agent {call.agent!r}, call {call.ordinal}"
        for key, lines in self._entries():
            if _concerns(key, call) and _is_sequence(lines):
                return (
                    f"Scripted: {who}: the script has {len(lines)} replies for {key!r}. "
                    "Add one for this call, or give a single line, which serves every call."
                )
        keys = ", ".join(repr(key) for key, _ in self._entries()) or "nobody"
        return f"Scripted: {who}: the script has 0 replies for it, only for {keys}. Add a key {call.agent!r} or '*'."


def _is_sequence(lines: object) -> bool:
    return not isinstance(lines, str) and isinstance(lines, Sequence)


def _concerns(key: str, call: Call) -> bool:
    if key.startswith(_TEXT):
        return key.removeprefix(_TEXT) in call.text
    return fnmatchcase(call.agent, key)


def _line(lines: Any, call: Call, past: History) -> Line | None:
    if callable(lines):
        return lines(call, past)  # type: ignore[no-any-return]
    if _is_sequence(lines):
        return lines[call.ordinal - 1] if call.ordinal <= len(lines) else None
    return lines  # type: ignore[no-any-return]


def _check(key: object, lines: object) -> None:
    if not isinstance(key, str) or not key.removeprefix(_TEXT):
        raise BadInput(f"Scripted: the key {key!r} names nobody. Give an agent's name, a glob of it, or 'text:…'.")
    if callable(lines) or isinstance(lines, Line):
        return
    if not _is_sequence(lines):
        raise BadInput(
            f"Scripted, {key!r}: {lines!r} is no reply. Give a str, a Message, a Reply, a sequence of these, "
            "or a function of (call, past)."
        )
    for number, line in enumerate(lines, 1):  # type: ignore[arg-type, var-annotated]
        if not isinstance(line, Line):
            raise BadInput(f"Scripted, {key!r}, reply {number}: {line!r} is no str, Message or Reply.")


# --- description ------------------------------------------------------------------------------


def _told(lines: Any) -> Json:
    if callable(lines):
        return f"function {getattr(lines, '__qualname__', type(lines).__qualname__)}"
    if _is_sequence(lines):
        return [_told(line) for line in lines]
    if isinstance(lines, Message):
        return _message(lines)
    return lines if isinstance(lines, str) else _reply(lines)


def _message(message: Message) -> Json:
    return {"content": list(message.content), "stop_reason": message.stop_reason}


def _reply(reply: Reply) -> Json:
    """What of a reply differs from an empty one."""
    plain = Reply()
    told = {name: getattr(reply, name) for name in _FIELDS if getattr(reply, name) != getattr(plain, name)}
    body = reply.body
    if isinstance(body, Message):
        told["body"] = _message(body)
    elif isinstance(body, ApiError):
        told["body"] = {"type": body.type, "message": body.message}
    elif isinstance(body, bytes):
        told["body"] = body.decode("utf-8", "backslashreplace")
    if reply.event_error is not None:
        told["event_error"] = {"type": reply.event_error.type, "message": reply.event_error.message}
    return told


_FIELDS = (
    "status",
    "failure",
    "headers",
    "body",
    "seconds",
    "tokens_per_second",
    "ending",
    "ending_after",
    "event_error",
)
