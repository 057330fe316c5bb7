"""How a human learns that a decision waits: by any callable; a log line and a webhook are here.

A notice is sent until one was sent without an error, so a crash may send it twice, never not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx2

from .human import HumanRequest
from .log import LOGGER

__all__ = ["Notifier", "Webhook", "log_notice"]

Notifier: TypeAlias = Callable[[HumanRequest], "Awaitable[None] | None"]
"""Tells somebody of a request; sync or async."""


def log_notice(request: HumanRequest) -> None:
    """A warning on ``dissonance.patterns`` that names the request."""
    LOGGER.warning("a human is needed for %s (%s): %s", request.id, request.reason, request.summary)


@dataclass(frozen=True)
class Webhook:
    """Posts the request as JSON, with its id as ``Idempotency-Key``; ``headers`` are added, ``timeout`` is in seconds.

    Raises the client's ``HTTPError`` where the answer is not 2xx or none comes.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 10.0
    transport: Any = field(default=None, repr=False)

    async def __call__(self, request: HumanRequest) -> None:
        """Post it."""
        body = {name: getattr(request, name) for name in ("id", "kind", "summary", "action", "reason", "deadline")}
        headers = {"Idempotency-Key": request.id, **self.headers}
        async with httpx2.AsyncClient(timeout=self.timeout, transport=self.transport) as client:
            (await client.post(self.url, json=body, headers=headers)).raise_for_status()
