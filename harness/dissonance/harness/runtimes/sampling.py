"""The sampling shim: old clients still pass ``temperature``, ``top_p`` and ``top_k`` to an SDK without them.

``anthropic`` 1.0 took the three out of ``create()`` and ``stream()``; AutoGen 0.7.5 always passes ``temperature``.
Inside a run, what says nothing (the API's own default) is left out, and any other value moves into ``extra_body``,
where the simulated API refuses it as the live one does. An SDK that has the parameters is left alone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from anthropic.resources import AsyncMessages, Messages

from dissonance.harness.world import Patches, current_world

__all__ = ["install_sampling"]

_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "top_k": -1}
"""The API's own values; ``top_k`` -1 is how clients say *off*."""


def install_sampling(patches: Patches) -> None:
    """Let ``create`` and ``stream`` of the SDK take the sampling parameters again inside runs, until ``patches`` are undone."""
    for owner in (Messages, AsyncMessages):
        for name in ("create", "stream"):
            original = vars(owner)[name]
            shim = _shimmed(original)
            if shim is not original:
                patches.set(owner, name, shim)


@functools.lru_cache(maxsize=8)
def _shimmed(original: Callable[..., Any]) -> Callable[..., Any]:
    """The method with those parameters; itself where it has them."""
    absent = frozenset(_DEFAULTS) - frozenset(inspect.signature(original).parameters)
    if not absent:
        return original

    @functools.wraps(original)
    def shimmed(resource: Any, /, *args: Any, **kwargs: Any) -> Any:
        if absent.isdisjoint(kwargs) or current_world() is None:
            return original(resource, *args, **kwargs)
        given = {name: kwargs.pop(name) for name in sorted(absent & kwargs.keys())}
        said = {name: value for name, value in given.items() if _says(name, value)}
        if said:
            kwargs["extra_body"] = {**said, **(kwargs.get("extra_body") or {})}
        return original(resource, *args, **kwargs)

    return shimmed


def _says(name: str, value: Any) -> bool:
    return isinstance(value, int | float) and value != _DEFAULTS[name]
