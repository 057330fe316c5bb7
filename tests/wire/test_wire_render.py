"""Replies as bytes in time: ids, cuts, JSON, streams, endings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dissonance.harness.call import ApiError, Call, Ending, Message, Pace, Reply, Usage, text_block, tool_use
from dissonance.harness.wire.complete import output_limit
from dissonance.harness.wire.render import Chunk, Performance, complete, first_difference, render
from dissonance.harness.wire.table import error_reply

CALL = Call(id=7, model="claude-opus-5-5", max_tokens=1000, agent="judge", tokens=120)
STREAMED = replace(CALL, stream=True)
ORGANISATION = "d1550000-0000-4000-8000-000000000001"
SAID = "The merger closes on 3 May 2027, says the board."


def performed(reply: Reply, call: Call = CALL, seed: int = 0) -> Performance:
    return render(complete(reply, call, seed), call)


def body(performance: Performance) -> bytes:
    return b"".join(chunk.data for chunk in performance.chunks)


def content(reply: Reply) -> Message:
    assert reply.message is not None
    return reply.message


def events(performance: Performance) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of each event; the text of the protocol itself is checked on the way."""
    found = []
    blocks = body(performance).decode().split("\n\n")
    assert blocks.pop() == ""
    for block in blocks:
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    assert all(name == data["type"] for name, data in found)
    return found


def stream(*blocks: Any, ending: Ending = "complete", after: int | None = None, **more: Any) -> list[dict[str, Any]]:
    message = Message(content=blocks, usage=Usage(120, 40), id="msg_1", model="m", **more)
    reply = Reply(body=message, ending=ending, ending_after=after)
    return [data for _, data in events(render(reply, STREAMED))]


# --- what complete() adds


def test_a_message_is_completed_and_cut_nowhere() -> None:
    reply = complete(Reply.use(tool_use("look", {"at": "x"}), text="Let me see."), CALL, seed=3)
    assert reply == Reply(
        headers={"request-id": "req_01124aADC7QJ3piytCa8iQhU", "anthropic-organization-id": ORGANISATION},
        body=Message(
            content=[
                text_block("Let me see."),
                {"type": "tool_use", "id": "toolu_01pfAyOScjMwm9olnZ8uk063", "name": "look", "input": {"at": "x"}},
            ],
            stop_reason="tool_use",
            usage=Usage(input_tokens=120, output_tokens=15),
            id="msg_01sKsBt10aQ2iO0t6OFRIbQh",
            model="claude-opus-5-5",
        ),
    )


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"agent": "writer"},
        {"ordinal": 2},
        {"attempt": 2},
        {"endpoint": "count_tokens"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_ids_differ_with_what_identifies_a_call(other: dict[str, Any]) -> None:
    seed = other.pop("seed", 0)
    reply = Reply.use(tool_use("look", {}), tool_use("look", {}))
    ids = {
        id for one in (complete(reply, CALL, 0), complete(reply, replace(CALL, **other), seed)) for id in all_ids(one)
    }
    assert len(ids) == 8


def all_ids(reply: Reply) -> list[str]:
    message = content(reply)
    return [reply.headers["request-id"], message.id or "", *(block["id"] for block in message.content)]


def test_ids_are_the_same_for_the_same_call() -> None:
    reply = Reply.use(tool_use("look", {}))
    assert complete(reply, CALL, 5) == complete(reply, replace(CALL, id=99, sent_at=5.0), 5)


def test_what_is_given_stays() -> None:
    message = Message(
        content=[tool_use("look", {}, id="t1"), text_block(SAID)], usage=Usage(1, 2), id="msg_x", model="other"
    )
    reply = complete(Reply(body=message, headers={"request-id": "req_x"}), replace(CALL, max_tokens=1), 0)
    assert reply.body == message
    assert reply.headers == {"request-id": "req_x", "anthropic-organization-id": ORGANISATION}


def test_completing_twice_changes_nothing() -> None:
    once = complete(Reply.say(SAID), CALL, 0)
    assert complete(once, CALL, 0) == once


def test_a_failed_connection_is_not_completed() -> None:
    reply = Reply(status=None, failure="reset")
    assert complete(reply, CALL, 0) is reply


# --- where a message ends


def test_a_text_beyond_max_tokens_is_cut() -> None:
    message = content(complete(Reply.say(SAID * 20), replace(CALL, max_tokens=10), 0))
    assert (message.content, message.stop_reason) == ([text_block("The merger closes on 3")], "max_tokens")
    assert message.usage == Usage(120, 10)


def test_a_tool_call_beyond_max_tokens_is_left_incomplete() -> None:
    reply = Reply.use(tool_use("look", {"at": "x", "why": "because " * 90}), tool_use("look", {}), text="Hm.")
    message = content(complete(reply, replace(CALL, max_tokens=20), 0))
    assert [(block["type"], block.get("input")) for block in message.content] == [
        ("text", None),
        ("tool_use", {"at": "x"}),
    ]
    assert message.stop_reason == "max_tokens"


def test_a_tool_call_cut_at_once_has_no_input() -> None:
    reply = Reply.use(tool_use("look", {"at": "the board"}), text="Hm.")
    message = content(complete(reply, replace(CALL, max_tokens=5), 0))
    assert [(block["type"], block.get("input")) for block in message.content] == [("text", None), ("tool_use", {})]


def test_what_does_not_fit_at_all_is_left_out() -> None:
    reply = Reply(body=Message(content=[text_block("Hm."), {"type": "redacted_thinking", "data": "x" * 99}]))
    message = content(complete(reply, replace(CALL, max_tokens=4), 0))
    assert (message.content, message.stop_reason) == ([text_block("Hm.")], "max_tokens")


def test_no_output_is_allowed() -> None:
    message = content(complete(Reply.say(SAID), replace(CALL, max_tokens=0), 0))
    assert (list(message.content), message.stop_reason, message.usage) == ([], "max_tokens", Usage(120, 0))


def test_an_empty_answer_is_billed() -> None:
    assert content(complete(Reply(body=Message(content=())), CALL, 0)).usage == Usage(120, 2)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (199_000, (1000, "max_tokens")),
        (199_001, (999, "model_context_window_exceeded")),
        (200_000, (0, "model_context_window_exceeded")),
    ],
)
def test_the_window_bounds_the_answer(tokens: int, expected: tuple[int, str]) -> None:
    assert output_limit(replace(CALL, model="claude-haiku-4-5", tokens=tokens)) == expected


def test_an_answer_ends_where_the_window_does() -> None:
    call = replace(CALL, model="claude-haiku-4-5", tokens=199_995)
    message = content(complete(Reply.say(SAID), call, 0))
    assert (message.content, message.stop_reason) == (
        [text_block("The merger closes on")],
        "model_context_window_exceeded",
    )


def test_the_first_stop_sequence_ends_the_message() -> None:
    call = replace(CALL, params={"stop_sequences": ["board", "2027"]})
    message = content(complete(Reply.use(tool_use("look", {}), text=SAID), call, 0))
    assert (message.content, message.stop_reason, message.stop_sequence) == (
        [text_block("The merger closes on 3 May ")],
        "stop_sequence",
        "2027",
    )


@pytest.mark.parametrize("sequence", ["look", "June"], ids=["only in a tool call", "nowhere"])
def test_a_stop_sequence_that_no_text_holds_changes_nothing(sequence: str) -> None:
    reply = Reply.use(tool_use("look", {"look": "look"}, "t1"), tool_use("look", {}, "t2"))
    message = content(complete(reply, replace(CALL, params={"stop_sequences": [sequence]}), 0))
    assert (message.content, message.stop_reason) == (content(reply).content, "tool_use")


def test_a_stop_sequence_at_the_start_leaves_nothing() -> None:
    message = content(complete(Reply.say(SAID), replace(CALL, params={"stop_sequences": ["The"]}), 0))
    assert (list(message.content), message.stop_reason) == ([], "stop_sequence")


# --- not streamed


def test_a_message_is_one_chunk_that_comes_when_it_is_written() -> None:
    reply = complete(Reply.say("Fine.", pace=Pace(first_byte=2.0, tokens_per_second=10)), CALL, 0)
    message = content(reply)
    assert render(reply, CALL) == Performance(
        status=200,
        failure=None,
        headers=(("content-type", "application/json"), *reply.headers.items()),
        first_byte=2.3,
        chunks=(
            Chunk(
                0.0,
                (
                    f'{{"id":"{message.id}","type":"message","role":"assistant","model":"claude-opus-5-5",'
                    '"content":[{"type":"text","text":"Fine."}],"stop_reason":"end_turn","stop_sequence":null,'
                    '"usage":{"input_tokens":120,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
                    '"output_tokens":3,"service_tier":"standard"}}'
                ).encode(),
            ),
        ),
        ending="complete",
    )


@pytest.mark.parametrize("call", [CALL, STREAMED], ids=["plain", "streamed"])
def test_an_error_is_json_with_its_request_id(call: Call) -> None:
    reply = complete(error_reply(400, message="no", details={"error_code": "x"}), call, 0)
    performance = render(reply, call)
    assert (performance.status, performance.headers[0]) == (400, ("content-type", "application/json"))
    assert json.loads(body(performance)) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "no", "details": {"error_code": "x"}},
        "request_id": reply.headers["request-id"],
    }


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        pytest.param(Reply(body={"input_tokens": 5}), b'{"input_tokens":5}', id="JSON"),
        pytest.param(Reply(body=b"<html>"), b"<html>", id="raw"),
        pytest.param(Reply(body=None), b"", id="nothing"),
    ],
)
def test_other_bodies_are_sent_as_they_are(reply: Reply, data: bytes) -> None:
    assert body(performed(reply)) == data


def test_a_refusal_has_its_details() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    message = Message(content=(), stop_reason="refusal", stop_details=details)
    assert json.loads(body(performed(Reply(body=message))))["stop_details"] == details


@pytest.mark.parametrize("ending", ["cut", "reset", "stall"])
def test_a_body_that_ends_early_has_half_of_its_bytes(ending: Ending) -> None:
    whole, part = (performed(Reply(body={"input_tokens": 5}, ending=end)) for end in ("complete", ending))
    assert (body(part), part.ending) == (body(whole)[: len(body(whole)) // 2], ending)


def test_a_plain_body_knows_no_error_event() -> None:
    assert performed(replace(Reply.say("Hi"), ending="error_event")) == performed(Reply.say("Hi"))


def test_a_failure_has_no_bytes() -> None:
    reply = Reply(status=None, failure="read_timeout", seconds=600.0)
    assert performed(reply) == Performance(None, "read_timeout", (), 600.0, (), "complete")


def test_headers_of_the_reply_win() -> None:
    headers = dict(performed(Reply(body=b"<html>", headers={"content-type": "text/html", "retry-after": "3"})).headers)
    assert (headers["content-type"], headers["retry-after"]) == ("text/html", "3")


# --- streamed

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 120,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def block_start(index: int, block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **value: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **value}}


def block_stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(stop_reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason, "stop_sequence": None, **more},
        "usage": {
            "input_tokens": 120,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 40,
        },
    }


def test_a_text_is_streamed() -> None:
    assert stream(text_block(SAID)) == [
        START,
        block_start(0, {"type": "text", "text": ""}),
        PING,
        delta(0, "text_delta", text="The merger closes "),
        delta(0, "text_delta", text="on 3 May 2027, says "),
        delta(0, "text_delta", text="the board."),
        block_stop(0),
        end(),
        STOP,
    ]


def test_tool_calls_are_streamed() -> None:
    blocks = [text_block("Hm."), tool_use("look", {"at": "the board's own page"}, "t1"), tool_use("go", {}, "t2")]
    assert stream(*blocks, stop_reason="tool_use") == [
        START,
        block_start(0, {"type": "text", "text": ""}),
        PING,
        delta(0, "text_delta", text="Hm."),
        block_stop(0),
        block_start(1, {"type": "tool_use", "id": "t1", "name": "look", "input": {}}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"at":"the board\'s '),
        delta(1, "input_json_delta", partial_json='own page"}'),
        block_stop(1),
        block_start(2, {"type": "tool_use", "id": "t2", "name": "go", "input": {}}),
        delta(2, "input_json_delta", partial_json=""),
        block_stop(2),
        end("tool_use"),
        STOP,
    ]


def test_thinking_is_streamed_with_its_signature_last() -> None:
    assert stream({"type": "thinking", "thinking": "Is it so?", "signature": "c2ln"}) == [
        START,
        block_start(0, {"type": "thinking", "thinking": "", "signature": ""}),
        PING,
        delta(0, "thinking_delta", thinking="Is it so?"),
        delta(0, "signature_delta", signature="c2ln"),
        block_stop(0),
        end(),
        STOP,
    ]


def test_omitted_thinking_has_a_signature_only() -> None:
    assert stream({"type": "thinking", "thinking": "", "signature": "c2ln"})[1:5] == [
        block_start(0, {"type": "thinking", "thinking": "", "signature": ""}),
        PING,
        delta(0, "signature_delta", signature="c2ln"),
        block_stop(0),
    ]


def test_server_tools_are_streamed_with_their_results_whole() -> None:
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    citation = {"type": "web_search_result_location", "url": "u"}
    assert stream(use, result, {"type": "text", "text": "So.", "citations": [citation]})[1:-2] == [
        block_start(0, {**use, "input": {}}),
        PING,
        delta(0, "input_json_delta", partial_json=""),
        delta(0, "input_json_delta", partial_json='{"query":"x"}'),
        block_stop(0),
        block_start(1, result),
        block_stop(1),
        block_start(2, {"type": "text", "text": "", "citations": []}),
        delta(2, "text_delta", text="So."),
        delta(2, "citations_delta", citation=citation),
        block_stop(2),
    ]


def test_an_empty_message_is_streamed() -> None:
    details = {"type": "refusal", "category": None, "explanation": None}
    assert stream(stop_reason="refusal", stop_details=details) == [START, end("refusal", stop_details=details), STOP]


def test_a_broken_input_is_streamed_as_it_stands() -> None:
    assert stream({**tool_use("look", {}, "t1"), "input": '{"a": "b'})[4] == delta(
        0, "input_json_delta", partial_json='{"a": "b'
    )


@pytest.mark.parametrize(
    ("after", "kept"),
    [(0, 3), (1, 4), (2, 5), (None, 4), (3, 7), (99, 7)],
    ids=["at once", "one delta", "two deltas", "half of them", "all deltas", "more than there are"],
)
@pytest.mark.parametrize("ending", ["cut", "reset", "stall"])
def test_a_stream_ends_early_after_so_many_deltas(ending: Ending, after: int | None, kept: int) -> None:
    assert stream(text_block(SAID), ending=ending, after=after) == stream(text_block(SAID))[:kept]


def test_a_stream_breaks_off_with_an_error_event() -> None:
    error = ApiError("api_error", "Internal server error", {"error_code": "x"})
    reply = replace(complete(Reply.say(SAID), STREAMED, 0), ending="error_event", ending_after=1, event_error=error)
    performance = render(reply, STREAMED)
    assert performance.ending == "error_event"
    assert events(performance)[4:] == [
        (
            "error",
            {
                "type": "error",
                "error": {"type": "api_error", "message": "Internal server error", "details": {"error_code": "x"}},
            },
        )
    ]


def test_an_error_event_is_an_overload_unless_said_otherwise() -> None:
    assert stream(text_block("Hi"), ending="error_event")[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }


def test_a_stream_is_paced_so_that_its_end_comes_when_a_plain_reply_would() -> None:
    reply = complete(Reply.say(SAID, pace=Pace(1.0, 10)), CALL, 0)
    plain, streamed = render(reply, CALL), render(reply, STREAMED)
    assert streamed.first_byte == 1.0
    assert content(reply).usage == Usage(120, 22)
    assert [chunk.after for chunk in streamed.chunks] == [0.0, 2.2 / 3, 2.2 / 3, 2.2 / 3]
    assert streamed.seconds == pytest.approx(plain.first_byte)


def test_a_stream_without_a_pace_is_one_chunk() -> None:
    performance = performed(Reply.say(SAID), STREAMED)
    assert [chunk.after for chunk in performance.chunks] == [0.0]
    assert performance.headers[0] == ("content-type", "text/event-stream; charset=utf-8")


# --- differences

PACED = Reply.say(SAID, pace=Pace(1.0, 10))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(PACED, None, id="same"),
        pytest.param(replace(PACED, seconds=1.1), -1, id="first byte"),
        pytest.param(replace(PACED, status=201), -1, id="status"),
        pytest.param(replace(PACED, headers={"x": "y"}), -1, id="headers"),
        pytest.param(Reply(status=None, failure="reset", seconds=1.0), -1, id="failure"),
        pytest.param(replace(PACED, tokens_per_second=9), 1, id="pace"),
        pytest.param(replace(PACED, ending="cut", ending_after=2), 3, id="cut before the last chunk"),
        pytest.param(replace(PACED, ending="cut", ending_after=9), 3, id="cut within the last chunk"),
    ],
)
def test_the_first_difference(other: Reply, expected: int | None) -> None:
    assert first_difference(performed(PACED, STREAMED), performed(other, STREAMED)) == expected


def test_only_the_ending_differs() -> None:
    one, other = (performed(replace(PACED, ending=end, ending_after=1), STREAMED) for end in ("cut", "reset"))
    assert first_difference(one, other) == 2
