"""A growing conversation is parsed and checked at the cost of its new end, with the same result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissonance.harness.call import Reply
from dissonance.harness.wire import growing, turns
from dissonance.harness.wire.growing import GrowingParser, parse_json
from dissonance.harness.wire.turns import Refused, check_messages


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


TEXTS = st.text(st.sampled_from('a]}[{",:\\"0 é'), max_size=8)
BLOCKS = st.one_of(
    TEXTS,
    st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}), max_size=2),
    st.dictionaries(st.sampled_from(["messages", "model"]), st.lists(st.integers(), max_size=2), max_size=2),
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": BLOCKS}), max_size=6
)
BODIES = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 9)},
    optional={"tools": st.lists(st.dictionaries(st.just("messages"), st.lists(st.integers(), max_size=2)), max_size=1)},
)
ENDS = st.dictionaries(st.sampled_from(["model", "system", "metadata"]), st.one_of(TEXTS, st.lists(TEXTS)), max_size=2)


@pytest.fixture(autouse=True)
def from_the_first_byte_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "_LEAST", 0)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(BODIES, st.lists(st.tuples(MESSAGES, ENDS), min_size=2, max_size=5), st.data())
def test_whatever_grows_is_parsed_as_if_alone(start: Any, rounds: Any, data: st.DataObject) -> None:
    growing._LEAST = 0
    parser = GrowingParser()
    messages: list[Any] = []
    for added, end in rounds:
        messages = messages + added
        body = compact({**start, "messages": messages, **end})
        assert parser.parse(body) == parse_json(body)
        spoilt = body[: data.draw(st.integers(0, len(body)))] + data.draw(st.sampled_from([b"", b"]", b"}", b",0]}"]))
        assert outcome(parser.parse, spoilt) == outcome(parse_json, spoilt)


def outcome(parse: Any, data: bytes) -> Any:
    try:
        return parse(data)
    except ValueError:
        return "refused"


def test_what_was_sent_before_is_the_same_object() -> None:
    parser = GrowingParser()
    said = [{"role": "user", "content": f"message {number}"} for number in range(10)]
    first = parser.parse(compact({"max_tokens": 9, "messages": said[:9], "model": "m"}))
    second = parser.parse(compact({"max_tokens": 9, "messages": said, "model": "m"}))
    assert second == {"max_tokens": 9, "messages": said, "model": "m"}
    assert all(one is other for one, other in zip(first["messages"], second["messages"], strict=False))


def test_a_second_field_of_that_name_wins_as_in_json() -> None:
    parser = GrowingParser()
    parser.parse(b'{"max_tokens":9,"messages":[1,2],"model":"m"}')
    body = b'{"max_tokens":9,"messages":[1,2],"messages":[0]}'
    assert parser.parse(body) == parse_json(body) == {"max_tokens": 9, "messages": [0]}


# --- the check of the conversation ------------------------------------------------------------

TURNS = st.lists(
    st.sampled_from(
        [
            {"role": "user", "content": "Hello."},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "Hm."},
            {"role": "assistant", "content": []},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "x"}]},
            {"role": "system", "content": "Mind."},
        ]
    ),
    max_size=6,
)


def refusal(messages: list[Any]) -> str | Reply | None:
    try:
        check_messages(messages, strict=True)
    except Refused as refused:
        return str(refused)
    return None


@settings(max_examples=500, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=5))
def test_a_conversation_that_goes_on_is_checked_as_if_anew(rounds: list[list[Any]]) -> None:
    messages: list[Any] = [{"role": "user", "content": "Begin."}]
    long = turns._LONG
    for added in rounds:
        messages = messages + added
        try:
            turns._LONG = 0
            going_on = refusal(messages)
        finally:
            turns._LONG = long
        turns._checked.clear()
        anew = refusal(messages)
        assert going_on == anew
        turns._LONG = 0
        refusal(messages)  # keep it for the next round
        turns._LONG = long
    turns._checked.clear()
