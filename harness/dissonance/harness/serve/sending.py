"""A reply performed at a real socket: waits are real, a reset is a TCP reset, a stall is silence.

What a server cannot do: it has accepted the connection already, so that a refused one is reset, and one that is not
accepted in time is never answered. It sees that a client has left, not why: one that runs into its own timeout counts
as ``abandoned``.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from dissonance.harness.wire.drivers import Delivery
from dissonance.harness.wire.render import Performance

__all__ = ["Receive", "Send", "Wire", "head_of", "headers_of", "is_at_once", "send_reply"]

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger on, for no time: closing sends RST
_EMPTY: MutableMapping[str, Any] = {"type": "http.response.body", "body": b"", "more_body": False}


class Wire:
    """One request's end of a connection. ``speed``: simulated seconds to a real one."""

    __slots__ = ("_receive", "_transport", "send", "speed")

    def __init__(self, receive: Receive, send: Send, transport: asyncio.Transport, speed: float) -> None:
        self._receive = receive
        self.send = send
        self._transport = transport
        self.speed = speed

    async def left(self) -> None:
        """Wait until the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def leaves_within(self, seconds: float) -> bool:
        """Let simulated seconds pass; whether the client has left before they were over."""
        try:
            async with asyncio.timeout(seconds / self.speed):
                await self.left()
        except TimeoutError:
            return False
        return True

    async def reset(self) -> None:
        """End the connection by a TCP reset."""
        await asyncio.sleep(0)  # what was written goes out at the end of the loop's round
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
        await self.left()

    async def close(self) -> None:
        """End the connection cleanly, in the middle of a body."""
        self._transport.close()
        await self.left()


async def send_reply(delivery: Delivery, wire: Wire) -> None:
    """Perform it, and tell the delivery how it ended."""
    performance = delivery.performance
    if not is_at_once(performance):
        delivery.waits()
    if performance.status is None:
        await _fail(delivery, wire)
        return
    if performance.first_byte and await wire.leaves_within(performance.first_byte):
        delivery.ended("abandoned", -1)
        return
    await wire.send({"type": "http.response.start", "status": performance.status, "headers": headers_of(performance)})
    given = await _send_chunks(delivery, wire)
    if given is not None:
        await _finish(delivery, wire, given)


async def _fail(delivery: Delivery, wire: Wire) -> None:
    performance = delivery.performance
    if performance.failure in ("connect_timeout", "read_timeout"):
        await wire.left()
        delivery.ended("failure", -1)
    elif performance.first_byte and await wire.leaves_within(performance.first_byte):
        delivery.ended("abandoned", -1)
    else:
        delivery.ended("failure", -1)
        await wire.reset()


async def _send_chunks(delivery: Delivery, wire: Wire) -> int | None:
    """How many there are; None where the client left before the last."""
    performance = delivery.performance
    chunks = performance.chunks
    last = len(chunks) if performance.ending in ("complete", "error_event") else -1
    for number, (after, data) in enumerate(chunks, 1):
        if after and await wire.leaves_within(after):
            delivery.ended("abandoned", number - 1)
            return None
        if number == last:
            delivery.ended(performance.ending, number)
        await wire.send({"type": "http.response.body", "body": data, "more_body": number != last})
    return len(chunks)


async def _finish(delivery: Delivery, wire: Wire, given: int) -> None:
    """The ending, where it was not sent with the last chunk."""
    performance = delivery.performance
    ending = performance.ending
    if ending in ("complete", "error_event") and given:
        return
    if ending == "stall":
        await wire.left()
    delivery.ended(ending, given)
    if ending == "reset":
        await wire.reset()
    elif ending == "cut" and not _is_stream(performance):
        await wire.close()
    elif ending != "stall":
        await wire.send(_EMPTY)


def is_at_once(performance: Performance) -> bool:
    """Whether all of it is there at once, and ends as it should."""
    return (
        performance.status is not None
        and performance.ending == "complete"
        and not performance.first_byte
        and not any([chunk.after for chunk in performance.chunks])
    )


def headers_of(performance: Performance) -> list[tuple[bytes, bytes]]:
    """The headers in bytes. A value that would end its line is refused by a ValueError."""
    head_of(performance)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in performance.headers]


def head_of(performance: Performance) -> bytes:
    """The headers as their lines. A value that would end its line is refused by a ValueError."""
    head = "".join([f"{name}: {value}\r\n" for name, value in performance.headers])
    if not head.count("\r") == head.count("\n") == len(performance.headers):
        name = next(name for name, value in performance.headers if "\r" in value or "\n" in value)
        raise ValueError(f"the reply's header {name!r} has a line break in it")
    return head.encode("latin-1")


def _is_stream(performance: Performance) -> bool:
    return any(name == "content-type" and value.startswith("text/event-stream") for name, value in performance.headers)
