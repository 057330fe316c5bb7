"""Estimates of tokens, and the meter's cache."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissonance.harness.history import Bodies, canonical, content_hash
from dissonance.harness.secrets import Hidden
from dissonance.harness.wire import estimate, tokens
from dissonance.harness.wire.estimate import corrected, count_block, count_text, cut_text
from dissonance.harness.wire.memo import Memo
from dissonance.harness.wire.ranks import encode
from dissonance.harness.wire.request import Request
from dissonance.harness.wire.tokens import Measured, Meter

OLD, NEW = "claude-opus-4-6", "claude-opus-4-7"


def request(**fields: Any) -> Request:
    return Request("messages", {"model": OLD, "max_tokens": 9, "messages": [], **fields}, {}, 0, "2026-10-21")


def measure(**fields: Any) -> Measured:
    return Meter().measure(request(**fields), Bodies())


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were really tokenised, in order; nothing is known before."""
    texts: list[str] = []

    def record(text: str) -> list[int]:
        texts.append(text)
        return encode(text)

    monkeypatch.setattr(estimate, "encode", record)
    monkeypatch.setattr(estimate, "_counts", Memo(cap=32_000_000))
    monkeypatch.setattr(tokens, "_written", Memo(cap=8_000_000))
    return texts


# --- estimates


@pytest.mark.parametrize(("model", "expected"), [(OLD, 10), (NEW, 12)], ids=["old tokenizer", "new tokenizer"])
def test_each_tokenizer_has_its_correction(model: str, expected: int) -> None:
    assert len(encode("The quick brown fox jumps over the dog")) == 8
    assert count_text("The quick brown fox jumps over the dog", model) == expected


def test_the_docs_example_comes_out() -> None:
    system, messages = "You are a scientist", [{"role": "user", "content": "Hello, Claude"}]
    assert measure(system=system, messages=messages).tokens == 14


def test_tools_add_their_json_and_the_models_overhead() -> None:
    tool = {"name": "look", "input_schema": {"type": "object"}}
    own = corrected(len(encode(json.dumps(tool, separators=(",", ":")))), OLD)
    assert measure(tools=[tool]).tokens == own + 497
    assert measure(tools=[tool], tool_choice={"type": "any"}).tokens == own + 589


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param({"type": "text", "text": "one two"}, 2, id="text"),
        pytest.param({"type": "tool_use", "id": "t", "name": "look", "input": {}}, 2, id="tool call"),
        pytest.param({"type": "tool_result", "tool_use_id": "t", "content": "one two"}, 2, id="result"),
        pytest.param(
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "one two"}]},
            2,
            id="blocks",
        ),
        pytest.param({"type": "tool_result", "tool_use_id": "t"}, 0, id="empty result"),
        pytest.param({"type": "thinking", "thinking": "one two", "signature": "x" * 500}, 2, id="thinking"),
        pytest.param({"type": "image", "source": {"type": "base64", "data": "A" * 9999}}, 1100, id="image"),
        pytest.param({"type": "document", "source": {"type": "base64", "data": "A" * 150_000}}, 3000, id="PDF"),
        pytest.param({"type": "document", "source": {"type": "text", "data": "one two"}}, 2, id="text document"),
        pytest.param({"type": "document"}, 5, id="malformed document"),
        pytest.param({"type": "other"}, 5, id="any other"),
        pytest.param("text", 2, id="no block at all"),
    ],
)
def test_blocks(block: Any, expected: int) -> None:
    assert count_block(block) == expected


@given(st.lists(st.sampled_from(["word ", "x\n", "\n", "  ", "\r\n", "\t", "é", "12345", "a-b.", "\x1c"]), max_size=60))
def test_the_pieces_of_a_long_text_add_up_exactly(parts: list[str]) -> None:
    text = "".join(part * 3 for part in parts) * 60
    pieces = list(estimate._pieces(text))
    assert "".join(pieces) == text
    assert sum(len(encode(piece)) for piece in pieces) == len(encode(text))


@given(st.lists(st.sampled_from(["word", "x. ", "!? A", ":", "; ", " ", "\n", "'s", "é", "12", "a-b.", "B", '."'])))
def test_the_sentences_of_a_text_add_up_exactly(parts: list[str]) -> None:
    text = "".join(parts)
    sentences = estimate._sentences(text)
    assert "".join(sentences) == text
    assert sum(len(encode(sentence)) for sentence in sentences) == len(encode(text))


@pytest.mark.parametrize("limit", [0, 1, 7, 50])
def test_a_cut_text_fits(limit: int) -> None:
    text = "The merger closes on 3 May 2027, says the board. " * 5
    cut = cut_text(text, limit, NEW)
    assert text.startswith(cut) and limit - 2 < count_text(cut, NEW) <= limit


def test_a_text_that_fits_is_not_cut() -> None:
    assert cut_text("short", 100, OLD) == "short"


# --- hashes and bodies


def test_each_part_is_kept_once_under_the_hash_that_bodies_gives_it() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": 'a "quoted"\nline é'}]},
        {"role": "user", "content": [{"text": "b", "type": "text"}, {"type": "image", "source": {"data": "A"}}]},
        {"role": "assistant", "content": [], "clear_at": 1},
        {"role": "user", "content": "Hi"},
    ]
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "be good"}],
        "tools": [{"name": "look"}],
        "tool_choice": {"type": "any"},
        "stop_sequences": ["x"],
    }
    bodies, expected = Bodies(), Bodies()
    measured = Meter().measure(request(messages=messages, **fields), bodies)
    assert measured == Measured(
        system=expected.put(fields["system"]),
        tools=expected.put(fields["tools"]),
        params=expected.put({"tool_choice": {"type": "any"}, "stop_sequences": ["x"]}),
        messages=tuple(expected.put(message) for message in messages),
        tokens=measured.tokens,
    )
    assert dict(bodies.items()) == dict(expected.items())


def test_what_is_not_there_has_no_hash() -> None:
    assert measure() == Measured(system=None, tools=None, messages=(), params=None, tokens=0)


def test_a_growing_message_has_the_hash_of_the_whole() -> None:
    meter, bodies, expected = Meter(), Bodies(), Bodies()
    for size in [*range(1, 6), 30, 29, 12, 31]:
        message = {"role": "user", "content": [{"type": "text", "text": f"block {n}"} for n in range(size)]}
        assert meter.measure(request(messages=[message]), bodies).messages == (expected.put(message),)
    assert dict(bodies.items()) == dict(expected.items())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Hi", [{"type": "text", "text": "Hi"}], id="string and block"),
        pytest.param([], {}, id="list and object"),
        pytest.param(
            [{"type": "tool_use", "input": {"a": 1}}], [{"type": "tool_use", "input": {"a": True}}], id="1, true"
        ),
        pytest.param(
            [{"type": "tool_use", "input": {"a": 1}}], [{"type": "tool_use", "input": {"a": 1.0}}], id="1, 1.0"
        ),
        pytest.param(
            [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": False}],
            [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": 0}],
            id="false, 0",
        ),
        pytest.param(
            [{"type": "tool_result", "tool_use_id": "t", "content": "x"}],
            [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": False}],
            id="is_error",
        ),
        pytest.param(
            [{"type": "text", "text": "x"}], [{"type": "text", "text": "x", "cache_control": {}}], id="cache_control"
        ),
    ],
)
def test_messages_that_look_alike_are_told_apart(one: Any, other: Any) -> None:
    messages = [{"role": "user", "content": one}, {"role": "user", "content": other}]
    first, second = measure(messages=messages).messages
    assert first != second


@pytest.mark.parametrize(
    "histories",
    [
        pytest.param([[1], [True, "x"], [1.0]], id="alike"),
        pytest.param([["a", "b", "c"], ["a", "b"], ["a", "x", "c"], ["a", "b", "c", "d"]], id="cut and branched"),
        pytest.param([["a"], ["b"], ["a", 1], ["b", 2], ["a", 1, "c"], []], id="taking turns"),
    ],
)
def test_a_history_that_is_sent_again_and_changed_has_its_own_hashes(histories: list[list[Any]]) -> None:
    meter, expected = Meter(), Bodies()
    bodies = Bodies()
    for history in histories:
        messages = [{"role": "assistant", "content": [{"type": "tool_use", "input": {"q": q}}]} for q in history]
        measured = meter.measure(request(messages=messages), bodies)
        assert measured.messages == tuple(expected.put(message) for message in messages)
        assert measured == Meter().measure(request(messages=messages), Bodies())
    assert dict(bodies.items()) == dict(expected.items())


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": "Hi"},
        {"messages": [5, None, "x", {"role": [], "content": "x"}, {"role": "user", "content": [{"type": []}, 5]}]},
        {"messages": [{"role": "user", "content": None}, {"role": "user"}]},
        {"model": 5, "system": 5, "tools": 5},
        {"tools": [5], "tool_choice": 5},
    ],
    ids=["no list", "no messages", "no content", "wrong types", "wrong tools"],
)
def test_malformed_bodies_are_measured_all_the_same(fields: dict[str, Any]) -> None:
    bodies = Bodies()
    measured = Meter().measure(request(**fields), bodies)
    messages = fields.get("messages") if isinstance(fields.get("messages"), list) else []
    assert [bodies.get(key) for key in measured.messages] == messages


# --- the cache


def test_a_growing_history_costs_only_its_new_texts(encoded: list[str]) -> None:
    meter, bodies = Meter(), Bodies()
    blocks = [{"type": "text", "text": f"finding {n}"} for n in range(4)]
    messages: list[Any] = [{"role": "user", "content": "start"}]
    meter.measure(request(system="be good", messages=messages), bodies)
    for block in blocks:
        messages = [*messages, {"role": "user", "content": [block]}]
        meter.measure(request(system="be good", messages=json.loads(json.dumps(messages))), bodies)
    assert encoded == ["be good", "start", "finding 0", "finding 1", "finding 2", "finding 3"]


def test_a_growing_message_costs_only_its_new_block(encoded: list[str]) -> None:
    meter, bodies = Meter(), Bodies()
    for size in range(1, 5):
        blocks = [{"type": "text", "text": f"finding {n}"} for n in range(size)]
        meter.measure(request(messages=[{"role": "user", "content": blocks}]), bodies)
    assert encoded == ["finding 0", "finding 1", "finding 2", "finding 3"]


def test_a_growing_text_costs_only_its_new_lines(encoded: list[str]) -> None:
    meter, bodies = Meter(), Bodies()
    lines = [f"line {n} " + "word " * 300 + "\n" for n in range(12)]
    for size in (10, 11, 12):
        meter.measure(request(messages=[{"role": "user", "content": "".join(lines[:size])}]), bodies)
    assert encoded == [*lines]


def test_a_sentence_that_is_said_again_is_not_counted_again(encoded: list[str]) -> None:
    count_text("It rose. It fell.", OLD)
    count_text("So it is: It fell. It rose.", OLD)
    assert encoded == ["It rose.", " It fell.", "So it is:", " It rose."]


def test_a_secret_that_stands_in_a_message_of_many_blocks_is_blanked(monkeypatch: pytest.MonkeyPatch) -> None:
    meter, bodies = Meter(), Bodies()
    blocks = [{"type": "text", "text": text} for text in ("the key", "is sk-ant-0123456789", "so it is")]
    meter.measure(request(messages=[{"role": "user", "content": blocks[:2]}]), bodies)
    monkeypatch.setattr(tokens, "hidden", Hidden(["sk-ant-0123456789"]))
    (key,) = meter.measure(request(messages=[{"role": "user", "content": blocks}]), bodies).messages
    assert [block["text"] for block in bodies.get(key)["content"]] == ["the key", "is [secret]", "so it is"]
    assert dict(bodies.items())[key] == canonical(bodies.get(key))
    assert key == content_hash(canonical(bodies.get(key)))


def test_equal_numbers_of_different_types_in_a_growing_message_are_told_apart() -> None:
    meter, bodies = Meter(), Bodies()
    for number in (1, 1.0, True):
        blocks = [
            {"type": "tool_result", "tool_use_id": "a", "content": "x", "n": number},
            {"type": "text", "text": "so"},
            {"type": "text", "text": "it is"},
        ]
        for size in (2, 3):
            (key,) = meter.measure(request(messages=[{"role": "user", "content": blocks[:size]}]), bodies).messages
            assert type(bodies.get(key)["content"][0]["n"]) is type(number)


def test_what_the_model_said_is_known_when_it_comes_back(encoded: list[str]) -> None:
    count_text("the answer", OLD)
    measure(messages=[{"role": "assistant", "content": [{"type": "text", "text": "the answer"}]}])
    assert encoded == ["the answer"]


def test_another_bodies_gets_all_parts_without_counting_again(encoded: list[str]) -> None:
    meter, first, second = Meter(), Bodies(), Bodies()
    asked = request(system="be good", messages=[{"role": "user", "content": "Hi"}], stop_sequences=["x"])
    assert meter.measure(asked, first) == meter.measure(asked, second)
    assert dict(second.items()) == dict(first.items())
    assert encoded == ["be good", "Hi"]


def test_a_full_cache_is_emptied(encoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_counts", Memo(cap=250))
    for text in ("one", "two", "three", "one"):
        count_text(text, OLD)
    assert encoded == ["one", "two", "three", "one"]
    assert set(estimate._counts.data) == {"three", "one"}


@given(st.dictionaries(st.text(max_size=8), st.text(st.characters(exclude_categories=()))))
def test_texts_have_the_same_canonical_json_whoever_writes_it(texts: dict[str, str]) -> None:
    """Half of a surrogate pair, too, which the fast writer refuses."""
    written = json.dumps(texts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(texts) == written.encode("utf-8", "surrogatepass")
