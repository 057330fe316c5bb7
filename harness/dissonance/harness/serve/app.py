"""The server as an ASGI application: the Messages API by hand, since it is the hot path, and ``/dissonance`` by starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from dissonance.harness.call import Call, Reply
from dissonance.harness.errors import BadInput, RunStopped
from dissonance.harness.wire.drivers import Delivery
from dissonance.harness.wire.render import render
from dissonance.harness.wire.request import MAX_BYTES
from dissonance.harness.wire.table import error_reply

from .sending import Receive, Send, Wire, send_reply
from .session import Session
from .sessions import Sessions, key_of

__all__ = ["ADMIN", "TRANSPORT", "App"]

ADMIN: Final = b"/dissonance"
TRANSPORT: Final = "dissonance.transport"
"""Where the protocol puts the connection's transport in the scope."""

_TOO_LONG = 2 * MAX_BYTES  # of a body: more is not kept
_App = Callable[[Any, Any, Any], Awaitable[None]]


class _Plain:
    """A reply of the server itself: nothing of it is recorded."""

    speed: Final = 1.0

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
        if is_admin(scope):
            await self._admin(scope, receive, send)
            return
        body = await _body(receive)
        if body is not None:
            session = self.session(scope)
            delivery = await _asked(session, scope, body) if isinstance(session, Session) else session
            await send_reply(delivery, Wire(receive, send, scope[TRANSPORT], session.speed))

    def session(self, scope: MutableMapping[str, Any]) -> Session | _Plain:
        """Whose request this is; where it is nobody's, what there is to say to that."""
        path: str = scope["raw_path"].decode("latin-1")
        key = key_of(scope["headers"])
        if not self._sessions.allows(key):
            return _Plain(error_reply(401, message="invalid bearer token: this server takes its own token only."))
        name = self._sessions.name_for(path, key)
        if name is None:
            said = "the name of a run has 1 to 60 letters, digits, dots, hyphens or underscores."
            return _Plain(error_reply(400, message=said))
        try:
            return self._sessions.open(name)
        except BadInput as error:
            return _Plain(error_reply(403, message=str(error)))


def is_admin(scope: MutableMapping[str, Any]) -> bool:
    """Whether this request is for the server itself."""
    path: bytes = scope["raw_path"]
    return path.startswith(ADMIN) and path[len(ADMIN) : len(ADMIN) + 1] in (b"", b"/")


def answer(session: Session, scope: MutableMapping[str, Any], body: bytes) -> Delivery:
    """The reply of a run, or why there is none."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"]
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    try:
        return session.api(scope["method"], f"{path}?{query.decode('latin-1')}" if query else path, headers, body)
    except RunStopped as stop:
        said = f"the run {session.name!r} was stopped by the harness ({stop.limit}): {stop.reason}"
        return _Plain(error_reply(403, message=said))


async def _asked(session: Session, scope: MutableMapping[str, Any], body: bytes) -> Delivery:
    if not session.blocks:
        return answer(session, scope, body)
    async with session.turn:  # until the real API has answered; meanwhile the other runs go on
        return await asyncio.to_thread(answer, session, scope, body)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None where the client left before its end."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message["body"])
        if size <= _TOO_LONG:
            parts.append(message["body"])
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)
