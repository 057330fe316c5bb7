"""The in-process route: inside a run, HTTP clients end here instead of at a socket.

The hook replaces ``_transport_for_url`` of httpx2's clients (SDK 1.0 and later) and of httpx's (older
SDKs, LiteLLM and others), the narrowest place that every request passes whatever transport, proxy or
pool its client was made with. A request of the Messages API goes to the simulated API; any other
goes, in this order,

1. to a transport of the user's own that touches no network (``MockTransport``, ``ASGITransport``, …),
2. to a route of ``dissonance.harness.routes``,
3. to the network, if its host is among ``allow_hosts``: the run is then observed only (tier T3),
4. nowhere: the library's own ``ConnectError``, whose text names the host and the remedy.

Sockets that are opened in any other way meet the same list of hosts.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Collection
from functools import cache
from ipaddress import ip_address
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import httpx2

from dissonance.harness import routes
from dissonance.harness.world import Patches, World, current_world

from .drivers import Delivery, drivers

__all__ = ["Wire", "answer_by", "install_hook"]

_API_HOST = "api.anthropic.com"
_NETWORK_TRANSPORTS = ("HTTPTransport", "AsyncHTTPTransport")


class Wire(Protocol):
    """Where requests go."""

    def api(self, method: str, path: str, headers: Any, body: bytes) -> Delivery:
        """A request of the Messages API."""
        ...

    def check(self) -> None:
        """A request to another API: raises where the run must not go on."""
        ...

    def refused(self, host: str) -> None:
        """A request or a connection to this host was refused."""
        ...


def install_hook(patches: Patches) -> None:
    """Put the hook before all clients and sockets, until ``patches`` are undone. Code outside of a run passes it by."""
    for library in (httpx2, httpx):
        for client, transport in zip((library.Client, library.AsyncClient), _transports(library), strict=True):
            patches.set(client, "_transport_for_url", _routed(client._transport_for_url, transport))
    for name in ("connect", "connect_ex"):
        patches.set(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patches.set(socket, "getaddrinfo", _resolving(socket.getaddrinfo))


def answer_by(wire: Wire, world: World, patches: Patches, allow_hosts: Collection[str] = ()) -> None:
    """Let ``wire`` answer all requests of code inside ``world``, until ``patches`` are undone."""
    patches.set(sys.modules[__name__], "_of_run", _Hook(wire, world, frozenset(allow_hosts)))


class _Hook:
    def __init__(self, wire: Wire, world: World, allowed: frozenset[str]) -> None:
        self.wire = wire
        self.world = world
        self.allowed = allowed
        self.api_hosts = {_API_HOST.encode(), _base_url_host().encode()}

    def is_api(self, request: Any) -> bool:
        return request.url.raw_host in self.api_hosts or "anthropic-version" in request.headers

    def allow(self, host: str) -> bool:
        """Whether a real connection to this host may be made; the run is then no longer deterministic."""
        if host in self.allowed:
            self.world.escape(f"real connection to {host!r}")
            return True
        return False

    def refusal(self, host: str) -> str:
        self.wire.refused(host)
        return (
            f"{host!r} is not simulated, and no request leaves a run. Mock it with dissonance.harness.routes, "
            f"or let it through with run(..., allow_hosts=[{host!r}])."
        )


_of_run: _Hook | None = None


def _inside() -> _Hook | None:
    """The hook of the run that goes on, for code that is inside of it."""
    return _of_run if current_world() is not None else None


# --- sockets ----------------------------------------------------------------------------------


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, address: Any) -> Any:
        hook = _inside()
        if hook is not None:
            host = address[0] if isinstance(address, tuple) else ""
            if not host:
                hook.world.escape(f"real connection to a local socket {address!r}")
            elif not hook.allow(host):
                raise ConnectionRefusedError(hook.refusal(host))
        return connect(sock, address)

    return guarded


def _resolving(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolving(host: Any, *args: Any, **kwargs: Any) -> Any:
        hook = _inside()
        found = host.decode() if isinstance(host, bytes) else host
        if hook is None or not found or _is_address(found):
            return resolve(host, *args, **kwargs)
        if not hook.allow(found):
            raise socket.gaierror(socket.EAI_NONAME, hook.refusal(found))
        answers = resolve(host, *args, **kwargs)
        hook.allowed |= {answer[4][0] for answer in answers}
        return answers

    return resolving


def _is_address(host: str) -> bool:
    """Whether there is nothing to resolve: a connection to it is refused, where it must be."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _base_url_host() -> str:
    return urlsplit(os.environ.get("ANTHROPIC_BASE_URL", "")).hostname or _API_HOST


# --- HTTP clients -----------------------------------------------------------------------------


def _headers(request: Any) -> list[tuple[str, str]]:
    """Read off the raw ones, because a request's own mapping costs as much as all else that the hook does."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]


def _routed(original: Callable[[Any, Any], Any], transport: Callable[[_Hook, Any], Any]) -> Callable[[Any, Any], Any]:
    def transport_for_url(client: Any, url: Any) -> Any:
        found, hook = original(client, url), _inside()
        return found if hook is None else transport(hook, found)

    return transport_for_url


@cache
def _transports(library: ModuleType) -> tuple[Callable[[_Hook, Any], Any], Callable[[_Hook, Any], Any]]:
    """For this library: the transports that are used instead of a client's own, each made with a hook and that one."""
    lib: Any = library
    driver = drivers(library)

    def is_passed_by(own: Any) -> bool:
        """Whether this transport of the user's own stays within the process."""
        return type(own).__name__ not in _NETWORK_TRANSPORTS

    def delivery(hook: _Hook, request: Any, body: bytes) -> Delivery:
        return hook.wire.api(request.method, request.url.raw_path.decode(), _headers(request), body)

    def response(hook: _Hook, request: Any, found: routes.Answer | routes.Failed | None) -> Any:
        """What a route gave, in the library's own classes; None where the host may really be reached."""
        if isinstance(found, routes.Answer):
            return lib.Response(found.status, headers=found.headers, content=found.body)
        if isinstance(found, routes.Failed):
            driver.fail(found.kind, found.text, request)
        if not hook.allow(request.url.host):
            driver.fail("ConnectError", hook.refusal(request.url.host), request)
        return None

    class Sync(lib.BaseTransport):  # type: ignore[misc]
        def __init__(self, hook: _Hook, own: Any) -> None:
            self._hook = hook
            self._own = own

        def handle_request(self, request: Any) -> Any:
            body = request.read()
            if self._hook.is_api(request):
                return driver.sync(request, delivery(self._hook, request, body))
            self._hook.wire.check()
            if is_passed_by(self._own):
                return self._own.handle_request(request)
            found = routes.answer(request.method, str(request.url), _headers(request), body)
            return response(self._hook, request, found) or self._own.handle_request(request)

    class Asynchronous(lib.AsyncBaseTransport):  # type: ignore[misc]
        def __init__(self, hook: _Hook, own: Any) -> None:
            self._hook = hook
            self._own = own

        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            if self._hook.is_api(request):
                return await driver.asynchronous(request, delivery(self._hook, request, body))
            self._hook.wire.check()
            if is_passed_by(self._own):
                return await self._own.handle_async_request(request)
            found = await routes.answer_async(request.method, str(request.url), _headers(request), body)
            return response(self._hook, request, found) or await self._own.handle_async_request(request)

    return Sync, Asynchronous
