"""uvicorn's protocol, with a short way for replies that are there at once, which most are.

A small request that is complete is answered by one write, without a task. All else goes the usual way through the
application, with the connection's transport in the scope, so that a reply can end as a fault wants it to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from dissonance.harness.wire.drivers import Delivery

from .app import TRANSPORT, App, answer, is_admin
from .sending import Wire, head_of, is_at_once, send_reply
from .session import Session

__all__ = ["Protocol"]

_SMALL = 32_768
"""Bytes of a body up to which it is waited for without the application, which would let the client go on sending."""

_AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Protocol(HttpToolsProtocol):
    """An HTTP/1.1 connection."""

    _waiting: tuple[RequestResponseCycle, Any] | None = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope[TRANSPORT] = self.transport

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if isinstance(app, App) and cycle.more_body and not cycle.waiting_for_100_continue:
            self._waiting = (cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._waiting is not None and len(self._waiting[0].body) > _SMALL:
            self._go_the_usual_way()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._waiting is not None:
            cycle, app = self._waiting
            session = None if is_admin(cycle.scope) else app.session(cycle.scope)  # type: ignore[arg-type]
            if isinstance(session, Session) and not session.blocks:
                self._waiting = None
                self._answer(cycle, session)
            else:
                self._go_the_usual_way()

    def _go_the_usual_way(self) -> None:
        assert self._waiting is not None
        (cycle, app), self._waiting = self._waiting, None
        super()._start_asgi_task(cycle, app)

    def _answer(self, cycle: RequestResponseCycle, session: Session) -> None:
        delivery = answer(session, cycle.scope, bytes(cycle.body))  # type: ignore[arg-type]
        if not is_at_once(delivery.performance) or self.flow.write_paused:
            super()._start_asgi_task(cycle, partial(_send, delivery, session.speed))
            return
        self._write(cycle, delivery)

    def _write(self, cycle: RequestResponseCycle, delivery: Delivery) -> None:
        performance = delivery.performance
        delivery.ended("complete", len(performance.chunks))
        status = performance.status
        assert status is not None
        data = [chunk.data for chunk in performance.chunks]
        last = b"content-length: %d\r\n\r\n" % sum(map(len, data)) if cycle.keep_alive else b"connection: close\r\n\r\n"
        own = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *own, head_of(performance), last, *data]))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but an idle connection is the client's to close: a timer for each request has its price."""
        if self.pipeline:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.flow.resume_reading()


async def _send(delivery: Delivery, speed: float, scope: Any, receive: Any, send: Any) -> None:
    await send_reply(delivery, Wire(receive, send, scope[TRANSPORT], speed))
