"""uvicorn's protocol, with the connection's transport in the scope, so that a reply can end as a fault wants it to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .app import TRANSPORT

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
    except ImportError:  # without the faster parser
        from uvicorn.protocols.http.h11_impl import H11Protocol as Base

__all__ = ["Protocol"]


class Protocol(Base):
    """An HTTP/1.1 connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope[TRANSPORT] = self.transport
