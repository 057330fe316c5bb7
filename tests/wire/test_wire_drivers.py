"""What the drivers make of a reply that is there at once: the response that the client library makes of its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

import httpx
import httpx2
import pytest

from dissonance.harness.history import Received
from dissonance.harness.wire.drivers import drivers
from dissonance.harness.wire.render import Chunk, Performance


@dataclass
class Delivered:
    performance: Performance
    received: list[Received] = field(default_factory=list)

    def waits(self) -> None:
        raise AssertionError("nothing is waited for")

    def ended(self, received: Received, chunks: int) -> None:
        self.received.append(received)


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
@pytest.mark.parametrize("content", [b'{"type":"message"}', b""], ids=["body", "empty"])
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json", "content-length": "3"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
    ],
    ids=["neither", "length", "capitals", "encoding"],
)
def test_a_whole_reply_has_the_headers_that_the_library_gives_it(
    library: ModuleType, content: bytes, headers: Mapping[str, str]
) -> None:
    chunks = (Chunk(0.0, content),) if content else ()
    delivery = Delivered(Performance(200, None, tuple(headers.items()), 0.0, chunks, "complete"))
    request = library.Request("POST", "https://api.anthropic.com/v1/messages")
    made = drivers(library).sync(request, delivery)
    expected = library.Response(200, headers=list(headers.items()), content=content)
    assert (made.headers.raw, made.content) == (expected.headers.raw, expected.content)
    assert delivery.received == ["complete"]
