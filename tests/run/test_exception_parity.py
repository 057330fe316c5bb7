"""What the SDK raises for each fault of the wire: the table of its behaviour against the real protocol.

The rows were seen when the SDK talked to a loopback server that spoke the protocol; retried calls are
seen three times, others once. A library's own class, where it leaks through the SDK unwrapped, is the
one of httpx2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import Answers, Rewrites, Says, request

from dissonance.harness import Run, run
from dissonance.harness.call import Interceptor, Reply, tool_use
from dissonance.harness.wire.table import error_reply


@dataclass(frozen=True)
class Seen:
    """What a client sees: the exception (None: none), its status, and how many requests it made."""

    error: type[BaseException] | None
    requests: int
    status: int | None = None


def plain(client: Anthropic) -> Any:
    return client.messages.create(**request())


def streamed(client: Anthropic) -> Any:
    with client.messages.stream(**request()) as stream:
        return stream.get_final_message()


async def async_plain(client: AsyncAnthropic) -> Any:
    return await client.messages.create(**request())


async def async_streamed(client: AsyncAnthropic) -> Any:
    async with client.messages.stream(**request()) as stream:
        return await stream.get_final_message()


def played(ask: Callable[[Any], Any], interceptor: Interceptor) -> Run:
    make = AsyncAnthropic if ask.__name__.startswith("async") else Anthropic
    done = run(
        lambda task: ask(make(api_key="k", timeout=60.0)),
        "x",
        plan=[interceptor],
        model=Says(),
        baseline=False,
        store=None,
    )
    assert done.tier == "T1", done.demoted_by
    return done


def seen(done: Run) -> Seen:
    status = getattr(done.error, "status_code", None)
    return Seen(None if done.error is None else type(done.error), done.calls, status)


WAYS: dict[str, Callable[[Any], Any]] = {
    "sync": plain,
    "sync stream": streamed,
    "async": async_plain,
    "async stream": async_streamed,
}
STREAMS = {name: ask for name, ask in WAYS.items() if "stream" in name}
WHOLE = {name: ask for name, ask in WAYS.items() if "stream" not in name}

STATUSES = [
    (400, anthropic.BadRequestError, 1),
    (401, anthropic.AuthenticationError, 1),
    (402, anthropic.PaymentRequiredError, 1),
    (403, anthropic.PermissionDeniedError, 1),
    (404, anthropic.NotFoundError, 1),
    (408, anthropic.RequestTimeoutError, 3),
    (409, anthropic.ConflictError, 3),
    (412, anthropic.PreconditionFailedError, 1),
    (413, anthropic.ContentTooLargeError, 1),
    (418, anthropic.APIStatusError, 1),
    (422, anthropic.UnprocessableEntityError, 1),
    (429, anthropic.RateLimitError, 3),
    (431, anthropic.RequestHeaderFieldsTooLargeError, 1),
    (499, anthropic.ClientClosedRequestError, 1),
    (500, anthropic.InternalServerError, 3),
    (501, anthropic.HTTPNotImplementedError, 3),
    (502, anthropic.InternalServerError, 3),
    (503, anthropic.ServiceUnavailableError, 3),
    (504, anthropic.GatewayTimeoutError, 3),
    (529, anthropic.OverloadedError, 3),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "error", "requests"), STATUSES, ids=[str(row[0]) for row in STATUSES])
def test_a_status_raises_its_class(way: str, status: int, error: type[Exception], requests: int) -> None:
    done = played(WAYS[way], Answers(error_reply(status)))
    assert seen(done) == Seen(error, requests, status)
    assert done.error.request_id.startswith("req_011")  # type: ignore[union-attr]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "said", "requests"), [(400, "true", 3), (429, "false", 1)])
def test_x_should_retry_overrides_the_status(way: str, status: int, said: str, requests: int) -> None:
    assert played(WAYS[way], Answers(error_reply(status, headers={"x-should-retry": said}))).calls == requests


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seconds", [0.5, 30, 3600])
def test_any_positive_retry_after_is_honoured(way: str, seconds: float) -> None:
    done = played(WAYS[way], Answers(error_reply(429, retry_after=seconds), attempts=1))
    assert [call.at for call in done.history.calls()] == [0, seconds]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("connect", anthropic.APIConnectionError),
        ("reset", anthropic.APIConnectionError),
        ("connect_timeout", anthropic.APITimeoutError),
        ("read_timeout", anthropic.APITimeoutError),
    ],
)
def test_a_failed_connection_is_retried(way: str, failure: Any, error: type[Exception]) -> None:
    assert seen(played(WAYS[way], Answers(Reply(status=None, failure=failure)))) == Seen(error, 3)


def ending(how: Any, after: int | None = None) -> Rewrites:
    return Rewrites(lambda reply: replace(reply, ending=how, ending_after=after))


@pytest.mark.parametrize("way", STREAMS)
def test_an_error_event_is_a_status_error_of_200_and_is_not_retried(way: str) -> None:
    done = played(STREAMS[way], ending("error_event"))
    assert seen(done) == Seen(anthropic.APIStatusError, 1, 200)
    assert done.error.type == "overloaded_error"  # type: ignore[union-attr]


@pytest.mark.parametrize("way", STREAMS)
def test_a_cleanly_cut_stream_is_taken_for_success(way: str) -> None:
    done = played(STREAMS[way], ending("cut"))
    assert seen(done) == Seen(None, 1)
    assert (done.result.stop_reason, done.result.content[0].text) != (None, "writer says 1")
    assert done.result.stop_reason is None
    assert "writer says 1".startswith(done.result.content[0].text)


@pytest.mark.parametrize("way", STREAMS)
def test_a_stream_that_is_closed_abruptly_leaks_the_librarys_error(way: str) -> None:
    assert seen(played(STREAMS[way], ending("reset"))) == Seen(httpx2.RemoteProtocolError, 1)


@pytest.mark.parametrize("way", STREAMS)
def test_a_stream_that_stalls_leaks_the_librarys_timeout(way: str) -> None:
    done = played(STREAMS[way], ending("stall"))
    assert seen(done) == Seen(httpx2.ReadTimeout, 1)
    assert 60 < done.seconds < 70


@pytest.mark.parametrize("way", STREAMS)
def test_an_empty_stream_is_an_assertion_error(way: str) -> None:
    done = played(STREAMS[way], Answers(Reply(body=b"", headers={"content-type": "text/event-stream"})))
    assert seen(done) == Seen(AssertionError, 1)


@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_whole_body_that_ends_early_is_a_connection_error(way: str, how: str) -> None:
    assert seen(played(WHOLE[way], ending(how))) == Seen(anthropic.APIConnectionError, 3)


@pytest.mark.parametrize("way", WHOLE)
def test_a_whole_body_that_stalls_is_a_timeout(way: str) -> None:
    assert seen(played(WHOLE[way], ending("stall"))) == Seen(anthropic.APITimeoutError, 3)


@pytest.mark.parametrize("way", WHOLE)
def test_json_that_is_no_message_is_taken_for_one(way: str) -> None:
    done = played(WHOLE[way], Answers(Reply(body=b'{"surprise": 1}', headers={"content-type": "application/json"})))
    assert seen(done) == Seen(None, 1)
    assert (done.result.content, done.result.stop_reason) == (None, None)


@pytest.mark.parametrize("way", WHOLE)
def test_a_body_that_is_no_json_leaks_the_parsers_error(way: str) -> None:
    done = played(WHOLE[way], Answers(Reply(body=b"{not json", headers={"content-type": "application/json"})))
    assert seen(done) == Seen(json.JSONDecodeError, 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_reply_slower_than_the_clients_timeout_is_a_timeout(way: str) -> None:
    done = played(WAYS[way], Rewrites(lambda reply: replace(reply, seconds=61.0)))
    assert seen(done) == Seen(anthropic.APITimeoutError, 3)


@pytest.mark.parametrize("way", STREAMS)
def test_tool_json_cut_short_gives_an_empty_input(way: str) -> None:
    cut = replace(Reply.use(tool_use("search", {"query": "tin" * 30})), ending="cut", ending_after=0)
    done = played(STREAMS[way], Answers(cut))
    assert seen(done) == Seen(None, 1)
    assert done.result.content[0].input == {}


START = """\
event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],\
"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}

"""
DELTA = """\
event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{]"}}

"""


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize(
    ("events", "error"), [(START + DELTA, ValueError), (DELTA, AssertionError)], ids=["malformed", "no start"]
)
def test_events_that_no_api_sends_leak_what_they_break(way: str, events: str, error: type[Exception]) -> None:
    done = played(STREAMS[way], Answers(Reply(body=events.encode(), headers={"content-type": "text/event-stream"})))
    assert seen(done) == Seen(error, 1)
