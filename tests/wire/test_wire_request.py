"""Reading a request, and what the API refuses before a model is concerned."""

from __future__ import annotations

import json

import pytest

from dissonance.harness.call import ApiError, Reply
from dissonance.harness.wire.request import MAX_BYTES, Request, read_request

HEADERS = [("Authorization", "Bearer sk-secret"), ("anthropic-version", "2026-10-21")]
BODY = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
SIMULATED = "POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models and GET /v1/models/{id} are."


def refusal(reply: Request | Reply) -> tuple[int | None, str, str]:
    assert isinstance(reply, Reply) and isinstance(reply.body, ApiError)
    return reply.status, reply.body.type, reply.body.message


def test_a_request_keeps_its_headers_in_lower_case_but_no_secret() -> None:
    headers = [*HEADERS, ("X-Api-Key", "sk"), ("Cookie", "c=1"), ("X-Stainless-Retry-Count", "2"), ("User-Agent", "U")]
    assert read_request("POST", "/v1/messages", headers, json.dumps(BODY).encode()) == Request(
        endpoint="messages",
        body=BODY,
        headers={"anthropic-version": "2026-10-21", "x-stainless-retry-count": "2", "user-agent": "U"},
        retry=2,
        version="2026-10-21",
    )


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "body"),
    [
        pytest.param("POST", "/v1/messages", "messages", BODY, id="messages"),
        pytest.param("POST", "/v1/messages?beta=true", "messages", BODY, id="query of older SDKs"),
        pytest.param("POST", "/v1/messages/", "messages", BODY, id="trailing slash"),
        pytest.param("POST", "/team-7/anthropic/v1/messages", "messages", BODY, id="gateway"),
        pytest.param("POST", "/v1/messages/count_tokens", "count_tokens", BODY, id="count_tokens"),
        pytest.param("GET", "/v1/models", "models", {}, id="models"),
        pytest.param(
            "GET",
            "/v1/models?limit=3&after_id=a&lifecycle[]=active&lifecycle[]=retired",
            "models",
            {"limit": "3", "after_id": "a", "lifecycle": ["active", "retired"]},
            id="page of models",
        ),
        pytest.param("GET", "/gw/v1/models/claude-opus-5-5", "models", {"id": "claude-opus-5-5"}, id="one model"),
    ],
)
def test_routes(method: str, path: str, endpoint: str, body: object) -> None:
    request = read_request(method, path, HEADERS, json.dumps(BODY).encode())
    assert isinstance(request, Request)
    assert (request.endpoint, request.body) == (endpoint, body)


@pytest.mark.parametrize("credentials", [("authorization", "bearer sk"), ("X-API-Key", "sk")], ids=["2.x", "0.x"])
def test_both_forms_of_credentials_are_taken(credentials: tuple[str, str]) -> None:
    headers = [credentials, ("anthropic-version", "2023-06-01")]
    assert isinstance(read_request("POST", "/v1/messages", headers, b"{}"), Request)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        pytest.param(
            "POST",
            "/v1/complete",
            HEADERS,
            b"{}",
            (404, "not_found_error", f"Not found: POST /v1/complete is not simulated; {SIMULATED}"),
            id="unknown path",
        ),
        pytest.param(
            "GET",
            "/v1/messages",
            HEADERS,
            b"",
            (405, "invalid_request_error", "Method Not Allowed: GET /v1/messages; use POST."),
            id="method",
        ),
        pytest.param(
            "POST",
            "/v1/messages",
            [("authorization", "Basic x"), ("x-api-key", " ")],
            b"{}",
            (
                401,
                "authentication_error",
                "Authentication is required: send `Authorization: Bearer` or `x-api-key`.",
            ),
            id="no credentials",
        ),
        pytest.param(
            "POST",
            "/v1/messages",
            HEADERS,
            b" " * (MAX_BYTES + 1),
            (413, "request_too_large", "Request exceeds the maximum size"),
            id="too large",
        ),
        pytest.param(
            "POST",
            "/v1/messages",
            HEADERS[:1],
            b"{}",
            (400, "invalid_request_error", "anthropic-version: header is required"),
            id="version",
        ),
        pytest.param(
            "POST",
            "/v1/messages",
            HEADERS,
            b'{"a": NaN}',
            (400, "invalid_request_error", "The request body is not valid JSON: expected value at line 1 column 7"),
            id="not JSON",
        ),
        pytest.param(
            "POST",
            "/v1/messages",
            HEADERS,
            b"[]",
            (400, "invalid_request_error", "The request body is not valid JSON: an object is expected"),
            id="not an object",
        ),
    ],
)
def test_refusals(
    method: str, path: str, headers: list[tuple[str, str]], body: bytes, expected: tuple[int, str, str]
) -> None:
    assert refusal(read_request(method, path, headers, body)) == expected


def test_a_strange_retry_count_counts_as_none() -> None:
    request = read_request("POST", "/v1/messages", [*HEADERS, ("x-stainless-retry-count", "-1")], b"{}")
    assert isinstance(request, Request) and request.retry == 0
