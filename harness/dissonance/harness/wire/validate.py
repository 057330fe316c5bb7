"""What the API asks of a request: its own 400s and 404s, with its own texts.

The order is that of a schema check: fields and types, then the model, then what the model allows,
then the conversation. The order on the real server is not documented. Texts come from the public
error reference and from payloads pasted in public issues; a comment marks those that follow the
pattern but were not seen.

An unknown field is let through: the SDK may know it before this module does. An unknown model is a
404 only where the name is not Claude's or the model is retired (see ``catalog``).
"""

from __future__ import annotations

import re
from typing import Any

from dissonance.harness.call import JsonObject, Reply

from .catalog import ModelInfo, info
from .request import Request
from .table import error_reply, invalid_request
from .turns import Refused, check_messages

__all__ = ["is_thread_request", "over_window", "validate"]

_LEGACY = "2023-06-01"  # before the sampling parameters were withdrawn
_SAMPLING = ("temperature", "top_p", "top_k")
_CHOICES = ("auto", "any", "tool", "none")
_THINKING = ("adaptive", "enabled", "disabled", "between_tools")
_MIN_BUDGET = 1024

_TOOL_NAME = r"^[a-zA-Z0-9_-]{1,128}$"
"""As in the live API's 400s of mid-2026; its older pages and errors say 64."""
_is_tool_name = re.compile(_TOOL_NAME).match


def validate(request: Request) -> Reply | None:
    """The API's refusal of this request, or None. Messages and count_tokens only; ``models`` is never refused here."""
    if request.endpoint == "models":
        return None
    body = request.body
    if "thread" in body:
        return _no_threads()
    try:
        _check_fields(request)
        name: str = body["model"]
        model = info(name)
        if not name.startswith("claude-") or model.lifecycle == "retired":
            return error_reply(404, message=f"model: {name}")
        if "max_tokens" in body:
            _check_max_tokens(body["max_tokens"], model)
        if "thinking" in body:
            _check_thinking(body, model)
        if "tools" in body or "tool_choice" in body:
            _check_tools(body)
        check_messages(body["messages"], strict=request.version != _LEGACY)
        _check_ending(body["messages"][-1], model)
    except Refused as refusal:
        return invalid_request(str(refusal))
    return None


def is_thread_request(request: Request) -> bool:
    """Whether this request asks for a message thread that the server holds (``tool_runner`` does, by default)."""
    return request.endpoint == "messages" and "thread" in request.body


def over_window(tokens: int, model: str) -> Reply | None:
    """The API's refusal of a prompt of so many tokens, or None where the model's window takes it.

    Every model refuses; none cuts its input silently (public page *context windows*).
    """
    window = info(model).window
    return invalid_request(f"prompt is too long: {tokens} tokens > {window} maximum") if tokens > window else None


def _no_threads() -> Reply:
    """The one 400 that makes the SDK's ``tool_runner`` go on without threads, with one extra request."""
    return error_reply(
        400,
        message="thread: message threads are not available for this request",
        details={"error_code": "thread_unsupported_request"},
    )


# --- fields -----------------------------------------------------------------------------------


def _check_fields(request: Request) -> None:
    body = request.body
    required = ("model", "max_tokens", "messages") if request.endpoint == "messages" else ("model", "messages")
    for field in required:
        if field not in body:
            raise Refused(f"{field}: Field required")
    if not isinstance(body["model"], str):
        raise Refused("model: Input should be a valid string")
    if "stream" in body and not isinstance(body["stream"], bool):
        raise Refused("stream: Input should be a valid boolean")
    if "system" in body:
        _check_system(body["system"])
    if request.version != _LEGACY:
        for field in _SAMPLING:
            if field in body:
                raise Refused(f"{field}: Extra inputs are not permitted")


def _check_system(system: Any) -> None:
    if isinstance(system, str):
        if system.isspace():
            raise Refused("system: text content blocks must contain non-whitespace text")
        return
    if not isinstance(system, list):
        raise Refused("system: Input should be a valid list")
    for index, block in enumerate(system):
        text = block.get("text") if isinstance(block, dict) else None
        if not isinstance(text, str):
            raise Refused(f"system.{index}.text: Field required")
        if not text:
            raise Refused("system: text content blocks must be non-empty")
        if text.isspace():
            raise Refused("system: text content blocks must contain non-whitespace text")


def _check_max_tokens(value: Any, model: ModelInfo) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused("max_tokens: Input should be a valid integer")
    if value < 0:
        raise Refused("max_tokens: Input should be greater than or equal to 0")
    if value > model.max_output:
        raise Refused(
            f"max_tokens: {value} > {model.max_output}, "
            f"which is the maximum allowed number of output tokens for {model.id}"
        )


def _check_thinking(body: JsonObject, model: ModelInfo) -> None:
    thinking = body["thinking"]
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in _THINKING:
        raise Refused(f"thinking.type: Input should be one of {', '.join(map(repr, _THINKING))}")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int):
            raise Refused("thinking.enabled.budget_tokens: Field required")
        if budget < _MIN_BUDGET:
            raise Refused(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_MIN_BUDGET}")
        if budget >= body.get("max_tokens", budget + 1):
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if not model.known or kind in model.thinking:
        return
    if kind == "adaptive":
        raise Refused("adaptive thinking is not supported on this model")
    advice = ""
    if kind == "enabled":
        advice = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    raise Refused(f'"thinking.type.{kind}" is not supported for this model.{advice}')


# --- tools ------------------------------------------------------------------------------------


def _check_tools(body: JsonObject) -> None:
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise Refused("tools: Input should be a valid list")
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise Refused(f"tools.{index}: Input should be an object")
        if tool.get("type") in (None, "custom"):
            _check_custom(tool, f"tools.{index}.custom")
        name = tool.get("name")
        if name in names:
            raise Refused("tools: Tool names must be unique.")
        if isinstance(name, str):
            names.add(name)
    if body.get("tool_choice") is not None:
        _check_choice(body["tool_choice"], names, bool(tools))


def _check_custom(tool: JsonObject, where: str) -> None:
    name = tool.get("name")
    if name is None:
        raise Refused(f"{where}.name: Field required")
    if not isinstance(name, str) or not _is_tool_name(name):
        raise Refused(f"{where}.name: String should match pattern '{_TOOL_NAME}'")
    schema = tool.get("input_schema")
    if schema is None:
        raise Refused(f"{where}.input_schema: Field required")
    if not isinstance(schema, dict):
        raise Refused(f"{where}.input_schema: Input should be an object")
    if "type" not in schema:
        raise Refused(f"{where}.input_schema.type: Field required")
    if schema["type"] != "object":
        raise Refused(f"{where}.input_schema.type: Input should be 'object'")
    if "oneOf" in schema or "allOf" in schema or "anyOf" in schema:
        raise Refused(f"{where}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level")


def _check_choice(choice: Any, names: set[str], offered: bool) -> None:
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in _CHOICES:
        raise Refused(f"tool_choice.type: Input should be one of {', '.join(map(repr, _CHOICES))}")
    if kind == "any" and not offered:
        raise Refused("tool_choice.any may only be specified while providing tools")
    if kind != "tool":
        return
    if "name" not in choice:
        raise Refused("tool_choice.tool.name: Field required")
    if choice["name"] not in names:
        raise Refused(f"Tool '{choice['name']}' not found in provided tools")


# --- the end of the conversation --------------------------------------------------------------


def _check_ending(message: JsonObject, model: ModelInfo) -> None:
    """A final assistant message is a prefill: refused from 4.6 on, and never with white space at its end."""
    if message["role"] != "assistant":
        return
    if not model.prefill:
        raise Refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    content = message["content"]
    text = content if isinstance(content, str) else content[-1].get("text", "") if content else ""
    if text != text.rstrip():
        raise Refused("messages: final assistant content cannot end with trailing whitespace")
