"""An agent takes a whole reply for an answer, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic import BaseModel

from dissonance.patterns import Agent, DamagedReply, ToolCall, Usage

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

WRITER = Agent("writer", "Write the notice.")
TOOL: Any = {"name": "search", "description": "", "input_schema": {"type": "object", "properties": {}}}


class Notice(BaseModel):
    date: str
    amount: int


def message(**fields: Any) -> Mapping[str, Any]:
    return {"content": [{"type": "text", "text": "Half a senten"}], "stop_reason": "end_turn"} | fields


def test_request_names_the_role_and_carries_only_what_is_set(wire: Wire) -> None:
    asyncio.run(WRITER.ask(wire({"writer": ["done"]}), "Go"))
    assert wire.requests == [
        {
            "model": "claude-sonnet-5-5",
            "max_tokens": 4096,
            "system": "You are the writer. Write the notice.",
            "messages": [{"role": "user", "content": "Go"}],
        }
    ]


def test_effort_and_schema_stand_in_output_config(wire: Wire) -> None:
    agent = Agent("writer", "Write.", effort="low")
    answer = asyncio.run(agent.ask(wire({"writer": ['{"date": "May 1", "amount": 3}']}), "Go", Notice))
    assert answer.data == Notice(date="May 1", amount=3)
    assert wire.requests[0]["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "title": "Notice",
                "type": "object",
                "properties": {
                    "date": {"title": "Date", "type": "string"},
                    "amount": {"title": "Amount", "type": "integer"},
                },
                "additionalProperties": False,
                "required": ["date", "amount"],
            },
        },
    }


def test_answer_is_complete(wire: Wire) -> None:
    reply = wire.use(("search", {"q": "ACME"}), text="Let me look.")
    answer = asyncio.run(WRITER.ask(wire({"writer": [reply]}), "Go", tools=[TOOL]))
    assert (answer.agent, answer.text, answer.calls, answer.stop_reason, answer.usage) == (
        "writer",
        "Let me look.",
        (ToolCall("toolu_1", "search", {"q": "ACME"}),),
        "tool_use",
        Usage(calls=1, input_tokens=10, output_tokens=2),
    )


@pytest.mark.parametrize(
    ("reply", "schema", "damage", "calls"),
    [
        pytest.param(message(content=[]), None, "empty", 2, id="empty content"),
        pytest.param(message(content=None), None, "empty", 2, id="content null"),
        pytest.param(message(content=[{"type": "text", "text": " \n"}]), None, "empty", 2, id="blank"),
        pytest.param(message(content=[], stop_reason="tool_use"), None, "empty", 2, id="tool_use without a tool"),
        pytest.param(message(stop_reason=None), None, "cut", 2, id="no stop reason"),
        pytest.param(message(stop_reason="refusal"), None, "refused", 1, id="refusal"),
        pytest.param(message(stop_reason="max_tokens"), None, "truncated", 1, id="max_tokens in text"),
        pytest.param(message(stop_reason="max_tokens"), Notice, "truncated", 1, id="max_tokens in structured output"),
        pytest.param(message(stop_reason="model_context_window_exceeded"), None, "truncated", 1, id="window full"),
        pytest.param(message(stop_reason="pause_turn"), None, "unfinished", 1, id="pause_turn"),
        pytest.param(message(stop_reason="new_reason"), None, "unfinished", 1, id="unknown stop reason"),
        pytest.param(message(), Notice, "unparsable", 2, id="no JSON"),
        pytest.param('{"date": "May 1"}', Notice, "unparsable", 2, id="field missing"),
        pytest.param('{"date": "May 1", "amount": "lots"}', Notice, "unparsable", 2, id="wrong type"),
        pytest.param(httpx2.Response(200, html="<h1>Gateway</h1>"), None, "unreadable", 2, id="web page"),
        pytest.param(
            httpx2.Response(200, headers={"content-type": "application/json"}, text='{"id": '),
            None,
            "unreadable",
            2,
            id="broken body",
        ),
    ],
)
def test_damage_raises(wire: Wire, reply: Any, schema: type[Notice] | None, damage: str, calls: int) -> None:
    """Damage that may pass is asked about again, once by default; then, or if it can't pass, it raises."""
    client = wire({"writer": [reply, reply]})
    with pytest.raises(DamagedReply) as caught:
        asyncio.run(WRITER.ask(client, "Go", schema) if schema else WRITER.ask(client, "Go"))
    assert (caught.value.damage, caught.value.usage.calls, len(wire.requests)) == (damage, calls, calls)


@pytest.mark.parametrize(
    ("block", "offered", "damage"),
    [
        pytest.param({"name": "search", "input": '{"q": "AC'}, [TOOL], "unparsable", id="arguments cut short"),
        pytest.param({"name": "search", "input": {}}, [], "unfinished", id="a tool nobody offered"),
    ],
)
def test_damaged_tool_call_raises(wire: Wire, block: Mapping[str, Any], offered: list[Any], damage: str) -> None:
    reply = {"content": [{"type": "tool_use", "id": "toolu_1", **block}], "stop_reason": "tool_use"}
    with pytest.raises(DamagedReply, match=f"the reply to agent 'writer' is {damage}"):
        asyncio.run(WRITER.ask(wire({"writer": [reply, reply]}), "Go", tools=offered))


def test_tool_call_in_a_turn_that_was_cut_is_not_taken(wire: Wire) -> None:
    reply = {**wire.use(("search", {"q": "A"})), "stop_reason": "max_tokens"}
    with pytest.raises(DamagedReply, match="truncated"):
        asyncio.run(WRITER.ask(wire({"writer": [reply]}), "Go", tools=[TOOL]))


def test_tool_call_in_a_turn_that_says_it_is_over_is_not_taken(wire: Wire) -> None:
    reply = {**wire.use(("search", {"q": "A"}), text="Done."), "stop_reason": "end_turn"}
    with pytest.raises(DamagedReply, match="it stopped with 'end_turn' and holds 1 tool calls"):
        asyncio.run(WRITER.ask(wire({"writer": [reply]}), "Go", tools=[TOOL]))


def test_damage_keeps_what_arrived(wire: Wire) -> None:
    with pytest.raises(DamagedReply) as caught:
        asyncio.run(WRITER.ask(wire({"writer": [wire.say("Half a senten", "max_tokens")]}), "Go"))
    assert caught.value.partial == "Half a senten"


def test_second_try_is_an_answer_and_its_usage_counts_both(wire: Wire) -> None:
    answer = asyncio.run(WRITER.ask(wire({"writer": [wire.say(""), "whole"]}), "Go"))
    assert (answer.text, answer.usage) == ("whole", Usage(calls=2, input_tokens=20, output_tokens=4))


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
}
TEXT = (
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "whole"}},
)
END = (
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)


def test_streamed_answer(wire: Wire) -> None:
    agent = Agent("writer", "Write.", stream=True)
    answer = asyncio.run(agent.ask(wire({"writer": [wire.stream(START, *TEXT, *END)]}), "Go"))
    assert (answer.text, answer.usage) == ("whole", Usage(calls=1, input_tokens=10, output_tokens=5))


@pytest.mark.parametrize(
    ("events", "damage", "partial"),
    [
        pytest.param((START, *TEXT), "cut", "whole", id="clean cut"),
        pytest.param((), "unreadable", "", id="empty"),
    ],
)
def test_stream_that_breaks_off_raises(wire: Wire, events: Any, damage: str, partial: str) -> None:
    agent = Agent("writer", "Write.", stream=True, tries=1)
    with pytest.raises(DamagedReply) as caught:
        asyncio.run(agent.ask(wire({"writer": [wire.stream(*events)]}), "Go"))
    assert (caught.value.damage, caught.value.partial) == (damage, partial)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "the judge"}, "name='the judge': an agent's name has 1 to 48 letters, digits, '_' or '-'"),
        ({"max_tokens": 0}, "max_tokens=0: give 1 or more"),
        ({"tries": 0}, "tries=0: give 1 or more"),
    ],
    ids=["name", "max_tokens", "tries"],
)
def test_bad_agent_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Agent(**{"name": "judge", "instructions": "Judge."} | wrong)
    assert str(caught.value) == message


def test_turn_goes_back_as_it_came(wire: Wire) -> None:
    """The API refuses a changed thinking block, so a conversation must resend replies unchanged."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}}
    client = wire({"writer": [{"content": [thinking, call], "stop_reason": "tool_use"}, "done"]})

    async def twice() -> None:
        answer = await WRITER.ask(client, "Go", tools=[TOOL])
        await WRITER.ask(client, [{"role": "user", "content": "Go"}, answer.turn])

    asyncio.run(twice())
    assert json.loads(json.dumps(wire.requests[1]["messages"][1])) == {"role": "assistant", "content": [thinking, call]}
