"""The family ``transport``: what is answered, and what becomes of a reply."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from dissonance.faults import (
    CutStream,
    Disconnect,
    EmptyContent,
    Fault,
    HttpError,
    MalformedBody,
    Refusal,
    StreamError,
    TruncatedToolJson,
    fault_types,
)
from dissonance.harness.call import ApiError, Call, Ending, Failure, Message, Pace, Reply, Usage, tool_use
from dissonance.harness.history import History

PAST = History()
CALL = Call(id=3, agent="writer")
STREAMED = replace(CALL, stream=True)
SAID = Reply.say("Done.", pace=Pace())
ASKED = Reply.use(tool_use("look", {"at": "here"}), tool_use("search", {"query": "prices of tin", "n": 3}), text="So.")
ERROR = Reply(status=500, body=ApiError("api_error", "Internal server error"))
FAILED = Reply(status=None, failure="reset")


@pytest.mark.parametrize(
    ("fault", "type", "message"),
    [
        (HttpError(status=500), "api_error", "Internal server error"),
        (HttpError(status=404, message="model: nobody"), "not_found_error", "model: nobody"),
        (HttpError(status=418, type="teapot_error", message="Short and stout"), "teapot_error", "Short and stout"),
    ],
    ids=repr,
)
def test_an_http_error(fault: HttpError, type: str, message: str) -> None:
    assert fault.on_request(CALL, PAST, "r1") == Reply(status=fault.status, body=ApiError(type, message))


@pytest.mark.parametrize("how", ["connect", "connect_timeout", "reset", "read_timeout"])
def test_a_disconnect(how: Failure) -> None:
    assert Disconnect(how=how).on_request(CALL, PAST, "r1") == Reply(status=None, failure=how)


@pytest.mark.parametrize("call", [CALL, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize(("cleanly", "ending"), [(True, "cut"), (False, "reset")])
def test_a_cut(call: Call, cleanly: bool, ending: Ending) -> None:
    cut = CutStream(after=3, cleanly=cleanly).on_reply(call, SAID, PAST, "r1")
    assert cut == replace(SAID, ending=ending, ending_after=3)


def test_an_error_event() -> None:
    fault = StreamError(type="api_error", message="Internal server error", after=1)
    assert fault.on_reply(STREAMED, SAID, PAST, "r1") == replace(
        SAID, ending="error_event", ending_after=1, event_error=ApiError("api_error", "Internal server error")
    )


def test_a_call_that_is_not_streamed_knows_no_error_event() -> None:
    assert StreamError().on_reply(CALL, SAID, PAST, "r1") is None


@pytest.mark.parametrize(
    ("call", "shape", "media", "body"),
    [
        (CALL, "json", "application/json", b'{"type":"message","id":"msg_'),
        (
            STREAMED,
            "json",
            "text/event-stream; charset=utf-8",
            b'event: message_start\ndata: {"type":"message","id":"msg_\n\n',
        ),
        (CALL, "empty", "application/json", b""),
        (STREAMED, "empty", "text/event-stream; charset=utf-8", b""),
        (CALL, "html", "text/html; charset=utf-8", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
        (STREAMED, "html", "text/html; charset=utf-8", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    ],
    ids=["json", "json stream", "empty", "empty stream", "html", "html stream"],
)
def test_a_malformed_body(call: Call, shape: str, media: str, body: bytes) -> None:
    fault = MalformedBody.model_validate({"shape": shape})
    assert fault.on_reply(call, SAID, PAST, "r1") == Reply(headers={"content-type": media}, body=body, seconds=1.8)


def test_empty_content_costs_what_it_says() -> None:
    """The usage of the reply that was replaced is not kept: the wire counts it anew."""
    counted = SAID.with_message(Message(content=(), usage=Usage(input_tokens=7, output_tokens=50)))
    assert EmptyContent().on_reply(CALL, counted, PAST, "r1") == replace(SAID, body=Message(content=()))


def test_a_refusal() -> None:
    refused = Refusal(category="cyber", explanation="No.").on_reply(CALL, SAID, PAST, "r1")
    assert refused is not None and refused.message == Message(
        content=(),
        stop_reason="refusal",
        stop_details={"type": "refusal", "category": "cyber", "explanation": "No."},
    )


@pytest.mark.parametrize(
    ("call", "keep", "input"),
    [
        (STREAMED, 0.5, '{"query":"price'),
        (STREAMED, 0, ""),
        (STREAMED, 0.99, '{"query":"prices of tin","n":3'),
        (CALL, 0.5, {}),
        (CALL, 0, {}),
        (CALL, 0.9, {"query": "prices of tin"}),
    ],
    ids=["stream, half", "stream, nothing", "stream, nearly all", "half", "nothing", "nearly all"],
)
def test_tool_arguments_break_off(call: Call, keep: float, input: object) -> None:
    """Of the last tool call alone; what can be read of it, where the reply is one JSON body."""
    truncated = TruncatedToolJson(keep=keep).on_reply(call, ASKED, PAST, "r1")
    assert truncated is not None and truncated.message is not None and ASKED.message is not None
    before = ASKED.message.content
    assert truncated.message == Message(content=(*before[:2], {**before[2], "input": input}), stop_reason="max_tokens")


def test_even_empty_tool_arguments_can_break_off() -> None:
    asked = Reply.use(tool_use("look", {}))
    truncated = TruncatedToolJson(keep=0.99, stop_reason="tool_use").on_reply(STREAMED, asked, PAST, "r1")
    assert truncated is not None and truncated.message is not None
    assert truncated.message.content == ({**tool_use("look", {}), "input": "{"},)


def test_a_reply_without_a_tool_call_has_no_tool_arguments() -> None:
    assert TruncatedToolJson().on_reply(CALL, SAID, PAST, "r1") is None


@pytest.mark.parametrize("reply", [ERROR, FAILED], ids=["an error", "a failure"])
@pytest.mark.parametrize(
    "fault",
    [CutStream(), StreamError(), MalformedBody(), EmptyContent(), TruncatedToolJson(), Refusal()],
    ids=repr,
)
def test_only_a_message_can_be_damaged(fault: Fault, reply: Reply) -> None:
    assert fault.on_reply(STREAMED, reply, PAST, "r1") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "HttpError", "status": 399},
        {"kind": "HttpError", "status": 600},
        {"kind": "HttpError", "status": 500.0},
        {"kind": "HttpError", "status": 500, "type": ""},
        {"kind": "Disconnect", "how": "politely"},
        {"kind": "CutStream", "after": -1},
        {"kind": "MalformedBody", "shape": "xml"},
        {"kind": "TruncatedToolJson", "keep": 1},
        {"kind": "Refusal", "category": "taste"},
    ],
    ids=str,
)
def test_values_out_of_range(wrong: dict[str, object]) -> None:
    fields = {name: value for name, value in wrong.items() if name != "kind"}
    with pytest.raises(ValidationError):
        fault_types()[str(wrong["kind"])].model_validate(fields)
