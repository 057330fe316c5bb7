"""The error table."""

from __future__ import annotations

import pytest

from dissonance.harness.call import ApiError, Reply
from dissonance.harness.errors import BadInput
from dissonance.harness.wire.table import error_reply, invalid_request


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (520, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_each_status_has_its_type(status: int, type: str) -> None:
    body = error_reply(status).body
    assert isinstance(body, ApiError)
    assert body.type == type and body.message


def test_what_is_given_wins_over_the_table() -> None:
    reply = error_reply(
        429,
        "x",
        "y",
        headers={"x-should-retry": "false"},
        details={"error_code": "ramp_limit_exceeded"},
        retry_after=1.5,
    )
    assert reply.body == ApiError("x", "y", {"error_code": "ramp_limit_exceeded"})
    assert dict(reply.headers) == {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-requests-remaining": "999",
        "anthropic-ratelimit-tokens-limit": "2400000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-limit": "400000",
        "anthropic-ratelimit-output-tokens-remaining": "400000",
        "retry-after": "1.5",
        "x-should-retry": "false",
    }


def test_only_a_429_has_rate_limit_headers() -> None:
    assert error_reply(529) == Reply(status=529, body=ApiError("overloaded_error", "Overloaded"))


def test_an_invalid_request_has_its_text() -> None:
    assert invalid_request("no") == Reply(status=400, body=ApiError("invalid_request_error", "no"))


@pytest.mark.parametrize(
    ("status", "retry_after", "message"),
    [
        (200, None, "status: 200 is not an error; give a status from 400 to 599."),
        (600, None, "status: 600 is not an error; give a status from 400 to 599."),
        (429, -1, "retry_after: -1 is not a wait; give seconds from 0 up."),
        (429, float("inf"), "retry_after: inf is not a wait; give seconds from 0 up."),
    ],
)
def test_bad_input_is_named(status: int, retry_after: float | None, message: str) -> None:
    with pytest.raises(BadInput) as error:
        error_reply(status, retry_after=retry_after)
    assert str(error.value) == message
