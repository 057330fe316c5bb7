"""What crosses the wire, as data: :class:`Call`, :class:`Reply`, and who may change them.

A :class:`Call` is a request as the model would see it. A :class:`Reply` says completely what
comes back and how: when the first byte arrives, at what pace the rest follows and how it ends.
Nothing here does I/O or sleeps: an :class:`Interceptor` (a fault) and a :class:`Model` are pure
functions from data to data; the drivers in ``wire`` perform a reply on virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeGuard, TypeVar, runtime_checkable

from .quick import quick

if TYPE_CHECKING:
    from .history import History

T = TypeVar("T")

__all__ = [
    "ApiError",
    "Block",
    "Call",
    "Ending",
    "Endpoint",
    "Failure",
    "FaultMark",
    "Interceptor",
    "Json",
    "JsonObject",
    "LiveModel",
    "Message",
    "Model",
    "Pace",
    "Plan",
    "Reply",
    "StopReason",
    "Usage",
    "api_error_of",
    "blocks_of",
    "is_interceptor",
    "is_live",
    "is_model",
    "of_call",
    "text_block",
    "text_of",
    "tool_use",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object exactly as it stands on the wire. Treat it as read-only: it is shared."""

Block: TypeAlias = Mapping[str, Any]
"""A content block as on the wire: ``{"type": "text", "text": …}``, ``{"type": "tool_use", …}`` and so on."""

Endpoint = Literal["messages", "count_tokens", "models"]

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]

Ending = Literal["complete", "cut", "reset", "stall", "error_event"]
"""How a body ends: whole; a clean end of the stream before ``message_stop``; a connection reset;
silence until the client's read timeout; an SSE ``error`` event (streams only)."""

Failure = Literal["connect", "connect_timeout", "reset", "read_timeout"]
"""How a call fails without a status: refused, no connection in time, reset before a byte, no answer at all."""


# --- content ----------------------------------------------------------------------------------


def text_block(text: str) -> Block:
    """A text content block."""
    return {"type": "text", "text": text}


def tool_use(name: str, arguments: JsonObject, id: str = "") -> Block:
    """A tool call by the model. Without an ``id`` the wire fills in a deterministic ``toolu_…``."""
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def blocks_of(content: str | Sequence[Block] | None) -> Sequence[Block]:
    """The content of a message, a system prompt or a tool result as blocks: a bare string is one text block."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (text_block(content),)
    return content


def text_of(content: str | Sequence[Block] | None) -> str:
    """All text that a model would read in this content, tool calls and tool results included, joined by newlines.

    What is no content, as a request may hold that the API is about to refuse, has no text.
    """
    if isinstance(content, str):
        return content
    return "\n".join(_texts(content)) if isinstance(content, list | tuple) else ""


def _texts(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind == "text":
            yield str(block.get("text", ""))
        elif kind == "tool_result":
            yield text_of(block.get("content"))
        elif kind in ("tool_use", "server_tool_use"):
            yield from _strings(block.get("input"))
        elif kind == "document":
            source = block.get("source")
            if isinstance(source, Mapping) and source.get("type") == "text":
                yield str(source.get("data", ""))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


# --- the request ------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to the model API, as the model would see it.

    ``id`` is the id of the call's event in the history. ``ordinal`` (from 1) counts the agent's
    calls of one endpoint; the SDK's retries of a call share its ordinal and differ in ``attempt``
    (from 1). ``sent_at`` is in virtual seconds since the run began, ``tokens`` is the estimated
    size of the input. ``params`` holds every other field of the body (``output_config``,
    ``thinking``, ``stop_sequences``, …), ``headers`` the request headers in lower case, without
    secrets.
    """

    id: int
    endpoint: Endpoint = "messages"
    model: str = ""
    system: str | Sequence[Block] | None = None
    messages: Sequence[JsonObject] = ()
    tools: Sequence[JsonObject] = ()
    tool_choice: JsonObject | None = None
    max_tokens: int = 0
    stream: bool = False
    params: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""
    ordinal: int = 1
    attempt: int = 1
    sent_at: float = 0.0
    tokens: int = 0

    @cached_property
    def system_text(self) -> str:
        """The system prompt's text."""
        return text_of(self.system)

    @cached_property
    def text(self) -> str:
        """All text of the request: system prompt, then each message, joined by newlines."""
        parts = [self.system_text] if self.system else []
        parts.extend(text_of(message.get("content")) for message in self.messages)
        return "\n".join(parts)

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The names of the offered tools, in their order."""
        return tuple(str(tool.get("name", "")) for tool in self.tools)


def of_call(read: Callable[[Call], T]) -> Callable[[Call], T]:
    """Remember with a call what is read off its contents: a model, its helpers and each fault ask for the same."""
    name = f"_{read.__module__}.{read.__qualname__}"

    @wraps(read)
    def remembered(call: Call) -> T:
        held = vars(call)
        if name not in held:
            held[name] = read(call)
        found: T = held[name]
        return found

    return remembered


# --- the reply --------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of a reply, as the API bills them (estimates: see ``wire.tokens``)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    @property
    def total(self) -> int:
        """All input and output."""
        read = self.cache_creation_input_tokens + self.cache_read_input_tokens
        return self.input_tokens + self.output_tokens + read


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """What the model says. ``usage``, ``id`` and ``model`` are filled in by the wire where they are None."""

    content: Sequence[Block]
    stop_reason: StopReason | None = "end_turn"
    stop_sequence: str | None = None
    stop_details: JsonObject | None = None
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error of the API: ``type`` (``overloaded_error``, …), ``message``, and optional ``details``."""

    type: str
    message: str
    details: JsonObject | None = None


def api_error_of(body: Any) -> ApiError:
    """The error that a body of the API's holds. Raises ValueError where it holds none."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(error.get("type"), str):
        raise ValueError("the body holds no error of the API's")
    return ApiError(error["type"], str(error.get("message", "")), error.get("details"))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answers: seconds to the first byte, then output tokens a second.

    The default is Sonnet 4.5 as measured by artificialanalysis.ai in November 2025 (read in a
    third party's page): 1.80 s to the first token, 63 tokens a second.
    """

    first_byte: float = 1.8
    tokens_per_second: float = 63.0


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What comes back and how, complete: nothing is left to whoever performs it.

    * ``status`` with ``body``: a :class:`Message`, an :class:`ApiError`, raw ``bytes`` (sent as
      they are), or a JSON object (``count_tokens``, ``models``). Without a status, ``failure``
      says how the connection failed.
    * ``seconds``: from the request to the first byte. ``tokens_per_second``: pace of the rest; a
      streamed message spreads its chunks by it, any other body arrives whole when its last token
      would have. ``None`` means at once.
    * ``ending``: how the body ends, after ``ending_after`` content deltas of a streamed message
      (``None``: after half of them). ``event_error`` is the error of an ``error_event``. A body
      that is not streamed knows ``complete``, ``cut``, ``reset`` and ``stall``.
    """

    status: int | None = 200
    failure: Failure | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Message | ApiError | JsonObject | bytes | None = None
    seconds: float = 0.0
    tokens_per_second: float | None = None
    ending: Ending = "complete"
    ending_after: int | None = None
    event_error: ApiError | None = None

    @classmethod
    def say(cls, text: str, *, pace: Pace | None = None, stop_reason: StopReason = "end_turn") -> Reply:
        """A plain text reply, at ``pace`` (default: at once)."""
        return cls._of(Message(content=(text_block(text),), stop_reason=stop_reason), pace)

    @classmethod
    def use(cls, *tools: Block, text: str = "", pace: Pace | None = None) -> Reply:
        """A reply that asks for these tools (see :func:`tool_use`), with optional text before them."""
        content = ((text_block(text),) if text else ()) + tools
        return cls._of(Message(content=content, stop_reason="tool_use"), pace)

    @classmethod
    def _of(cls, message: Message, pace: Pace | None) -> Reply:
        if pace is None:
            return cls(body=message)
        return cls(body=message, seconds=pace.first_byte, tokens_per_second=pace.tokens_per_second)

    @property
    def message(self) -> Message | None:
        """The message, if this reply is one."""
        return self.body if isinstance(self.body, Message) else None

    @property
    def text(self) -> str:
        """The message's text, tool arguments included; empty for errors and failures."""
        return text_of(self.body.content) if isinstance(self.body, Message) else ""

    def with_message(self, message: Message) -> Reply:
        """The same reply with another message; its usage is counted anew."""
        body = Message(
            message.content,
            message.stop_reason,
            message.stop_sequence,
            message.stop_details,
            None,
            message.id,
            message.model,
        )
        return self.with_body(body, self.headers)

    def with_body(self, body: Message | ApiError | JsonObject | bytes | None, headers: Mapping[str, str]) -> Reply:
        """The same reply with another body and other headers."""
        return Reply(  # built by hand, as dataclasses.replace() costs several times as much
            status=self.status,
            failure=self.failure,
            headers=headers,
            body=body,
            seconds=self.seconds,
            tokens_per_second=self.tokens_per_second,
            ending=self.ending,
            ending_after=self.ending_after,
            event_error=self.event_error,
        )


# --- who answers, and who interferes ----------------------------------------------------------


@runtime_checkable
class Model(Protocol):
    """Who answers. Pure: the same call and the same past give the same reply."""

    def reply(self, call: Call, past: History) -> Reply:
        """The reply to this call; ``past`` holds the run's earlier events, read-only."""
        ...

    def describe(self) -> Json:
        """What identifies this model in a stored run: its name and its settings."""
        ...


@runtime_checkable
class LiveModel(Protocol):
    """Who answers by asking somebody else: not pure, so that each call is asked once, and its run is in tier T3."""

    live: Literal[True]

    def ask(self, call: Call) -> Reply:
        """The whole reply, with the pace at which it came. Blocks in real time."""
        ...

    def describe(self) -> Json:
        """What identifies it in a stored run."""
        ...


def is_model(model: object) -> TypeGuard[Model]:
    """``isinstance(model, Model)``, at a tenth of its price: a protocol looks up what it consists of each time."""
    return hasattr(model, "reply") and hasattr(model, "describe")


def is_live(model: object) -> TypeGuard[LiveModel]:
    """``isinstance(model, LiveModel)``, as :func:`is_model`."""
    return hasattr(model, "live") and hasattr(model, "ask") and hasattr(model, "describe")


def is_interceptor(rule: object) -> TypeGuard[Interceptor]:
    """``isinstance(rule, Interceptor)``, as :func:`is_model`."""
    return all(hasattr(rule, name) for name in ("id", "describe", "mark", "on_request", "on_reply"))


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMark:
    """What a check must know of a fault that fired; it stands in the fault's event.

    ``fault`` is its name; ``claims`` the claims that it plants (JSON of ``claims.Claim``);
    ``ends_at`` the virtual second after which its rule cannot fire again (``None``: it can for
    ever); ``damages`` names what is damaged in what the agent receives (``"cut stream"``, …), or
    is ``None`` where nothing is lost or falsified.
    """

    fault: str
    claims: tuple[JsonObject, ...] = ()
    ends_at: float | None = None
    damages: str | None = None


@runtime_checkable
class Interceptor(Protocol):
    """Who interferes: a rule of a fault plan, or anything with these methods. Pure, like a model.

    ``None`` means *did not fire*. Interceptors run in the plan's order; ``on_reply`` also sees
    replies that another one injected. One that also has ``on_task(task)`` is asked once, before the
    workflow starts, for the task that the workflow is given (None: as it is). Whether bytes or timing *changed* is not theirs to say: the
    harness compares what is rendered.
    """

    @property
    def id(self) -> str:
        """Unique within the plan."""
        ...

    def describe(self) -> JsonObject:
        """The rule as plan JSON."""
        ...

    def mark(self, call: Call) -> FaultMark:
        """What the fault's event says, when this rule has fired on this call."""
        ...

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        """Another call for the model to see, a reply in its stead, or None."""
        ...

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        """Another reply, or None."""
        ...


class Plan(Protocol):
    """A fault plan as the harness sees it: an ordered list of interceptors.

    It may also have a ``schedule``, the seed of the order in which what is ready at once runs.
    """

    @property
    def rules(self) -> Sequence[Interceptor]: ...
