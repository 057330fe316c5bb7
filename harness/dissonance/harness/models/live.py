"""The real API behind the same interceptors: :class:`Live`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import httpx2

from dissonance.harness.call import ApiError, Call, Json, Message, Reply, api_error_of
from dissonance.harness.errors import BadInput, OverBudget
from dissonance.harness.secrets import hidden
from dissonance.harness.wire.catalog import cost
from dissonance.harness.world.strand import stepping_out

from .assembly import Assembly, events_of
from .ledger import Ledger
from .spending import worst_cost

__all__ = ["Live"]

API = "https://api.anthropic.com"
_VERSION = "2026-10-21"
_PASSED_ON = ("anthropic-version", "anthropic-beta")
_KEPT = ("request-id", "retry-after", "x-should-retry")
_PATHS = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
_ALL = 10**9  # deltas: a stream that breaks off does so after all that came


class Live:
    """Sends each call to the real API, waits for the whole of its answer, and gives it at the pace at which it came.

    It does I/O, so that it is no :class:`~dissonance.harness.Model`: a run with it is in tier T3, has no baseline, and
    takes as long as the API does (see ``Limits(real_seconds=…)``). Faults on the way to the model spare the call;
    faults of the reply do not.

    * ``usd``: the spending limit, for all runs with this object together. A call that could exceed it in the worst case
      (see :func:`~.spending.worst_cost`) is not made, and the run is stopped. ``ledger``: a file in which it is counted,
      for several processes that share the limit.
    * ``model``: asked in place of those that the workflow names.
    * ``api_key``: default: the environment's ``ANTHROPIC_API_KEY``. Nothing ever shows it.
    * ``base_url``: of the API, or of a gateway in front of it. ``timeout``: real seconds of silence.

    :raises BadInput: no key, no limit above 0, or no HTTP URL.
    """

    live: Literal[True] = True

    def __init__(
        self,
        *,
        usd: float,
        ledger: str | Path | None = None,
        model: str | None = None,
        api_key: str | None = None,
        base_url: str = API,
        timeout: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = Ledger(_checked_usd(usd), None if ledger is None else Path(ledger))
        self._model = model
        self._base_url = _checked_url(base_url)
        key = api_key or os.environ.get("ANTHROPIC_API_KEY", "")
        if not key:
            raise BadInput("Live: there is no key; give api_key=…, or set ANTHROPIC_API_KEY")
        hidden.add(key)
        self._clock = clock
        self._lock = threading.Lock()
        self._client = httpx2.Client(timeout=timeout, headers={"x-api-key": key}, base_url=self._base_url)

    @property
    def spent(self) -> float:
        """US dollars so far, by the usage that the API reported; at worst where it reported none."""
        return self._ledger.spent

    def ask(self, call: Call) -> Reply:
        """The real API's answer.

        :raises OverBudget: the call could cost more than is left. It was not made.
        """
        if self._model is not None:
            call = replace(call, model=self._model)
        with stepping_out(), self._lock:
            if call.endpoint == "messages":
                return self._message(call)
            return self._other(call)

    def describe(self) -> Json:
        """Where it asks, which model if not the workflow's own, and the limit."""
        asked = {} if self._model is None else {"model": self._model}
        return {"name": "Live", "base_url": self._base_url, **asked, "usd": self._ledger.usd}

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"Live(usd={self._ledger.usd!r}, base_url={self._base_url!r})"

    # --- a message ----------------------------------------------------------------------------

    def _message(self, call: Call) -> Reply:
        ledger, worst = self._ledger, worst_cost(call)
        if not ledger.book(worst):
            raise OverBudget(
                f"Live: a call of {call.agent!r} could cost ${worst:.4f}, and ${self.spent:.4f} of ${ledger.usd:g} are "
                "spent; it was not made. Give Live(usd=…) more, or ask for less (max_tokens)."
            )
        began = self._clock()
        assembly = Assembly()
        try:
            with self._client.stream("POST", _PATHS["messages"], json=_body(call), headers=_headers(call)) as response:
                if response.status_code != 200:
                    response.read()
                    ledger.correct(worst, 0.0)
                    return _refused(response, self._clock() - began)
                first = self._read(response, assembly, began)
                headers = _kept(response)
        except httpx2.TransportError as error:
            if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):  # it was never sent
                ledger.correct(worst, 0.0)
            if not assembly.begun:
                return Reply(status=None, failure=_failure(error), seconds=self._clock() - began)
            first, headers = self._clock() - began, {}
        else:
            if assembly.over:
                ledger.correct(worst, cost(assembly.usage, call.model))
        return _reply(assembly, call, first, self._clock() - began, headers)

    def _read(self, response: httpx2.Response, assembly: Assembly, began: float) -> float:
        """Read the stream to its end; the seconds until it began."""
        first = None
        for event in events_of(response.iter_lines()):
            if first is None:
                first = self._clock() - began
            assembly.add(event)
        return self._clock() - began if first is None else first

    # --- all else -----------------------------------------------------------------------------

    def _other(self, call: Call) -> Reply:
        began = self._clock()
        try:
            if call.endpoint == "count_tokens":
                response = self._client.post(_PATHS["count_tokens"], json=_body(call), headers=_headers(call))
            else:
                query = dict(call.params)
                path = "/v1/models" + (f"/{query.pop('id')}" if "id" in query else "")
                response = self._client.get(path, params=query, headers=_headers(call))
        except httpx2.TransportError as error:
            return Reply(status=None, failure=_failure(error), seconds=self._clock() - began)
        if response.status_code != 200:
            return _refused(response, self._clock() - began)
        return Reply(body=response.json(), headers=_kept(response), seconds=self._clock() - began)


# --- to the API -------------------------------------------------------------------------------


def _headers(call: Call) -> dict[str, str]:
    passed = {name: call.headers[name] for name in _PASSED_ON if name in call.headers}
    return {"anthropic-version": _VERSION, **passed}


def _body(call: Call) -> dict[str, Any]:
    """The request again, as the faults have left it; a message is always streamed, for its pace to be seen."""
    body: dict[str, Any] = {"model": call.model, "messages": list(call.messages), **call.params}
    if call.endpoint == "messages":
        body |= {"max_tokens": call.max_tokens, "stream": True}
    if call.system is not None:
        body["system"] = call.system
    if call.tools:
        body["tools"] = list(call.tools)
    if call.tool_choice is not None:
        body["tool_choice"] = call.tool_choice
    return body


# --- from the API -----------------------------------------------------------------------------


def _reply(assembly: Assembly, call: Call, first: float, total: float, headers: dict[str, str]) -> Reply:
    message = assembly.message
    error = assembly.error
    if not assembly.over and not call.stream:
        if error is None:
            return Reply(status=None, failure="reset", seconds=total)
        return Reply(
            status=529 if error.type == "overloaded_error" else 500, body=error, headers=headers, seconds=total
        )
    pace = _pace(message, total - first)
    if assembly.over:
        return Reply(body=message, headers=headers, seconds=first, tokens_per_second=pace)
    ending: Literal["error_event", "cut"] = "cut" if error is None else "error_event"
    return Reply(
        body=message,
        headers=headers,
        seconds=first,
        tokens_per_second=pace,
        ending=ending,
        ending_after=_ALL,
        event_error=error,
    )


def _pace(message: Message, seconds: float) -> float | None:
    tokens = 0 if message.usage is None else message.usage.output_tokens
    return tokens / seconds if tokens and seconds > 0 else None


def _refused(response: httpx2.Response, seconds: float) -> Reply:
    try:
        body: ApiError | bytes = api_error_of(response.json())
    except ValueError:
        body = response.content
    return Reply(status=response.status_code, body=body, headers=_kept(response), seconds=seconds)


def _kept(response: httpx2.Response) -> dict[str, str]:
    names = [name for name in response.headers if name in _KEPT or name.startswith("anthropic-ratelimit-")]
    return {name: response.headers[name] for name in names}


def _failure(error: httpx2.TransportError) -> Literal["connect", "connect_timeout", "reset", "read_timeout"]:
    if isinstance(error, httpx2.ConnectTimeout):
        return "connect_timeout"
    if isinstance(error, httpx2.TimeoutException):
        return "read_timeout"
    return "connect" if isinstance(error, httpx2.ConnectError) else "reset"


# --- arguments --------------------------------------------------------------------------------


def _checked_usd(usd: object) -> float:
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not isfinite(usd) or usd <= 0:
        raise BadInput(f"Live(usd={usd!r}): give the US dollars that may be spent, such as 0.50")
    return float(usd)


def _checked_url(url: str) -> str:
    parsed = httpx2.URL(url)
    if parsed.userinfo:
        raise BadInput("Live(base_url=…): the URL holds a user or a password; give them by api_key")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadInput(f"Live(base_url={url!r}): give an address such as {API!r}")
    return str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
