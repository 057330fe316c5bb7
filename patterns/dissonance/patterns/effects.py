"""How an approved action takes effect exactly once, whatever crashes and whoever else tries.

There are two honest ways. Either the effect is in the database of the store, in one transaction with the note
that it is done (:class:`InTransaction`); or it is elsewhere, and whoever does it honours an idempotency key
(:class:`Sink`), as payment providers and mail services do. A third, "do it, then note it", does it twice
when the process dies between the two, and there is no such class here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .store import Effect, Store

__all__ = ["InTransaction", "Sink", "Taker"]


class Taker(Protocol):
    """Takes an action."""

    async def take(self, store: Store, key: str, action: Any) -> Effect:
        """Take the action with this idempotency key, unless it was taken; what came of it, then or now."""


@dataclass(frozen=True)
class InTransaction:
    """``effect(connection, action)`` does its work through the connection alone and gives a JSON value."""

    effect: Callable[[Connection, Any], Any]

    async def take(self, store: Store, key: str, action: Any) -> Effect:
        """Take the action and note it, or neither."""
        return store.perform(key, action, self.effect)


@dataclass(frozen=True)
class Sink:
    """``send(key, action)`` has another system take the action once a key, however often it is sent; gives JSON.

    It is sent again where it is not known that it arrived, perhaps by two processes at once.
    """

    send: Callable[[str, Any], Awaitable[Any]]

    async def take(self, store: Store, key: str, action: Any) -> Effect:
        """Note what is to be done, have it done, note that it is."""
        planned = store.plan(key, action)
        return planned if planned.done else store.done(key, await self.send(key, planned.action))
