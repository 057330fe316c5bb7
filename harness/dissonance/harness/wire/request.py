"""A request as it arrived: which endpoint, the parsed body, and the few headers that matter.

:func:`read_request` also gives the refusals that the API gives before a model is concerned. What it
asks of the body itself is in ``validate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from dissonance.harness.call import Endpoint, JsonObject, Reply
from dissonance.harness.quick import quick
from dissonance.harness.secrets import hidden, is_secret_name

from .growing import parse_json
from .table import error_reply, invalid_request

__all__ = ["MAX_BYTES", "Request", "read_request"]

MAX_BYTES = 32 * 1024 * 1024
"""The largest body that the API takes (public error reference); more is a 413."""

_SIMULATED = "POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models and GET /v1/models/{id}"
_POSTED: dict[str, Endpoint] = {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens"}


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """A readable request.

    ``body`` is the parsed JSON, untouched; for ``models`` it holds the query (``limit``,
    ``after_id``, ``before_id``, ``lifecycle`` as a list) and, where one model is asked for, its
    ``id``. ``headers`` are in lower case and hold no secret. ``retry`` counts the SDK's earlier
    attempts; ``version`` is the header ``anthropic-version``.
    """

    endpoint: Endpoint
    body: JsonObject
    headers: dict[str, str]
    retry: int
    version: str


def read_request(
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    parse: Callable[[bytes], Any] = parse_json,
) -> Request | Reply:
    """The request, or the API's refusal of it. ``parse`` reads its JSON (see ``growing``).

    ``path`` may have a query and, before ``/v1/``, a gateway's prefix. Refused, in this order: an
    unknown path (404, which says what is simulated), a wrong method (405), no credentials (401),
    more than 32 MB (413), no ``anthropic-version`` (400), a body that is not a JSON object (400).
    """
    route, _, query = path.partition("?")
    endpoint, expected, model = _route(route)
    if endpoint is None:
        return _unknown(method, route)
    if method != expected:
        return error_reply(405, message=f"Method Not Allowed: {method} {route}; use {expected}.")
    sent = {name.lower(): value for name, value in headers}
    if not _authenticated(sent):
        return error_reply(401, message="Authentication is required: send `Authorization: Bearer` or `x-api-key`.")
    if len(body) > MAX_BYTES:
        return error_reply(413)
    version = sent.get("anthropic-version", "")
    if not version:
        return invalid_request("anthropic-version: header is required")
    content = _parse(body, parse) if expected == "POST" else _query(query, model)
    if isinstance(content, Reply):
        return content
    retry = _retry(sent)
    for name in _secrets_among(tuple(sent)):
        hidden.add_header(sent.pop(name))
    return Request(endpoint, content, sent, retry, version)


def _route(route: str) -> tuple[Endpoint | None, str, str]:
    start = route.find("/v1/")
    tail = route[start:].rstrip("/") if start > 0 else route.rstrip("/")
    if tail in _POSTED:
        return _POSTED[tail], "POST", ""
    if tail == "/v1/models":
        return "models", "GET", ""
    if tail.startswith("/v1/models/"):
        return "models", "GET", unquote(tail.removeprefix("/v1/models/"))
    return None, "", ""


def _unknown(method: str, route: str) -> Reply:
    return error_reply(404, message=f"Not found: {method} {route} is not simulated; {_SIMULATED} are.")


@lru_cache(maxsize=64)
def _secrets_among(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that hold a credential: a client's requests have all the same headers."""
    return tuple(filter(is_secret_name, names))


def _authenticated(sent: dict[str, str]) -> bool:
    scheme, _, token = sent.get("authorization", "").partition(" ")
    return (scheme.lower() == "bearer" and bool(token.strip())) or bool(sent.get("x-api-key", "").strip())


def _parse(body: bytes, parse: Callable[[bytes], Any]) -> JsonObject | Reply:
    try:
        content = parse(body)
    except ValueError as error:
        return invalid_request(f"The request body is not valid JSON: {error}")
    if not isinstance(content, dict):
        return invalid_request("The request body is not valid JSON: an object is expected")
    return content


def _query(query: str, model: str) -> JsonObject:
    content: dict[str, object] = {"id": model} if model else {}
    stages: list[str] = []
    for name, value in parse_qsl(query):
        if name in ("lifecycle", "lifecycle[]"):
            stages.append(value)
        else:
            content[name] = value
    if stages:
        content["lifecycle"] = stages
    return content


def _retry(sent: dict[str, str]) -> int:
    count = sent.get("x-stainless-retry-count", "0")
    return int(count) if count.isdecimal() else 0
