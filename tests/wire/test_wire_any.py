"""Whatever a request holds, a reply of the API's comes back: never an exception of the simulator's own."""

from __future__ import annotations

import json
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissonance.faults import At, Overloaded, Rule
from dissonance.harness import run

URL = "https://api.anthropic.com"
HEADERS = {"authorization": "Bearer k", "content-type": "application/json"}

WORDS = st.sampled_from(
    [
        *("user", "assistant", "system", "text", "tool_use", "tool_result", "image", "document", "thinking"),
        *("tool", "any", "auto", "none", "enabled", "json_schema", "object", "string", "claude-haiku-4-5", "nope"),
    ]
) | st.text(max_size=8)
NAMES = st.sampled_from(
    [
        *("role", "content", "type", "text", "id", "name", "input", "tool_use_id", "is_error", "source", "data"),
        *("input_schema", "properties", "required", "enum", "items", "format", "schema", "effort", "budget_tokens"),
        *("$ref", "anyOf", "const", "minimum", "pattern", "citations", "cache_control"),
    ]
) | st.text(max_size=3)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": JSON}) | JSON,
    max_size=3,
)
OPTIONAL = {
    name: JSON
    for name in (
        *("system", "tools", "tool_choice", "stream", "stop_sequences", "thinking", "output_config", "metadata"),
        *("thread", "temperature", "container", "context_management", "service_tier"),
    )
}
BODIES = JSON | st.fixed_dictionaries(
    {"model": WORDS | st.just("claude-sonnet-4-6"), "max_tokens": st.integers(-1, 300), "messages": MESSAGES},
    optional=OPTIONAL,
)


def answers(bodies: list[bytes], path: str, version: str, plan: list[Rule]) -> list[httpx2.Response]:
    def workflow(task: str) -> list[httpx2.Response]:
        with httpx2.Client(headers={**HEADERS, "anthropic-version": version}) as client:
            return [client.post(URL + path, content=body) for body in bodies]

    made = run(workflow, "x", plan=plan, baseline=False, store=None)
    assert made.outcome == "completed", made.error_text
    return made.result  # type: ignore[no-any-return]


def check(response: httpx2.Response) -> None:
    if response.headers["content-type"].startswith("text/event-stream"):
        assert response.text.startswith("event: message_start\n") and '"type":"message_stop"' in response.text
        return
    body = json.loads(response.content)
    if response.status_code == 200:
        assert body.get("type") == "message" or list(body) == ["input_tokens"]
    else:
        assert (response.status_code in (400, 404, 529), body["type"]) == (True, "error")
        assert body["error"]["message"]


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(
    bodies=st.lists(BODIES, min_size=1, max_size=8),
    path=st.sampled_from(["/v1/messages", "/v1/messages/count_tokens"]),
    version=st.sampled_from(["2026-10-21", "2023-06-01"]),
    plan=st.sampled_from([[], [Rule(at=At(text="claude"), fault=Overloaded())]]),
)
def test_any_json_gets_an_answer(bodies: list[Any], path: str, version: str, plan: list[Rule]) -> None:
    for response in answers([json.dumps(body).encode() for body in bodies], path, version, plan):
        check(response)


@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=40))
def test_bytes_that_are_no_json_are_refused(body: bytes) -> None:
    (response,) = answers([body], "/v1/messages", "2026-10-21", [])
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/messages/batches"), ("POST", "/v1/messages/batches"), ("POST", "/v1/complete"), ("GET", "/v1/files")],
)
def test_what_is_not_simulated_is_named(library: Any, method: str, path: str) -> None:
    def workflow(task: str) -> Any:
        with library.Client(headers={"x-api-key": "k", "anthropic-version": "2023-06-01"}) as client:
            return client.request(method, URL + path, json={})

    response = run(workflow, "x", baseline=False, store=None).result
    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith(f"Not found: {method} {path} is not simulated; ")
