"""Calls and replies that were recorded, as a file: :class:`Cassette`.

A cassette is made from the history of any run, be its model simulated or live. It holds no headers at all, and the
fields of a request that carry credentials are blank.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from dissonance.harness.call import ApiError, Call, Ending, Failure, Message, Reply, Usage, api_error_of
from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent, History, ReplyReceived
from dissonance.harness.secrets import hidden, without_secrets

__all__ = ["Cassette", "Take", "asked_in", "save_cassette"]

SCHEMA = 1
"""The version of the file."""

_ENDINGS = ("complete", "cut", "reset", "stall", "error_event")


@dataclass(frozen=True, slots=True)
class Take:
    """One call and what came back. ``ordinal`` and ``attempt`` are its own, among the calls of ``agent``."""

    agent: str
    ordinal: int
    attempt: int
    request: Mapping[str, Any]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Cassette:
    """The takes of a run, in the order of their calls. ``source`` says where they come from, for messages."""

    takes: tuple[Take, ...]
    source: str = "cassette"

    @classmethod
    def of(cls, history: History) -> Cassette:
        """What a run's calls of ``messages`` were answered. A call that nothing came back to is left out."""
        replies = {reply.call: reply for reply in history.replies()}
        return cls(tuple(_take(history, call, replies[call.id]) for call in history.calls() if call.id in replies))

    @classmethod
    def load(cls, path: str | Path) -> Cassette:
        """A cassette from its file. Raises BadInput for what is none."""
        try:
            data = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise BadInput(f"cassette {str(path)!r} cannot be read: {error.strerror}; give the path of one") from None
        except ValueError as error:
            raise BadInput(f"cassette {str(path)!r} is not JSON: {error}; record it again") from None
        if not isinstance(data, dict) or data.get("cassette") != SCHEMA:
            said = data.get("cassette") if isinstance(data, dict) else None
            raise BadInput(f"cassette {str(path)!r}: version {said!r}, but this one reads {SCHEMA}; record it again")
        try:
            return cls(tuple(map(_read, data["takes"])), str(path))
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
            raise BadInput(f"cassette {str(path)!r}: a take is damaged ({problem}); record it again") from None

    def save(self, path: str | Path) -> None:
        """Write the file."""
        data = hidden.clean_json({"cassette": SCHEMA, "takes": [_written(take) for take in self.takes]})
        try:
            Path(path).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        except OSError as error:
            raise BadInput(f"cassette {str(path)!r} cannot be written: {error.strerror}; give another path") from None


class _Recorded(Protocol):
    @property
    def history(self) -> History: ...


def save_cassette(run: _Recorded, path: str | Path) -> None:
    """Record a run's calls and replies as a file, for ``Recorded(path)``. No secret is in it.

    :raises BadInput: the file cannot be written.
    """
    Cassette.of(run.history).save(path)


def asked_in(call: Call) -> dict[str, Any]:
    """What a reply depends on, as it stands in a cassette: not whether it is streamed, nor any header."""
    return _request(
        call.model,
        call.max_tokens,
        call.system,
        list(call.tools),
        list(call.messages),
        {**call.params, "tool_choice": call.tool_choice},
    )


def _request(
    model: str, most: int, system: Any, tools: Any, messages: Any, params: Mapping[str, Any]
) -> dict[str, Any]:
    kept = {name: value for name, value in params.items() if value is not None and name != "metadata"}
    request: dict[str, Any] = {"model": model, "max_tokens": most, "system": system, "tools": tools}
    plain: dict[str, Any] = hidden.clean_json(without_secrets({**request, "params": kept, "messages": messages}))
    return plain


def _take(history: History, call: CallSent, reply: ReplyReceived) -> Take:
    content = history.request(call)
    params = {} if call.params is None else history.bodies.get(call.params)
    request = _request(call.model, call.max_tokens, content["system"], content["tools"], content["messages"], params)
    return Take(call.agent, call.ordinal, call.attempt, request, _reply(history, reply))


def _reply(history: History, reply: ReplyReceived) -> Reply:
    """The reply as it was received: its time is that of its last byte."""
    if reply.status is None:
        return Reply(status=None, failure=cast(Failure, reply.error or "reset"), seconds=reply.seconds)
    ending = cast(Ending, reply.ending if reply.ending in _ENDINGS else "complete")
    error = ApiError(reply.error or "overloaded_error", "") if ending == "error_event" else None
    body = _body(history.reply_body(reply), reply.usage)
    return Reply(status=reply.status, body=body, seconds=reply.seconds, ending=ending, event_error=error)


def _body(body: Mapping[str, Any] | None, usage: Usage | None) -> Message | ApiError | bytes | None:
    if body is None:
        return None
    if body.get("type") == "message":
        names = ("stop_reason", "stop_sequence", "stop_details", "id")
        return Message(content=body["content"], usage=usage, **{name: body.get(name) for name in names})
    if body.get("type") == "error":
        return api_error_of(body)
    return str(body.get("raw", "")).encode()


# --- the file ---------------------------------------------------------------------------------


def _written(take: Take) -> dict[str, Any]:
    reply = take.reply
    told: dict[str, Any] = {"status": reply.status, "seconds": reply.seconds, "ending": reply.ending}
    if reply.failure is not None:
        told["failure"] = reply.failure
    if reply.event_error is not None:
        told["event_error"] = reply.event_error.type
    told |= _body_told(reply.body)
    who = {"agent": take.agent, "ordinal": take.ordinal, "attempt": take.attempt}
    return {**who, "request": dict(take.request), "reply": told}


def _body_told(body: object) -> dict[str, Any]:
    if isinstance(body, Message):
        usage = body.usage or Usage()
        names = ("content", "stop_reason", "stop_sequence", "stop_details", "id")
        message = {name: getattr(body, name) for name in names if getattr(body, name) is not None}
        counts = {name: getattr(usage, name) for name in Usage.__slots__ if getattr(usage, name)}
        return {"message": {**message, "content": list(body.content), "usage": counts}}
    if isinstance(body, ApiError):
        return {"error": {"type": body.type, "message": body.message, "details": body.details}}
    return {} if body is None else {"raw": bytes(cast(bytes, body)).decode("utf-8", "replace")}


def _read(data: Mapping[str, Any]) -> Take:
    told = data["reply"]
    event = told.get("event_error")
    reply = Reply(
        status=told["status"],
        failure=told.get("failure"),
        body=_body_read(told),
        seconds=float(told["seconds"]),
        ending=told["ending"],
        event_error=None if event is None else ApiError(event, ""),
    )
    return Take(data["agent"], data["ordinal"], data["attempt"], data["request"], reply)


def _body_read(told: Mapping[str, Any]) -> Message | ApiError | bytes | None:
    if "message" in told:
        message = dict(told["message"])
        return Message(**{**message, "usage": Usage(**message["usage"])})
    if "error" in told:
        return ApiError(**told["error"])
    return told["raw"].encode() if "raw" in told else None


def fields_of(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of a request, by path."""
    yield from _leaves("", request)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}.{index}", item)
    else:
        yield path, value
