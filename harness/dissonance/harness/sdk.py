"""Anthropic's SDK as a run needs it: without a thread and without a key, its back-off drawn from the run's seed."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import anthropic

from .world import Patches, current_world

__all__ = ["install_sdk", "lent_key", "seed_back_off"]

_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")

T = TypeVar("T")

_client: Any = import_module("anthropic._base_client")


def install_sdk(patches: Patches) -> None:
    """Run inline what the SDK's first async call starts a thread for, and let a client without a key send its calls.

    The thread is for ``get_platform``. The client may have been made before the run, when no key was lent to it.
    """
    if hasattr(_client, "asyncify"):
        patches.set(_client, "asyncify", _inlined(_client.asyncify))
    for kind in (anthropic.Anthropic, anthropic.AsyncAnthropic):
        if "_validate_headers" in vars(kind):
            patches.set(kind, "_validate_headers", _lenient(vars(kind)["_validate_headers"]))


def seed_back_off(patches: Patches, seed: int) -> None:
    """Let back-off draw from a generator of its own, until ``patches`` are undone.

    What else draws from the global one may do so in one run only, as a library does that is first used in it.
    """
    if hasattr(_client, "random"):
        draws = cache(lambda: random.Random(seed))  # made where one is drawn
        patches.set(_client, "random", lambda: draws().random())


@contextmanager
def lent_key() -> Iterator[None]:
    """An API key where the user has none: the SDK makes no client without one, and the simulated API takes any."""
    lent = not any(os.environ.get(name) for name in _KEYS)
    if lent:
        os.environ[_KEYS[0]] = "simulated"
    try:
        yield
    finally:
        if lent:
            os.environ.pop(_KEYS[0], None)


def _inlined(asyncify: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(function: Callable[..., Any]) -> Any:
        return asyncify(function) if current_world() is None else _inline(function)

    return chosen


def _inline(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    async def call(*args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    return call


def _lenient(validate: Callable[..., None]) -> Callable[..., None]:
    """Without the SDK's complaint about a missing key."""

    def validated(client: object, headers: Any, *rest: object) -> None:
        if current_world() is None:
            validate(client, headers, *rest)
        elif headers.get("Authorization", "").strip() in ("", "Bearer") and not headers.get("X-Api-Key"):
            headers["Authorization"] = "Bearer simulated"

    return validated
