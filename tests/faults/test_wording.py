"""Rewording: other words, the same sentences, and no decision touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissonance.faults.wording import change_strings, reword
from dissonance.harness.call import Call, Message, text_block, tool_use

SENTENCES = st.lists(st.sampled_from(["Tin rose.", "Lead fell!", "Did zinc?", "It is 5 %."]), max_size=4)


@given(SENTENCES, st.integers(0, 10_000))
def test_every_sentence_is_kept_as_often_as_it_stood(sentences: list[str], n: int) -> None:
    reworded = reword(" ".join(sentences), n)
    for sentence in set(sentences):
        assert reworded.count(sentence) == sentences.count(sentence)


@given(SENTENCES, st.sets(st.integers(0, 10_000), min_size=2, max_size=2))
def test_no_two_wordings_are_equal(sentences: list[str], numbers: set[int]) -> None:
    text = " ".join(sentences)
    assert len({reword(text, n) for n in numbers}) == 2


def test_ten_thousand_wordings_of_one_text() -> None:
    assert len({reword("Tin rose. Lead fell.", n) for n in range(10_000)}) == 10_000


def test_lines_keep_their_order() -> None:
    assert reword("def f():\n    return 1", 2) == "To say it another way: def f():\n    return 1"


SCHEMA: dict[str, Any] = {
    "$defs": {"Note": {"type": "object", "properties": {"text": {"type": "string"}}}},
    "type": "object",
    "properties": {
        "free": {"type": "string"},
        "enum": {"type": "string", "enum": ["two words"]},
        "date": {"type": "string", "format": "date"},
        "short": {"type": "string", "maxLength": 9},
        "notes": {"type": "array", "items": {"$ref": "#/$defs/Note"}},
    },
}
VALUE = {
    "free": "one",
    "enum": "two words",
    "date": "2024-01-01",
    "short": "no room",
    "notes": [{"text": "one", "unknown": "one"}],
    "unknown": "two words",
    "n": 3,
}
CHANGED = {**VALUE, "free": "ONE", "notes": [{"text": "ONE", "unknown": "one"}], "unknown": "TWO WORDS"}


@pytest.mark.parametrize(
    ("call", "before", "after"),
    [
        (
            Call(id=1, tools=[{"name": "note", "input_schema": SCHEMA}]),
            tool_use("note", VALUE),
            tool_use("note", CHANGED),
        ),
        (
            Call(id=1),
            tool_use("gone", {"a": "word", "b": "two words"}),
            tool_use("gone", {"a": "word", "b": "TWO WORDS"}),
        ),
        (
            Call(id=1, params={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
            text_block('{"free": "one", "enum": "two words"}'),
            text_block('{"free": "ONE", "enum": "two words"}'),
        ),
        (Call(id=1), text_block("[1] is no object"), text_block("([1] is no object)")),
        (Call(id=1), {"type": "thinking", "thinking": "two words"}, {"type": "thinking", "thinking": "two words"}),
    ],
    ids=["tool arguments", "a tool without a schema", "structured output", "text", "anything else"],
)
def test_free_strings_change_and_decisions_stay(call: Call, before: Any, after: Any) -> None:
    changed = change_strings(Message(content=[before]), call, lambda text: f"({text})", str.upper)
    assert changed == Message(content=(after,))
