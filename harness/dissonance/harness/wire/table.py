"""The error table of the Messages API: which type, message and headers belong to which status.

The types are those of the public error reference; where it names none for a status, the type is
the nearest one that the SDK knows (``anthropic.types.shared.ErrorType``). The texts of 429 and 529
are the API's own, as users pasted them into public issues in 2026; the other default texts are
short paraphrases, which no client is known to match on. Where the text matters (every 400), the
caller gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dissonance.harness.call import ApiError, JsonObject, Reply
from dissonance.harness.errors import BadInput

__all__ = ["ORGANISATION", "error_reply", "invalid_request"]

ORGANISATION = "d1550000-0000-4000-8000-000000000001"
"""The id of the simulated organisation, in error texts and in the header ``anthropic-organization-id``."""

_RATE_LIMIT = (
    "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute "
    f"(org: {ORGANISATION}). For details, refer to: https://docs.claude.com/en/api/rate-limits. "
    "You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens "
    "requested, or try again later. You may also contact sales at https://claude.com/contact-sales to discuss "
    "your options for a rate limit increase."
)


@dataclass(frozen=True, slots=True)
class _Row:
    type: str
    message: str


_TABLE: Mapping[int, _Row] = {
    400: _Row("invalid_request_error", "Invalid request."),
    401: _Row("authentication_error", "invalid authentication credentials"),
    402: _Row("billing_error", "There is a problem with your billing or payment information."),
    403: _Row("permission_error", "Your API key does not have permission to use the specified resource."),
    404: _Row("not_found_error", "Not found"),
    405: _Row("invalid_request_error", "Method Not Allowed"),
    408: _Row("timeout_error", "Request timeout"),
    409: _Row("conflict_error", "Conflict"),
    412: _Row("invalid_request_error", "Precondition failed"),
    413: _Row("request_too_large", "Request exceeds the maximum size"),
    422: _Row("invalid_request_error", "Unprocessable entity"),
    429: _Row("rate_limit_error", _RATE_LIMIT),
    431: _Row("invalid_request_error", "Request header fields too large"),
    499: _Row("invalid_request_error", "Client disconnected"),
    500: _Row("api_error", "Internal server error"),
    501: _Row("api_error", "Not implemented"),
    502: _Row("api_error", "Bad gateway"),
    503: _Row("api_error", "Service unavailable"),
    504: _Row("timeout_error", "Request timed out"),
    529: _Row("overloaded_error", "Overloaded"),
}

_RATE_LIMIT_HEADERS: Mapping[str, str] = {
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "999",
    "anthropic-ratelimit-tokens-limit": "2400000",
    "anthropic-ratelimit-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-output-tokens-limit": "400000",
    "anthropic-ratelimit-output-tokens-remaining": "400000",
}
"""Limits of the public *Start* tier (August 2026), the input tokens being used up. The real reply
also has ``…-reset`` dates, which a run in virtual time has no calendar for; clients wait by
``retry-after``."""


def error_reply(
    status: int,
    type: str | None = None,
    message: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    details: JsonObject | None = None,
    retry_after: float | None = None,
) -> Reply:
    """The API's error with this status, at once; ``wire.render.complete`` adds its request id.

    ``type`` and ``message`` default to the table's, ``details`` (``{"error_code": …}``) stands in
    the error's body, ``headers`` win over the table's, and ``retry_after`` is in seconds. A status
    outside 400 to 599 or a negative wait raises BadInput.

    >>> error_reply(529).body
    ApiError(type='overloaded_error', message='Overloaded', details=None)
    >>> error_reply(429, retry_after=30).headers["retry-after"]
    '30'
    """
    row = _row(status)
    sent = dict(_RATE_LIMIT_HEADERS) if status == 429 else {}
    if retry_after is not None:
        sent["retry-after"] = _seconds(retry_after)
    sent.update(headers or {})
    error = ApiError(row.type if type is None else type, row.message if message is None else message, details)
    return Reply(status=status, headers=sent, body=error)


def invalid_request(message: str) -> Reply:
    """A 400 with this text, which the SDK raises as ``BadRequestError`` and never retries."""
    return error_reply(400, message=message)


def _row(status: int) -> _Row:
    if not 400 <= status <= 599:
        raise BadInput(f"status: {status!r} is not an error; give a status from 400 to 599.")
    return _TABLE.get(status, _TABLE[500] if status >= 500 else _TABLE[400])


def _seconds(value: float) -> str:
    if not 0 <= value < float("inf"):
        raise BadInput(f"retry_after: {value!r} is not a wait; give seconds from 0 up.")
    return str(int(value)) if value == int(value) else repr(value)
