"""A client without HTTP, for sweeps of workflows that let theirs be given: :class:`DirectAnthropic`.

It is the SDK's own ``AsyncAnthropic``, but inside a run a plain call is answered at once by the simulated
API: no request is built, no JSON is rendered and parsed. Whatever is not plain (streams, errors, replies that
end early or are malformed, a timeout that would come first, parameters that are seldom used) goes through the
SDK, which is handed the delivery that was decided already: so its retries, exceptions and parsing are its own.
Interceptors, model and history cannot tell the two apart, but for a request's headers: a plain call has
``anthropic-version`` alone.

Outside a run, and where the client was made with a timeout or a middleware of its own, it is an
``AsyncAnthropic`` and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from anthropic import AsyncAnthropic, NotGiven, Omit
from anthropic.resources.messages import AsyncMessages, messages
from anthropic.types import Message, MessageTokensCount, TextBlock, ToolUseBlock, Usage
from pydantic import BaseModel
from pydantic_core import to_json

from .call import Block, Endpoint
from .call import Message as Said
from .wire.drivers import Delivery, ajumped
from .wire.render import whole_seconds
from .wire.request import MAX_BYTES, Request
from .wire.sse import usage_json
from .world import Patches, current_world

if TYPE_CHECKING:
    from .exchange import Exchange, Recorded

__all__ = ["DirectAnthropic", "install_direct", "prepared"]

_PLAIN = frozenset({"model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "metadata"})
_MOST_TOKENS = 8_192
"""Above, the SDK may ask for streaming."""
_DEPRECATED: Mapping[str, str] = getattr(messages, "DEPRECATED_MODELS", {})  # the SDK warns of them
_READ = 600.0
"""The SDK's default read timeout, in seconds."""

_exchange: Exchange | None = None
_prepared: ContextVar[list[Delivery] | None] = ContextVar("dissonance_prepared", default=None)


def install_direct(exchange: Exchange, patches: Patches) -> None:
    """Let direct clients inside the world meet this exchange, until ``patches`` are undone."""
    patches.set(_module(), "_exchange", exchange)


def prepared() -> Delivery | None:
    """What was decided already of the request that now arrives; told once."""
    held = _prepared.get()
    return held.pop() if held else None


def _module() -> Any:
    import dissonance.harness.direct as module

    return module


class DirectAnthropic(AsyncAnthropic):
    """An ``AsyncAnthropic`` whose plain calls, inside a run, go to the simulated API directly. No key is needed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"api_key": "simulated", **options})
        self.answers_directly = not options.keys() - {"api_key", "max_retries"}

    @cached_property
    def version(self) -> str:
        """Of the API, as its requests say."""
        return str(self.default_headers["anthropic-version"])

    @cached_property
    def messages(self) -> AsyncMessages:
        return _Messages(self)


class _Messages(AsyncMessages):
    async def create(self, **params: Any) -> Any:
        return await self._asked("messages", params, super().create)

    async def count_tokens(self, **params: Any) -> Any:
        return await self._asked("count_tokens", params, super().count_tokens)

    async def _asked(self, endpoint: Endpoint, params: dict[str, Any], by_sdk: Callable[..., Any]) -> Any:
        exchange = _exchange
        client = self._client
        if exchange is None or not (isinstance(client, DirectAnthropic) and client.answers_directly):
            return await by_sdk(**params)
        if not _is_for(exchange):
            return await by_sdk(**params)
        body = _body(endpoint, params)
        if body is None:
            return await by_sdk(**params)
        version = client.version
        request = Request(endpoint, body, {"anthropic-version": version}, 0, version)
        delivery = exchange.direct(request)
        wait = _wait(delivery)
        if wait is None:
            token = _prepared.set([delivery])
            try:
                return await by_sdk(**params)
            finally:
                _prepared.reset(token)
        await _pass(wait, delivery)
        return _received(delivery)


def _is_for(exchange: Exchange) -> bool:
    return exchange.simulated and current_world() is exchange.world


async def _pass(seconds: float, delivery: Recorded) -> None:
    """As the driver of the wire does."""
    try:
        if seconds and not ajumped(seconds):
            delivery.waits()
            await asyncio.sleep(seconds)
    except BaseException:
        delivery.ended("abandoned", -1)
        raise
    delivery.ended("complete", 1)


def _wait(delivery: Recorded) -> float | None:
    """The seconds until a plain reply is there; None for any other."""
    reply = delivery.reply
    if reply.status != 200 or reply.ending != "complete" or not isinstance(reply.body, Said | dict):
        return None
    if isinstance(reply.body, Said) and (reply.body.stop_details is not None or not _has_known_blocks(reply.body)):
        return None
    if reply.headers.get("content-type", "application/json") != "application/json":
        return None
    seconds = whole_seconds(reply)
    return seconds if seconds < _READ else None


def _has_known_blocks(message: Said) -> bool:
    return all([tuple(block) in _BLOCKS and block["type"] in ("text", "tool_use") for block in message.content])


_BLOCKS = {("type", "text"), ("type", "id", "name", "input")}


# --- the request ------------------------------------------------------------------------------


class _NotPlain(Exception):
    """The SDK is to say what becomes of this."""


def _body(endpoint: Endpoint, params: dict[str, Any]) -> dict[str, Any] | None:
    """The body that the SDK would send; None where that is for the SDK to say."""
    if not params.keys() <= _PLAIN or type(params.get("model")) is not str or params["model"] in _DEPRECATED:
        return None
    if endpoint == "messages":
        most = params.get("max_tokens")
        if type(most) is not int or most > _MOST_TOKENS or "messages" not in params:
            return None
    try:
        body: dict[str, Any] = _plain(params)
        return body if len(to_json(body)) < MAX_BYTES else None
    except (_NotPlain, ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    """A copy as JSON data, as the SDK makes it: without what is not given, models as they were set."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        made = {}
        for key, each in value.items():
            if type(key) is not str:
                raise _NotPlain
            if type(each) in _ATOMS:
                made[key] = each
            elif not isinstance(each, _ABSENT):
                made[key] = _plain(each)
        return made
    if kind is list or kind is tuple:
        return [_plain(each) for each in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    raise _NotPlain


_ATOMS = frozenset({str, bool, int, float, type(None)})
_ABSENT = (Omit, NotGiven)


# --- the reply --------------------------------------------------------------------------------


def _received(delivery: Recorded) -> Any:
    """What the SDK makes of the reply's JSON."""
    reply = delivery.reply
    if isinstance(reply.body, Said):
        made = _made(Message, _message(reply.body))
    else:
        assert isinstance(reply.body, Mapping)
        made = _made(MessageTokensCount, dict(reply.body))
    object.__setattr__(made, "_request_id", reply.headers["request-id"])
    object.__setattr__(made, "_workspace_id", reply.headers.get("anthropic-workspace-id"))
    return made


def _message(said: Said) -> dict[str, Any]:
    assert said.usage is not None
    return {
        "id": said.id or "",
        "type": "message",
        "role": "assistant",
        "model": said.model or "",
        "content": [_block(block) for block in said.content],
        "stop_reason": said.stop_reason,
        "stop_sequence": said.stop_sequence,
        "usage": _made(Usage, usage_json(said.usage)),
    }


def _block(block: Block) -> Any:
    if block["type"] == "text":
        return _made(TextBlock, dict(block))
    return _made(ToolUseBlock, {**block, "input": _plain(block["input"])})


def _made(kind: type[BaseModel], values: dict[str, Any]) -> Any:
    """An instance as the SDK's ``construct`` makes it of these fields."""
    made = kind.__new__(kind)
    object.__setattr__(made, "__dict__", _defaults(kind) | values)
    object.__setattr__(made, "__pydantic_private__", None)
    object.__setattr__(made, "__pydantic_extra__", {})
    object.__setattr__(made, "__pydantic_fields_set__", set(values))
    return made


@cache
def _defaults(kind: type[BaseModel]) -> dict[str, Any]:
    return {name: field.get_default(call_default_factory=False) for name, field in kind.model_fields.items()}
