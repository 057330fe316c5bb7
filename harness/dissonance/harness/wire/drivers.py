"""The sync and the async driver: they perform a reply on virtual time, with the client library's own classes.

A driver only waits, raises and gives bytes; what it gives, and when, stands in the
:class:`~.render.Performance`. httpx and httpx2 have the same interface, so :func:`drivers` builds
both drivers for whichever library a client belongs to.

The client's own timeouts hold: ``connect`` while there is no connection, ``read`` for each wait in
between. Without a timeout, a reply that never comes is waited for for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, NoReturn, Protocol

from dissonance.harness.history import Received
from dissonance.harness.world import VirtualLoop, current_world
from dissonance.harness.world.strand import to_ticks

from .render import Performance

__all__ = ["Delivery", "Drivers", "ajumped", "drivers"]

_FOR_EVER = 10.0**9  # seconds; every world ends before
_CUT_BODY = "peer closed connection without sending complete message body (incomplete chunked read)"
_RESET = "[Errno 104] Connection reset by peer"


class Delivery(Protocol):
    """A reply on its way: what is performed, and who is told how it ended."""

    @property
    def performance(self) -> Performance: ...

    def waits(self) -> None:
        """Others may run before it ends."""
        ...

    def ended(self, received: Received, chunks: int) -> None:
        """The client has received so many chunks, and that was how it ended. Called once."""
        ...


class _Wait(NamedTuple):
    """Wait for ``seconds``; then the client has run into its own ``timeout``, if that is named."""

    seconds: float
    timeout: str | None


def _wait(seconds: float, limit: float | None, timeout: str) -> _Wait:
    if limit is not None and limit <= seconds:
        return _Wait(limit, timeout)
    return _Wait(seconds, None)


def _connecting(performance: Performance, limits: dict[str, float | None]) -> _Wait:
    """The wait for the head, or for the failure that comes in its stead."""
    if performance.failure == "connect_timeout":
        return _wait(_FOR_EVER, limits.get("connect"), "ConnectTimeout")
    if performance.failure == "connect":
        return _wait(performance.first_byte, limits.get("connect"), "ConnectTimeout")
    if performance.failure == "read_timeout":
        return _wait(_FOR_EVER, limits.get("read"), "ReadTimeout")
    return _wait(performance.first_byte, limits.get("read"), "ReadTimeout")


class _Reading:
    """How far a client has read a body, and what it meets next. Shared by both kinds of stream."""

    __slots__ = ("_library", "_limit", "chunks", "delivery", "over", "request")

    def __init__(self, library: Any, request: Any, delivery: Delivery, limit: float | None) -> None:
        self._library = library
        self.request = request
        self.delivery = delivery
        self._limit = limit
        self.chunks = 0
        self.over = False

    def wait(self, seconds: float) -> _Wait:
        return _wait(seconds, self._limit, "ReadTimeout")

    def end(self, received: Received) -> None:
        if not self.over:
            self.over = True
            self.delivery.ended(received, self.chunks)

    def time_out(self) -> NoReturn:
        self.end("stall" if self.delivery.performance.ending == "stall" and self._all_given() else "timeout")
        raise self._library.ReadTimeout("The read operation timed out", request=self.request)

    def finish(self) -> None:
        """After the last chunk: the clean end, or the error that stands for another one."""
        performance = self.delivery.performance
        ending = performance.ending
        self.end(ending)
        if ending == "reset" or (ending == "cut" and not _is_stream(performance)):
            raise self._library.RemoteProtocolError(_CUT_BODY, request=self.request)

    def leave(self) -> None:
        """The client went away; one that has read everything has missed nothing."""
        complete = self.delivery.performance.ending in ("complete", "cut", "error_event") and self._all_given()
        self.end(self.delivery.performance.ending if complete else "abandoned")

    def _all_given(self) -> bool:
        return self.chunks == len(self.delivery.performance.chunks)


def _is_stream(performance: Performance) -> bool:
    return any(name == "content-type" and value.startswith("text/event-stream") for name, value in performance.headers)


def _with_length(headers: tuple[tuple[str, str], ...], data: bytes) -> Sequence[tuple[str, str]]:
    """What the libraries add themselves: to find that it is missing costs them more than all the rest of a response."""
    if not data or any([name.lower() in _LENGTHS for name, _ in headers]):
        return headers
    return [*headers, ("Content-Length", str(len(data)))]


_LENGTHS = frozenset({"content-length", "transfer-encoding"})


class Drivers(NamedTuple):
    """Both drivers of one client library. ``fail`` raises its own class by name, for a request."""

    sync: Callable[[Any, Delivery], Any]
    asynchronous: Callable[[Any, Delivery], Any]
    fail: Callable[[str, str, Any], NoReturn]


@cache
def drivers(library: ModuleType) -> Drivers:
    """The drivers for clients of ``library``: httpx2 or httpx."""
    lib: Any = library

    def fail(name: str, text: str, request: Any) -> NoReturn:
        raise getattr(lib, name)(text, request=request)

    def refuse(performance: Performance, request: Any) -> NoReturn:
        if performance.failure == "connect":
            fail("ConnectError", "[Errno 111] Connection refused", request)
        fail("ReadError", _RESET, request)

    class SyncBody(lib.SyncByteStream):  # type: ignore[misc]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        def __iter__(self) -> Iterator[bytes]:
            reading = self._reading
            performance = reading.delivery.performance
            for after, data in performance.chunks:
                _pause(reading, after)
                reading.chunks += 1
                yield data
            if performance.ending == "stall":
                _pause(reading, _FOR_EVER)
            reading.finish()

        def close(self) -> None:
            self._reading.leave()

    class AsyncBody(lib.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        async def __aiter__(self) -> AsyncIterator[bytes]:
            reading = self._reading
            performance = reading.delivery.performance
            for after, data in performance.chunks:
                await _apause(reading, after)
                reading.chunks += 1
                yield data
            if performance.ending == "stall":
                await _apause(reading, _FOR_EVER)
            reading.finish()

        async def aclose(self) -> None:
            self._reading.leave()

    def whole(delivery: Delivery) -> Any:
        """A body that is there at once, so that nobody can leave in the middle of it; None for any other."""
        performance = delivery.performance
        chunks = performance.chunks
        if performance.ending != "complete" or _is_stream(performance) or any(chunk.after for chunk in chunks):
            return None
        delivery.ended("complete", len(chunks))
        data = b"".join([chunk.data for chunk in chunks])
        return lib.Response(performance.status, headers=_with_length(performance.headers, data), content=data)

    def response(body: Any, request: Any, delivery: Delivery) -> Any:
        performance = delivery.performance
        delivery.waits()
        read = request.extensions.get("timeout", {}).get("read")
        stream = body(_Reading(lib, request, delivery, read))
        return lib.Response(performance.status, headers=performance.headers, stream=stream)

    def sync(request: Any, delivery: Delivery) -> Any:
        performance = delivery.performance
        limits = request.extensions.get("timeout", {})
        wait = _connecting(performance, limits)
        try:
            if wait.seconds and not _jumped(wait.seconds):
                delivery.waits()
                time.sleep(wait.seconds)
        except BaseException:
            delivery.ended("abandoned", -1)
            raise
        _check_head(wait, request, delivery)
        return whole(delivery) or response(SyncBody, request, delivery)

    async def asynchronous(request: Any, delivery: Delivery) -> Any:
        performance = delivery.performance
        limits = request.extensions.get("timeout", {})
        wait = _connecting(performance, limits)
        try:
            if wait.seconds and not ajumped(wait.seconds):
                delivery.waits()
                await asyncio.sleep(wait.seconds)
        except BaseException:
            delivery.ended("abandoned", -1)
            raise
        _check_head(wait, request, delivery)
        return whole(delivery) or response(AsyncBody, request, delivery)

    def _check_head(wait: _Wait, request: Any, delivery: Delivery) -> None:
        if wait.timeout is not None:
            expected = delivery.performance.status is None
            delivery.ended("failure" if expected else "timeout", -1)
            fail(wait.timeout, "The operation timed out", request)
        if delivery.performance.status is None:
            delivery.ended("failure", -1)
            refuse(delivery.performance, request)

    return Drivers(sync, asynchronous, fail)


def _pause(reading: _Reading, seconds: float) -> None:
    if not seconds:
        return
    wait = reading.wait(seconds)
    try:
        time.sleep(wait.seconds)
    except BaseException:
        reading.end("abandoned")
        raise
    if wait.timeout:
        reading.time_out()


def _jumped(seconds: float) -> bool:
    """Whether so many seconds have passed at once, as nothing else had anything to do in them."""
    world = current_world()
    return world is not None and world.jump(world.ticks + to_ticks(seconds))


def ajumped(seconds: float) -> bool:
    """As :func:`_jumped`, on an event loop."""
    loop = asyncio.get_running_loop()
    return isinstance(loop, VirtualLoop) and loop.jump(seconds)


async def _apause(reading: _Reading, seconds: float) -> None:
    if not seconds:
        return
    wait = reading.wait(seconds)
    try:
        if not ajumped(wait.seconds):
            await asyncio.sleep(wait.seconds)
    except BaseException:
        reading.end("abandoned")
        raise
    if wait.timeout:
        reading.time_out()
