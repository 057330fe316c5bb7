"""The history: every step of a run as an event, one JSON line each.

An event has an ``id`` (its place in the run, from 0), ``at`` (virtual seconds since the run
began), ``kind``, ``agent`` (None where no agent is concerned), and what its kind needs. Contents
are kept once each in a :class:`Bodies`, addressed by their hash, because a workflow that resends
its history would otherwise be stored quadratically.

``SCHEMA`` is the version of this format; ``tests/test_formats.py`` pins it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeAlias, overload

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from .call import Endpoint, JsonObject, Usage, text_of
from .errors import BadInput
from .quick import quick
from .secrets import hidden

__all__ = [
    "SCHEMA",
    "Acted",
    "Answered",
    "Asked",
    "Bodies",
    "CallSent",
    "Checkpoint",
    "Event",
    "FaultFired",
    "GuardFired",
    "History",
    "ReplyReceived",
    "Restarted",
    "RunEnded",
    "RunStarted",
    "Stopped",
    "content_hash",
    "read_events",
    "write_event",
]

SCHEMA = 1

Outcome = Literal["completed", "failed", "paused", "crashed", "stopped_by_harness"]
Received = Literal["complete", "cut", "reset", "stall", "error_event", "timeout", "failure", "abandoned"]
"""How a reply ended for the client: as :data:`~.call.Ending`; or the client's own timeout came
first; or the connection failed before a status; or the client went away (cancelled, closed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run begins; ``task`` is the hash of the task's JSON."""

    id: int
    at: float
    agent: str | None = None
    workflow: str
    task: str
    seed: int
    model: JsonObject
    rules: tuple[str, ...] = ()
    kind: Literal["run_started"] = "run_started"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CallSent:
    """A request arrived. ``parts`` are the hashes of its system prompt, its tools and each message, in this order.

    ``system`` and ``tools`` are None where the request has none. ``params`` is the hash of all
    other fields of its body.
    """

    id: int
    at: float
    agent: str
    endpoint: Endpoint
    model: str
    ordinal: int
    attempt: int
    tokens: int
    max_tokens: int
    stream: bool
    system: str | None
    tools: str | None
    messages: tuple[str, ...]
    params: str | None
    kind: Literal["call"] = "call"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFired:
    """A rule fired on a call. ``changed``: the rendered bytes or the timing differ for it.

    ``before`` and ``after`` are the hashes of the reply (or of the request or the task, where ``side``
    says so) without and with the fault. A task is altered before any call: ``call`` is then the id of
    ``run_started``, and ``agent`` is empty. A tool that fails belongs to no call: ``call`` is that id, too;
    ``before`` is what it was called with, ``after`` how it failed.
    """

    id: int
    at: float
    agent: str
    rule: str
    fault: str
    call: int
    side: Literal["request", "reply", "task", "tool"]
    changed: bool
    before: str | None = None
    after: str | None = None
    claims: tuple[JsonObject, ...] = ()
    ends_at: float | None = None
    damages: str | None = None
    kind: Literal["fault"] = "fault"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReceived:
    """The client has received the reply to ``call``, or what became of it.

    ``seconds`` is the virtual time since the call was sent; ``body`` the hash of the message,
    error or JSON as decided; ``reached`` the rules whose alteration the agent has felt.
    """

    id: int
    at: float
    agent: str
    call: int
    status: int | None
    usage: Usage | None
    usd: float
    seconds: float
    ending: Received
    stop_reason: str | None = None
    error: str | None = None
    body: str | None = None
    reached: tuple[str, ...] = ()
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFired:
    """A guard of the workflow stopped or changed something."""

    id: int
    at: float
    agent: str | None
    guard: str
    reason: str
    data: JsonObject
    kind: Literal["guard"] = "guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The workflow saved its state."""

    id: int
    at: float
    agent: str | None
    data: JsonObject
    kind: Literal["checkpoint"] = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A human was asked."""

    id: int
    at: float
    agent: str | None
    data: JsonObject
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A human answered."""

    id: int
    at: float
    agent: str | None
    data: JsonObject
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """An action has taken effect in the world: money moved, a mail left. ``key`` is equal where it is the same action."""

    id: int
    at: float
    agent: str | None
    key: str
    data: JsonObject
    kind: Literal["action"] = "action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """The process died and was started again; ``down`` is how long it was away, in virtual seconds."""

    id: int
    at: float
    down: float
    reason: str
    agent: str | None = None
    kind: Literal["restarted"] = "restarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The harness stopped the run: ``limit`` was hit."""

    id: int
    at: float
    limit: str
    reason: str
    agent: str | None = None
    kind: Literal["stopped"] = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over. ``result`` is the hash of the result's JSON (or repr), ``error`` the exception's one line."""

    id: int
    at: float
    outcome: Outcome
    stopped_by: str | None
    error: str | None
    result: str | None
    agent: str | None = None
    kind: Literal["run_ended"] = "run_ended"


Event: TypeAlias = (
    RunStarted
    | CallSent
    | FaultFired
    | ReplyReceived
    | GuardFired
    | Checkpoint
    | Asked
    | Answered
    | Acted
    | Restarted
    | Stopped
    | RunEnded
)

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def write_event(event: Event) -> bytes:
    """An event as its JSON line, with the newline."""
    return to_json(event) + b"\n"


def read_events(data: bytes, source: str = "history.jsonl") -> list[Event]:
    """The events of a history file. A last line cut short by a kill is left out; any other bad line raises BadInput."""
    events: list[Event] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            events.append(_ADAPTER.validate_json(line))
        except ValidationError as error:
            if number == len(lines):  # no newline behind it: the writer was killed within this line
                break
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "line"
            raise BadInput(
                f"{source}:{number}: not an event of schema {SCHEMA}: {where}: {problem['msg']}. "
                "The run folder was edited or comes from another version; run the plan again with `dissonance replay`."
            ) from None
    return events


# --- contents ---------------------------------------------------------------------------------


def content_hash(data: bytes) -> str:
    """The address of a content: 16 hexadecimal digits of BLAKE2b."""
    return blake2b(data, digest_size=8).hexdigest()


Pieces: TypeAlias = tuple[bytes, bytes, Sequence[bytes], bytes]
"""A content in pieces, which others may share: its beginning, what stands between the pieces, they, its end."""


class Bodies:
    """Contents by their hash: each is kept once.

    ``sink``, if given, is called with ``(hash, json)`` once for each new content, at once, so that
    nothing recorded is lost when the process dies.
    """

    def __init__(self, sink: Callable[[str, bytes], None] | None = None) -> None:
        self._data: dict[str, bytes | Pieces] = {}
        self._sink = sink

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __len__(self) -> int:
        return len(self._data)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All contents, in the order of their first appearance."""
        return iter([(key, self._whole(key)) for key in self._data])

    def put(self, value: Any) -> str:
        """Keep a JSON value; the same value has the same hash."""
        return self.put_json(canonical(value))

    def put_json(self, data: bytes) -> str:
        """Keep a value that is JSON already, canonical or in some other fixed order."""
        data = hidden.clean_bytes(data)
        key = content_hash(data)
        self.keep(key, data)
        return key

    def keep(self, key: str, data: bytes) -> None:
        """Keep canonical JSON under the hash that the caller knows it has."""
        if key not in self._data:
            self._data[key] = data
            if self._sink is not None:
                self._sink(key, data)

    def keep_pieces(self, key: str, pieces: Pieces) -> None:
        """As :meth:`keep`; put together where it is asked for, as a message that grows by a block would be kept many times."""
        if key not in self._data:
            self._data[key] = pieces
            if self._sink is not None:
                self._sink(key, self._whole(key))

    def get(self, key: str) -> Any:
        """The value with this hash; KeyError where it is not kept."""
        return from_json(self._whole(key))

    def _whole(self, key: str) -> bytes:
        data = self._data[key]
        if isinstance(data, bytes):
            return data
        begin, between, pieces, end = data
        return begin + between.join(pieces) + end


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no white space: equal values give equal bytes."""
    if type(value) is dict and _TEXT.issuperset(map(type, value)) and _TEXT.issuperset(map(type, value.values())):
        try:
            return to_json(dict(sorted(value.items())))  # most messages and blocks: the same bytes, much cheaper
        except ValueError:  # half of a surrogate pair
            pass
    return _encode(value).encode("utf-8", "surrogatepass")


_TEXT = frozenset({str})


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode


# --- the whole --------------------------------------------------------------------------------


class History(Sequence[Event]):
    """A run's events in order, read-only, and the contents that they name.

    Models and interceptors get it as ``past``; checks get it as ``run.history``.
    """

    def __init__(self, events: list[Event] | None = None, bodies: Bodies | None = None) -> None:
        self._events: list[Event] = [] if events is None else events
        self.bodies = Bodies() if bodies is None else bodies

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __reversed__(self) -> Iterator[Event]:
        return reversed(self._events)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._events == other._events

    __hash__ = None  # type: ignore[assignment]

    def calls(self, agent: str | None = None, endpoint: Endpoint | None = "messages") -> list[CallSent]:
        """The calls of an agent (None: of all) to an endpoint (None: to any), in order."""
        return [
            event
            for event in self._events
            if isinstance(event, CallSent)
            and (agent is None or event.agent == agent)
            and (endpoint is None or event.endpoint == endpoint)
        ]

    def replies(self, agent: str | None = None) -> list[ReplyReceived]:
        """The replies that an agent (None: any) received, in order."""
        return [e for e in self._events if isinstance(e, ReplyReceived) and (agent is None or e.agent == agent)]

    def faults(self, rule: str | None = None) -> list[FaultFired]:
        """The firings of a rule (None: of all), in order."""
        return [e for e in self._events if isinstance(e, FaultFired) and (rule is None or e.rule == rule)]

    def actions(self) -> list[Acted]:
        """The actions that took effect, in order."""
        return [e for e in self._events if isinstance(e, Acted)]

    def guards(self) -> list[GuardFired]:
        """The guards that fired, in order."""
        return [e for e in self._events if isinstance(e, GuardFired)]

    def reply_to(self, call: int) -> ReplyReceived | None:
        """What came back for the call with this event id; None where nothing has yet."""
        for event in self._events[call + 1 :]:
            if isinstance(event, ReplyReceived) and event.call == call:
                return event
        return None

    def request(self, call: CallSent) -> dict[str, Any]:
        """The content of a call: ``system``, ``tools`` and ``messages`` as JSON."""
        return {
            "system": None if call.system is None else self.bodies.get(call.system),
            "tools": [] if call.tools is None else self.bodies.get(call.tools),
            "messages": [self.bodies.get(key) for key in call.messages],
        }

    def request_text(self, call: CallSent) -> str:
        """All text of a call, as ``Call.text``."""
        request = self.request(call)
        parts = [text_of(request["system"])] if request["system"] else []
        parts.extend(text_of(message.get("content")) for message in request["messages"])
        return "\n".join(parts)

    def reply_body(self, reply: ReplyReceived) -> Mapping[str, Any] | None:
        """The reply's message, error or JSON; None where there was none."""
        if reply.body is None or reply.body not in self.bodies:
            return None
        body = self.bodies.get(reply.body)
        return body if isinstance(body, Mapping) else {"raw": body}

    def reply_text(self, reply: ReplyReceived) -> str:
        """The text of the reply's message, tool arguments included; empty for anything else."""
        body = self.reply_body(reply)
        return text_of(body.get("content")) if body and body.get("type") == "message" else ""
