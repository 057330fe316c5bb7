"""Mocks for the other HTTP APIs that a workflow calls inside a run, those of its tools above all.

::

    from dissonance.harness import routes

    routes.get("https://api.example.com/rates").respond(json={"usd": 1.08})

This module is one `respx router <https://lundberg.github.io/respx/api/>`_, to be used like ``respx``
itself, but no client need be patched: inside a run, requests of httpx *and* httpx2 clients meet it. The
requests that a route sees and the responses that it gives are httpx's, whatever the client; an
exception of either library arrives as the class of that name in the client's own. Side effects may be
async where the client is, and their sleeping takes virtual time.

Routes made before a run stay; those made or changed by its workflow are put back when it ends.
``calls``, here and of each route, are those of the latest run, the one with faults. A request that no
route matches, or that one lets through with ``pass_through()``, may leave the run only if its host is
among ``run(allow_hosts=…)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from typing import Any, TypeAlias

import httpx
import httpx2
import respx
from respx.models import AllMockedAssertionError, CallList, PassThrough
from respx.patterns import Pattern

from .errors import BadInput
from .secrets import without_secrets

__all__ = [
    "Answer",
    "Failed",
    "add",
    "answer",
    "answer_async",
    "calls",
    "clear",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "pop",
    "post",
    "put",
    "request",
    "reset",
    "route",
    "routed",
]

Headers: TypeAlias = Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers, as bytes: neither library's own class."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A route raised an exception of httpx or httpx2: ``kind`` is its class, as both libraries name it."""

    kind: str
    text: str


# --- the router -------------------------------------------------------------------------------


class _Route(respx.Route):
    """A route that knows httpx2's exceptions, and side effects without end."""

    def _next_side_effect(self) -> Any:
        try:
            effect = super()._next_side_effect()
        except StopIteration:
            raise BadInput(
                f"{self!r} has no side effect left for its request {self.call_count + 1}: "
                "give it one for each request, or a function"
            ) from None
        if isinstance(effect, type) and issubclass(effect, httpx2.RequestError):
            return effect("Mock Error")  # respx calls classes of httpx alone with a message
        return effect

    def snapshot(self) -> None:
        # respx reads iterators through here, which for itertools.cycle() would never end.
        effect = self._side_effect
        if not isinstance(effect, Iterator):
            return super().snapshot()
        self._side_effect, kept = tee(effect)
        calls = CallList(self.calls, name=self)
        self._snapshots.append((self._pattern, self._name, self._return_value, kept, self._pass_through, calls))


class _Router(respx.Router):
    def route(self, *patterns: Pattern, name: str | None = None, **lookups: Any) -> respx.Route:
        return self.add(_Route(*patterns, **lookups), name=name)


_router = _Router(assert_all_called=False)

calls = _router.calls
add, pop, clear, reset = _router.add, _router.pop, _router.clear, _router.reset
route, request = _router.route, _router.request
get, post, put, patch = _router.get, _router.post, _router.put, _router.patch
delete, head, options = _router.delete, _router.head, _router.options


@contextmanager
def routed() -> Iterator[None]:
    """One run: it begins without calls, and its changes to the routes end with it; its calls stay readable."""
    _router.reset()
    if not len(_router.routes):  # the usual case, which need not be kept: that costs as much as a call
        try:
            yield
        finally:
            _router.clear()
        return
    _router.snapshot()
    try:
        yield
    finally:
        made = [(_router.calls, list(_router.calls)), *((each.calls, list(each.calls)) for each in _router.routes)]
        _router.rollback()
        for record, entries in made:
            record[:] = entries


# --- the seam to the hook ---------------------------------------------------------------------


async def answer_async(method: str, url: str, headers: Headers, body: bytes) -> Answer | Failed | None:
    """What a route answers to this request; None where none matches or one lets it through.

    What a side effect raises of its own is raised as it is; BadInput where it has none left.
    """
    try:
        response = await _router.async_handler(httpx.Request(method, url, headers=headers, content=body))
        return Answer(response.status_code, tuple(response.headers.multi_items()), await _raw(response))
    except (AllMockedAssertionError, PassThrough):
        return None
    except Exception as error:
        return _failed(error)


def answer(method: str, url: str, headers: Headers, body: bytes) -> Answer | Failed | None:
    """As :func:`answer_async`, for a request of a sync client. BadInput where the route has to wait for something."""
    going = answer_async(method, url, headers, body)
    try:
        going.send(None)
    except StopIteration as done:
        found: Answer | Failed | None = done.value
        return found
    except RuntimeError as error:
        if "no running event loop" not in str(error):
            raise
    else:
        going.close()
    raise BadInput(
        f"the route of {method} {without_secrets(url)} waits in an async side effect, but a sync client called: "
        "give the route a plain function (time.sleep() takes virtual time, too)"
    )


async def _raw(response: httpx.Response) -> bytes:
    """The body as it goes over the wire, with its content encoding."""
    stream = response.stream
    if isinstance(stream, httpx.AsyncByteStream):
        return b"".join([chunk async for chunk in stream])
    return b"".join(stream)


def _failed(error: Exception) -> Failed:
    for kind in type(error).__mro__:
        if kind.__module__.partition(".")[0] in ("httpx", "httpx2"):
            return Failed(kind.__name__, str(error))
    raise error
