"""What a call to the real API may cost at worst, so that it can be refused before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_json

from dissonance.harness.call import Call, Usage
from dissonance.harness.errors import BadInput
from dissonance.harness.wire.catalog import ModelInfo, cost, info

__all__ = ["worst_cost"]

_FRAME = 1_000
"""Tokens for what the API adds to a prompt by itself: the largest documented tools prompt has about 800."""

_SEARCH = 0.01
"""US dollars for a web search (public price list)."""

_LONG_CACHE = 1.6
"""An hour's cache write costs 2.0 times the input price, the five minutes' one, which is priced, 1.25 times."""

_REGION = 1.1
"""The factor of ``inference_geo`` (public price list)."""

_AS_BYTES = frozenset({"text", "tool_use", "tool_result", "thinking", "redacted_thinking"})
_UNPRICED = ("fallbacks", "speed", "mcp_servers", "container")


def worst_cost(call: Call) -> float:
    """US dollars that the API can bill at most for this call, by the list prices.

    A token has at least a byte, so that a prompt has at most as many tokens as bytes; where it holds what bytes say
    nothing about (images, documents, the server's own tools), it is taken to fill the model's window. Input is priced as
    the dearest cache write, output as ``max_tokens``.

    :raises BadInput: the model's price, or that of a feature which the call asks for, is not known.
    """
    model = info(call.model)
    if not model.known:
        raise BadInput(
            f"Live: the price of model {call.model!r} is not known, so that no limit could hold; use another"
        )
    for name in _UNPRICED:
        if call.params.get(name) not in (None, "standard"):
            raise BadInput(f"Live: {name!r} has a price of its own, for which no limit could hold: leave it out")
    tokens = _most_input(call, model)
    dollars = cost(Usage(cache_creation_input_tokens=tokens, output_tokens=call.max_tokens), call.model)
    return dollars * _LONG_CACHE * (_REGION if call.params.get("inference_geo") else 1.0) + _searches(call.tools)


def _most_input(call: Call, model: ModelInfo) -> int:
    served = any(tool.get("type") not in (None, "custom") for tool in call.tools)
    if served or not all(_is_bytes(message.get("content")) for message in [*call.messages, {"content": call.system}]):
        return model.window
    content = [call.system, list(call.tools), list(call.messages), call.params.get("output_config")]
    return min(len(to_json(content, fallback=dict)) + _FRAME, model.window)


def _is_bytes(content: Any) -> bool:
    """Whether nothing in this content has more tokens than bytes."""
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list | tuple) and all(
        isinstance(block, Mapping)
        and block.get("type") in _AS_BYTES
        and (block["type"] != "tool_result" or _is_bytes(block.get("content")))
        for block in content
    )


def _searches(tools: Iterable[Mapping[str, Any]]) -> float:
    dollars = 0.0
    for tool in tools:
        if str(tool.get("type", "")).startswith("web_search"):
            uses = tool.get("max_uses")
            if not isinstance(uses, int):
                raise BadInput("Live: a web search is billed by use, so that no limit could hold: give its max_uses")
            dollars += uses * _SEARCH
    return dollars
