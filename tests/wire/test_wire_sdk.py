"""The SDK's own types and client read every reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import MessageTokensCount, RawMessageStreamEvent
from pydantic import TypeAdapter

from dissonance.harness.call import Block, Call, Message, Pace, Reply, text_block, tool_use
from dissonance.harness.history import Bodies
from dissonance.harness.wire.catalog import models_reply
from dissonance.harness.wire.render import complete, render
from dissonance.harness.wire.request import Request, read_request
from dissonance.harness.wire.table import error_reply
from dissonance.harness.wire.tokens import Meter
from dissonance.harness.wire.validate import over_window, validate

SIGNATURE = {"type": "thinking", "thinking": "Is it so?", "signature": "c2ln"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
REPLIES: dict[str, Message] = {
    "text": Message(content=[text_block('He said: "ja, schön" 👊\nEnd.')]),
    "tools": Message(
        content=[text_block("Hm."), tool_use("look", {"at": [1, 2.5, None, {"x": "é"}]}), tool_use("go", {})],
        stop_reason="tool_use",
    ),
    "thinking": Message(content=[SIGNATURE, text_block("Yes.")]),
    "server tools": Message(content=[SEARCH, FOUND, text_block("So.")]),
    "nothing": Message(content=[]),
    "refusal": Message(
        content=[], stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber", "explanation": None}
    ),
    "paused": Message(content=[SEARCH], stop_reason="pause_turn"),
}
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


class Api:
    """The wire's data layer behind a mock transport, with replies from a list; keeps the requests that it reads."""

    def __init__(self, *replies: Reply) -> None:
        self.replies: Iterator[Reply] = iter(replies)
        self.requests: list[Request] = []
        self.meter, self.bodies = Meter(), Bodies()
        transport = httpx2.MockTransport(self.handle)
        self.client = anthropic.Anthropic(
            api_key="sk", http_client=anthropic.DefaultHttpxClient(transport=transport), max_retries=0
        )

    def handle(self, sent: httpx2.Request) -> httpx2.Response:
        path = sent.url.raw_path.decode()
        request = read_request(sent.method, path, list(sent.headers.items()), sent.read())
        assert isinstance(request, Request), request
        self.requests.append(request)
        call, reply = self.decide(request)
        performance = render(complete(reply, call, 0), call)
        assert performance.status is not None
        data = b"".join(chunk.data for chunk in performance.chunks)
        return httpx2.Response(performance.status, headers=list(performance.headers), content=data)

    def decide(self, request: Request) -> tuple[Call, Reply]:
        if request.endpoint == "models":
            return Call(id=0, endpoint="models"), models_reply(request)
        tokens = self.meter.measure(request, self.bodies).tokens
        body = request.body
        call = Call(
            id=0,
            endpoint=request.endpoint,
            model=str(body["model"]),
            max_tokens=body.get("max_tokens", 0),
            stream=body.get("stream", False),
            tokens=tokens,
        )
        refusal = validate(request) or over_window(tokens, call.model)
        if refusal is not None:
            return call, refusal
        if request.endpoint == "count_tokens":
            return call, Reply(body={"input_tokens": tokens})
        return call, next(self.replies)

    def create(self, **fields: Any) -> SdkMessage:
        message = self.client.messages.create(**{**ASK, **fields})
        assert isinstance(message, SdkMessage)
        return message


ASK: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Hello, Claude"}],
}


def as_sent(message: Message) -> list[Block]:
    """The content without the ids that the wire fills in."""
    return [{k: v for k, v in block.items() if k != "id"} for block in message.content]


def as_read(message: SdkMessage) -> list[Block]:
    blocks = [block.model_dump(exclude_none=True) for block in message.content]
    return [{k: v for k, v in block.items() if k != "id"} for block in blocks]


@pytest.mark.parametrize("message", REPLIES.values(), ids=REPLIES)
def test_the_sdks_type_takes_every_message_strictly(message: Message) -> None:
    call = Call(id=0, model="claude-opus-5-5", max_tokens=1000)
    (chunk,) = render(complete(Reply(body=message), call, 0), call).chunks
    parsed = SdkMessage.model_validate(json.loads(chunk.data))
    assert parsed.stop_reason == message.stop_reason and len(parsed.content) == len(message.content)


@pytest.mark.parametrize("message", REPLIES.values(), ids=REPLIES)
def test_the_sdks_type_takes_every_event_strictly(message: Message) -> None:
    call = Call(id=0, model="claude-opus-5-5", max_tokens=1000, stream=True)
    performance = render(complete(Reply(body=message), call, 0), call)
    lines = b"".join(chunk.data for chunk in performance.chunks).decode().splitlines()
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    kinds = [EVENT.validate_python(event).type for event in data if event["type"] != "ping"]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])


@pytest.mark.parametrize("message", REPLIES.values(), ids=REPLIES)
def test_the_client_reads_the_message(message: Message) -> None:
    read = Api(Reply(body=message)).create()
    assert as_read(read) == as_sent(message)
    assert (read.stop_reason, read.model, read.usage.input_tokens) == (message.stop_reason, "claude-opus-5-5", 7)
    assert read._request_id is not None and read._request_id.startswith("req_011")


@pytest.mark.parametrize("message", REPLIES.values(), ids=REPLIES)
def test_the_client_reads_the_same_from_a_stream(message: Message) -> None:
    plain = Api(Reply(body=message)).create()
    with Api(Reply(body=message)).client.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()
    assert as_read(streamed) == as_read(plain)
    assert (streamed.id, streamed.stop_reason, streamed.stop_details) == (
        plain.id,
        plain.stop_reason,
        plain.stop_details,
    )
    assert streamed.usage == plain.usage


def test_a_paced_stream_reads_the_same() -> None:
    with Api(Reply.say("A text of several deltas.", pace=Pace())).client.messages.stream(**ASK) as stream:
        assert list(stream.text_stream) == ["A text of several ", "deltas."]


def test_a_stream_cut_cleanly_passes_for_a_short_message() -> None:
    reply = Reply(body=Message(content=[text_block("A text of several deltas.")]), ending="cut", ending_after=1)
    with Api(reply).client.messages.stream(**ASK) as stream:
        message = stream.get_final_message()
    assert (as_read(message), message.stop_reason) == ([text_block("A text of several ")], None)


def test_an_error_event_is_a_status_error_with_status_200() -> None:
    with (
        pytest.raises(anthropic.APIStatusError) as error,
        Api(Reply(body=Message(content=[text_block("Hi")]), ending="error_event")).client.messages.stream(
            **ASK
        ) as stream,
    ):
        stream.get_final_message()
    assert (type(error.value), error.value.status_code, error.value.type) == (
        anthropic.APIStatusError,
        200,
        "overloaded_error",
    )
    assert error.value.request_id is not None and error.value.request_id.startswith("req_011")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("status", "type", "name"),
    [
        (400, "invalid_request_error", "BadRequestError"),
        (401, "authentication_error", "AuthenticationError"),
        (402, "billing_error", "PaymentRequiredError"),
        (403, "permission_error", "PermissionDeniedError"),
        (404, "not_found_error", "NotFoundError"),
        (408, "timeout_error", "RequestTimeoutError"),
        (409, "conflict_error", "ConflictError"),
        (413, "request_too_large", "ContentTooLargeError"),
        (422, "invalid_request_error", "UnprocessableEntityError"),
        (429, "rate_limit_error", "RateLimitError"),
        (500, "api_error", "InternalServerError"),
        (503, "api_error", "ServiceUnavailableError"),
        (504, "timeout_error", "GatewayTimeoutError"),
        (529, "overloaded_error", "OverloadedError"),
    ],
)
def test_each_status_is_the_sdks_own_error(status: int, type: str, name: str, stream: bool) -> None:
    api = Api(error_reply(status))
    with pytest.raises(anthropic.APIStatusError) as caught:
        api.client.messages.create(**ASK, stream=stream)
    error = caught.value
    assert (error.__class__.__name__, error.status_code, error.type) == (name, status, type)
    assert error.request_id is not None and error.request_id.startswith("req_011")


def test_a_400_of_validation_reaches_the_caller() -> None:
    api = Api()
    with pytest.raises(anthropic.BadRequestError) as error:
        api.create(extra_body={"temperature": 1.0})
    assert error.value.api_message == "temperature: Extra inputs are not permitted"


def test_a_prompt_beyond_the_window_is_refused() -> None:
    api = Api()
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: 20\d{4} tokens > 200000 maximum"):
        api.create(model="claude-haiku-4-5", messages=[{"role": "user", "content": "one two three\n" * 42_500}])


def test_tokens_are_counted() -> None:
    counted = Api().client.messages.count_tokens(
        model="claude-sonnet-4-6", system="You are a scientist", messages=ASK["messages"]
    )
    assert counted == MessageTokensCount(input_tokens=14)


def test_models_are_listed_and_looked_up() -> None:
    client = Api().client
    listed = list(client.models.list(limit=4))
    assert len(listed) == 22 and client.models.retrieve("claude-opus-5-5") == listed[2]
    assert {model.id for model in client.models.list(lifecycle=["deprecated"])} == {
        "claude-mythos-preview",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
    }


def test_secrets_do_not_get_past_the_reader() -> None:
    api = Api(Reply.say("Hi"))
    api.create(extra_headers={"x-api-key": "sk"})
    (request,) = api.requests
    assert (request.version, request.retry) == ("2026-10-21", 0)
    assert {"authorization", "x-api-key"}.isdisjoint(request.headers)


def test_the_tool_runner_falls_back_from_threads() -> None:
    @anthropic.beta_tool
    def look(at: str) -> str:
        """Looks at something.

        Args:
            at: what to look at
        """
        return f"seen: {at}"

    api = Api(Reply.use(tool_use("look", {"at": "x"})), Reply.say("Done."))
    runner = api.client.beta.messages.tool_runner(**ASK, tools=[look])
    assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]
    assert ["thread" in request.body for request in api.requests] == [True, False, False]
    (result,) = api.requests[-1].body["messages"][-1]["content"]
    assert result["content"] == "seen: x"
