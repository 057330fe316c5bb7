"""The server as an ASGI application: the Messages API by hand, since it is the hot path, and ``/dissonance`` by starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dissonance.harness.call import Call, Reply
from dissonance.harness.errors import BadInput, RunStopped
from dissonance.harness.wire.render import render
from dissonance.harness.wire.request import MAX_BYTES
from dissonance.harness.wire.table import error_reply

from .sending import Receive, Send, Wire, send_reply
from .sessions import Sessions, key_of

__all__ = ["ADMIN", "TRANSPORT", "App"]

ADMIN = "/dissonance"
TRANSPORT = "dissonance.transport"
"""Where the protocol puts the connection's transport in the scope."""

_TOO_LONG = 2 * MAX_BYTES  # of a body: more is not read to its end
_App = Callable[[Any, Any, Any], Awaitable[None]]


class _Plain:
    """A reply of the server itself: nothing of it is recorded."""

    def __init__(self, reply: Reply) -> None:
        self.performance = render(reply, Call(id=-1))

    def waits(self) -> None:
        pass

    def ended(self, received: object, chunks: int) -> None:
        pass


class App:
    """Takes the requests of all runs."""

    def __init__(self, sessions: Sessions, admin: _App) -> None:
        self._sessions = sessions
        self._admin = admin

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path: str = scope["raw_path"].decode("latin-1")
        if path == ADMIN or path.startswith(ADMIN + "/"):
            await self._admin(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        query = scope["query_string"]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        whole = f"{path}?{query.decode('latin-1')}" if query else path
        delivery, speed = await self._answer(scope["method"], path, whole, headers, body)
        await send_reply(delivery, Wire(receive, send, scope[TRANSPORT], speed))

    async def _answer(
        self, method: str, path: str, whole: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[Any, float]:
        key = key_of(dict(headers))
        if not self._sessions.allows(key):
            return _Plain(error_reply(401, message="invalid bearer token: this server takes its own token only.")), 1.0
        name = self._sessions.name_for(path, key)
        if name is None:
            said = "the name of a run has 1 to 60 letters, digits, dots, hyphens or underscores."
            return _Plain(error_reply(400, message=said)), 1.0
        try:
            session = self._sessions.open(name)
            if session.blocks:  # until the real API has answered; meanwhile the other runs go on
                async with session.turn:
                    return await asyncio.to_thread(session.api, method, whole, headers, body), session.speed
            return session.api(method, whole, headers, body), session.speed
        except RunStopped as stop:
            said = f"the run {name!r} was stopped by the harness ({stop.limit}): {stop.reason}"
        except BadInput as error:
            said = str(error)
        return _Plain(error_reply(403, message=said)), 1.0


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None where the client left before its end."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    if not message["more_body"]:
        return message["body"]  # type: ignore[no-any-return]
    parts, size = [message["body"]], len(message["body"])
    while message["more_body"]:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message["body"])
        if size < _TOO_LONG:
            parts.append(message["body"])
    return b"".join(parts)
