"""The API's own 400s and 404s, with their texts."""

from __future__ import annotations

from typing import Any

import pytest

from dissonance.harness.call import ApiError
from dissonance.harness.wire.request import Request
from dissonance.harness.wire.validate import is_thread_request, over_window, validate

MODEL = "claude-opus-5-5"
OLD = "claude-haiku-4-5"
HI = {"role": "user", "content": "Hi"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def use(id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "look", "input": {}}


def result(id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "seen"}


def request(version: str = "2026-10-21", **fields: Any) -> Request:
    body = {"model": MODEL, "max_tokens": 100, "messages": [HI], **fields}
    return Request("messages", {k: v for k, v in body.items() if v is not None}, {}, 0, version)


def refusal(request: Request) -> tuple[int | None, str] | None:
    reply = validate(request)
    if reply is None:
        return None
    assert isinstance(reply.body, ApiError)
    return reply.status, reply.body.message


def unanswered(index: int, *ids: str) -> str:
    return (
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def unexpected(index: int, place: int, id: str) -> str:
    return (
        f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
    )


EMPTY = "all messages must have non-empty content except for the optional final assistant message"
BLANK = "text content blocks must contain non-whitespace text"
PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."

FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "model: Field required"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "no messages": ({"messages": None}, "messages: Field required"),
    "model not a string": ({"model": 5}, "model: Input should be a valid string"),
    "max_tokens not a number": ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    "max_tokens a boolean": ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    "max_tokens negative": ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    "max_tokens beyond the model": (
        {"model": OLD, "max_tokens": 64_001},
        f"max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for {OLD}",
    ),
    "stream not a boolean": ({"stream": 1}, "stream: Input should be a valid boolean"),
    "temperature": ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    "top_p": ({"top_p": 0.5}, "top_p: Extra inputs are not permitted"),
    "top_k": ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
    "system not text": ({"system": 5}, "system: Input should be a valid list"),
    "system block without text": ({"system": [{"type": "text"}]}, "system.0.text: Field required"),
    "system block empty": ({"system": [text("")]}, "system: text content blocks must be non-empty"),
    "system blank": ({"system": " "}, f"system: {BLANK}"),
    "system block blank": ({"system": [text("a"), text("\n")]}, f"system: {BLANK}"),
}

MESSAGES: dict[str, tuple[list[Any] | str, str]] = {
    "not a list": ("Hi", "messages: Input should be a valid list"),
    "none": ([], "messages: at least one message is required"),
    "not an object": (["Hi"], "messages.0: Input should be an object"),
    "no role": ([{"content": "Hi"}], "messages.0.role: Field required"),
    "no content": ([HI, {"role": "user"}], "messages.1.content: Field required"),
    "content of a wrong type": ([{"role": "user", "content": 5}], "messages.0.content: Input should be a valid list"),
    "unknown role": (
        [{"role": "tool", "content": "Hi"}],
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    "assistant first": ([assistant(text("a")), HI], 'messages: first message must use the "user" role'),
    "system only": ([{"role": "system", "content": "a"}], 'messages: first message must use the "user" role'),
    "empty text": ([HI, {"role": "assistant", "content": ""}, HI], f"messages.1: {EMPTY}"),
    "empty content": ([user()], f"messages.0: {EMPTY}"),
    "blank text": ([{"role": "user", "content": " \n"}], f"messages: {BLANK}"),
    "empty text block": ([user(text(""))], "messages: text content blocks must be non-empty"),
    "blank text block": ([user(text(" "))], f"messages: {BLANK}"),
    "block not an object": ([user("Hi")], "messages.0.content.0: Input should be an object"),
    "block without type": ([user({"text": "Hi"})], "messages.0.content.0.type: Field required"),
    "text block without text": ([user({"type": "text"})], "messages.0.content.0.text.text: Field required"),
    "text not a string": (
        [user({"type": "text", "text": 5})],
        "messages.0.content.0.text.text: Input should be a valid string",
    ),
    "result without id": (
        [user({"type": "tool_result"})],
        "messages.0.content.0.tool_result.tool_use_id: Field required",
    ),
    "input not an object": (
        [HI, assistant({**use("t1"), "input": "x"})],
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "id not hashable": (
        [HI, assistant({**use("t1"), "id": []})],
        "messages.1.content.0.tool_use.id: Input should be a valid string",
    ),
    "type not a string": ([user({"type": 5})], "messages.0.content.0.type: Field required"),
    "result id not hashable": (
        [user({"type": "tool_result", "tool_use_id": []})],
        "messages.0.content.0.tool_result.tool_use_id: Input should be a valid string",
    ),
    "tool call by the user": (
        [user(use("t1"))],
        "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages",
    ),
    "document by the assistant": (
        [HI, assistant({"type": "document"}), HI],
        "messages.1.content.0: `document` blocks can only be in `user` messages",
    ),
    "citations by the user": (
        [user({**text("a"), "citations": [{}]})],
        "messages.0.content.0.text.citations: Extra inputs are not permitted",
    ),
    "call unanswered": ([HI, assistant(use("t1")), HI], unanswered(1, "t1")),
    "calls unanswered": (
        [HI, assistant(use("t1"), use("t2"), use("t3")), user(result("t2"))],
        unanswered(1, "t1", "t3"),
    ),
    "call at the end": ([HI, assistant(text("a"), use("t1"))], unanswered(1, "t1")),
    "call answered too late": (
        [HI, assistant(use("t1")), HI, assistant(text("a")), user(result("t1"))],
        unanswered(1, "t1"),
    ),
    "result after text": ([HI, assistant(use("t1")), user(text("a"), result("t1"))], unanswered(1, "t1")),
    "result after a text message": ([HI, assistant(use("t1")), HI, user(result("t1"))], unanswered(1, "t1")),
    "calls of one turn in two messages": (
        [HI, assistant(use("t1")), assistant(use("t2")), user(result("t1"))],
        unanswered(2, "t2"),
    ),
    "result of no call": ([user(result("t1"))], unexpected(0, 0, "t1")),
    "result of an earlier turn": (
        [HI, assistant(use("t1")), user(result("t1")), assistant(text("a")), user(text("b"), result("t1"))],
        unexpected(4, 1, "t1"),
    ),
    "two results": (
        [HI, assistant(use("t1")), user(result("t1"), result("t1"))],
        "messages.2.content.1: each tool_use must have a single result. "
        "Found multiple `tool_result` blocks with id: t1",
    ),
    "id twice": ([HI, assistant(use("t1"), use("t1"))], "messages.1.content.1: `tool_use` ids must be unique"),
    "id of an earlier turn": (
        [HI, assistant(use("t1")), user(result("t1")), assistant(use("t1")), user(result("t1"))],
        "messages.3.content.0: `tool_use` ids must be unique",
    ),
    "prefill": ([HI, assistant(text("I"))], PREFILL),
}

TOOLS: dict[str, tuple[dict[str, Any], str]] = {
    "not a list": ({"tools": TOOL}, "tools: Input should be a valid list"),
    "not an object": ({"tools": ["look"]}, "tools.0: Input should be an object"),
    "no name": ({"tools": [{"input_schema": {}}]}, "tools.0.custom.name: Field required"),
    "bad name": (
        {"tools": [TOOL, {**TOOL, "name": "a.b"}]},
        "tools.1.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "same name": ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    "same name as a server tool": (
        {"tools": [{"type": "web_search_20260318", "name": "look"}, TOOL]},
        "tools: Tool names must be unique.",
    ),
    "no schema": ({"tools": [{"name": "look"}]}, "tools.0.custom.input_schema: Field required"),
    "schema not an object": (
        {"tools": [{"name": "look", "input_schema": "x"}]},
        "tools.0.custom.input_schema: Input should be an object",
    ),
    "schema without type": (
        {"tools": [{"name": "look", "input_schema": {}}]},
        "tools.0.custom.input_schema.type: Field required",
    ),
    "schema of a string": (
        {"tools": [{"name": "look", "input_schema": {"type": "string"}}]},
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "alternatives on top": (
        {"tools": [TOOL, {"name": "b", "type": "custom", "input_schema": {"type": "object", "anyOf": []}}]},
        "tools.1.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "choice of a tool not offered": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "see"}},
        "Tool 'see' not found in provided tools",
    ),
    "choice without a name": (
        {"tools": [TOOL], "tool_choice": {"type": "tool"}},
        "tool_choice.tool.name: Field required",
    ),
    "choice among no tools": (
        {"tool_choice": {"type": "any"}},
        "tool_choice.any may only be specified while providing tools",
    ),
    "unknown choice": (
        {"tools": [TOOL], "tool_choice": "auto"},
        "tool_choice.type: Input should be one of 'auto', 'any', 'tool', 'none'",
    ),
}

ENABLED = {"type": "enabled", "budget_tokens": 1024}
THINKING: dict[str, tuple[dict[str, Any], str]] = {
    "enabled on a newer model": (
        {"model": "claude-opus-4-7", "max_tokens": 2000, "thinking": ENABLED},
        '"thinking.type.enabled" is not supported for this model. '
        'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    ),
    "adaptive on an older model": (
        {"model": OLD, "thinking": {"type": "adaptive"}},
        "adaptive thinking is not supported on this model",
    ),
    "disabled where it is always on": (
        {"thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported for this model.',
    ),
    "budget too small": (
        {"model": OLD, "thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "no budget": (
        {"model": OLD, "thinking": {"type": "enabled"}},
        "thinking.enabled.budget_tokens: Field required",
    ),
    "budget beyond max_tokens": (
        {"model": OLD, "max_tokens": 1024, "thinking": ENABLED},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    "unknown type": (
        {"thinking": "on"},
        "thinking.type: Input should be one of 'adaptive', 'enabled', 'disabled', 'between_tools'",
    ),
}


@pytest.mark.parametrize(("fields", "message"), FIELDS.values(), ids=FIELDS)
def test_fields(fields: dict[str, Any], message: str) -> None:
    assert refusal(request(**fields)) == (400, message)


@pytest.mark.parametrize(("messages", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(messages: Any, message: str) -> None:
    assert refusal(request(messages=messages)) == (400, message)


@pytest.mark.parametrize(("fields", "message"), TOOLS.values(), ids=TOOLS)
def test_tools(fields: dict[str, Any], message: str) -> None:
    assert refusal(request(**fields)) == (400, message)


@pytest.mark.parametrize(("fields", "message"), THINKING.values(), ids=THINKING)
def test_thinking(fields: dict[str, Any], message: str) -> None:
    assert refusal(request(**fields)) == (400, message)


def test_too_many_messages() -> None:
    assert refusal(request(messages=[HI] * 100_001)) == (
        400,
        "messages: List should have at most 100000 items after validation, not 100001",
    )


@pytest.mark.parametrize("name", ["gpt-9", "claude-opus-4-1", "claude-3-5-sonnet-20241022"])
def test_a_model_that_is_not_there(name: str) -> None:
    assert refusal(request(model=name)) == (404, f"model: {name}")


@pytest.mark.parametrize("content", ["I think ", [text("I think\n")]], ids=["string", "block"])
def test_a_prefill_ends_without_white_space(content: Any) -> None:
    messages = [HI, {"role": "assistant", "content": content}]
    assert refusal(request(model=OLD, messages=messages)) == (
        400,
        "messages: final assistant content cannot end with trailing whitespace",
    )


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="the least"),
        pytest.param({"max_tokens": 0}, id="cache warm-up"),
        pytest.param({"model": "claude-next-7"}, id="newer model"),
        pytest.param({"model": "claude-next-7", "max_tokens": 2000, "thinking": ENABLED}, id="newer model's thinking"),
        pytest.param({"model": OLD, "max_tokens": 2000, "thinking": ENABLED}, id="budget"),
        pytest.param({"thinking": {"type": "adaptive"}}, id="adaptive"),
        pytest.param({"unheard_of": 1}, id="unknown field"),
        pytest.param({"system": ""}, id="empty system prompt"),
        pytest.param({"system": [text("a")]}, id="system blocks"),
        pytest.param({"messages": [HI, HI]}, id="same role twice"),
        pytest.param({"messages": [{"role": "system", "content": "a"}, HI]}, id="system message first"),
        pytest.param({"model": OLD, "messages": [HI, assistant(text("I"))]}, id="prefill"),
        pytest.param({"model": OLD, "messages": [HI, assistant()]}, id="empty final assistant message"),
        pytest.param(
            {"messages": [HI, assistant(use("t1"), use("t2")), user(result("t2"), result("t1"))]}, id="parallel"
        ),
        pytest.param({"messages": [HI, assistant(use("t1")), user(result("t1"), text("a"))]}, id="text after results"),
        pytest.param(
            {"messages": [HI, assistant(use("t1"), use("t2")), user(result("t1")), user(result("t2"))]},
            id="results in two messages of one turn",
        ),
        pytest.param(
            {"messages": [HI, assistant(use("t1")), {"role": "system", "content": "a"}, user(result("t1"))]},
            id="system message before the result",
        ),
        pytest.param({"messages": [user({"type": "document", "source": {}})]}, id="document"),
        pytest.param({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}}, id="forced tool"),
        pytest.param({"tools": [{"type": "bash_20250124", "name": "bash"}]}, id="server's schema"),
        pytest.param({"tool_choice": {"type": "auto"}}, id="auto without tools"),
    ],
)
def test_accepted(fields: dict[str, Any]) -> None:
    assert refusal(request(**fields)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.5, "top_p": 1, "top_k": 5},
        {"messages": [HI, assistant({"type": "document"}), HI]},
        {"messages": [user({**text("a"), "citations": [{}]})]},
    ],
    ids=["sampling", "document", "citations"],
)
def test_the_older_version_of_the_api_still_takes_it(fields: dict[str, Any]) -> None:
    assert refusal(request(version="2023-06-01", **fields)) is None


def test_count_tokens_needs_no_max_tokens() -> None:
    assert refusal(Request("count_tokens", {"model": MODEL, "messages": [HI]}, {}, 0, "2026-10-21")) is None


def test_models_are_never_refused_here() -> None:
    assert validate(Request("models", {}, {}, 0, "2026-10-21")) is None


def test_message_threads_are_refused_in_the_way_that_the_sdk_understands() -> None:
    threaded = request(thread={"type": "create"})
    reply = validate(threaded)
    assert reply is not None and isinstance(reply.body, ApiError)
    assert (reply.status, reply.body.details) == (400, {"error_code": "thread_unsupported_request"})
    assert (is_thread_request(threaded), is_thread_request(request())) == (True, False)


def test_the_window_is_the_models() -> None:
    assert over_window(200_000, OLD) is None and over_window(200_001, MODEL) is None
    reply = over_window(208_310, OLD)
    assert reply is not None and reply.status == 400
    assert reply.body == ApiError("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum")


def test_a_long_history_is_read_once() -> None:
    """The pass is linear: nothing of an earlier turn is looked at again (each message's content is read once)."""

    class Counted(dict[str, Any]):
        reads = 0

        def __getitem__(self, key: str) -> Any:
            Counted.reads += key == "content"
            return super().__getitem__(key)

    turns = [m for i in range(200) for m in (Counted(assistant(use(f"t{i}"))), Counted(user(result(f"t{i}"))))]
    assert refusal(request(messages=[HI, *turns])) is None
    assert Counted.reads == len(turns)
