"""Which decisions a call offers, and how either branch of one is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dissonance.harness.asked import asked_schema
from dissonance.harness.call import Call, text_of
from dissonance.harness.choices import choices, decide, handoffs, user_turn
from dissonance.harness.words import listed, offered, side_of


def call(system: str = "", said: str = "Look at this.", **more: Any) -> Call:
    messages = [{"role": "user", "content": said}]
    return Call(**{"id": 0, "agent": "judge", "system": system, "messages": messages, **more})


def structured(**properties: Any) -> Call:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return call(params={"output_config": {"format": {"type": "json_schema", "schema": schema}}})


def tools(*names: str, **properties: Any) -> list[dict[str, Any]]:
    return [{"name": name, "input_schema": {"type": "object", "properties": properties}} for name in names]


def said(call: Call, accept: bool, *strings: str) -> Any:
    """What the branch says: the tools it asks for, else JSON, else text."""
    message = decide(call, accept=accept, strings=strings)
    if message is None:
        return None
    if message.stop_reason == "tool_use":
        return [(block["name"], block["input"]) for block in message.content]
    text = text_of(message.content)
    return json.loads(text) if text.startswith("{") else text


ASK = "Please revise this: it needs more work."
TEXT = {"type": "string"}
BRANCHES = {
    "two words": (call("Reply with 'APPROVE' or 'REVISE'."), "APPROVE", "REVISE"),
    "one word": (call("Respond with 'APPROVE' when it is good."), "APPROVE", ASK),
    "a word with a tail": (
        call("Say 'ACCEPT' or 'REJECT: <reason>'."),
        "ACCEPT",
        f"REJECT: {ASK}",
    ),
    "a word at the end": (call("Write. End your reply with TERMINATE."), "TERMINATE", ASK),
    "workers and a word": (call("Choose the next one: writer, coder or FINISH."), "FINISH", "writer"),
    "the user's words": (call(said="A text. Answer YES or NO."), "YES", "NO"),
    "a boolean": (
        structured(approved={"type": "boolean"}, feedback=TEXT),
        {"approved": True, "feedback": "Nothing to add."},
        {"approved": False, "feedback": ASK},
    ),
    "a boolean that rejects": (
        structured(needs_revision={"type": "boolean"}),
        {"needs_revision": False},
        {"needs_revision": True},
    ),
    "an enum": (structured(verdict={"enum": ["reject", "accept"]}), {"verdict": "accept"}, {"verdict": "reject"}),
    "a score": (
        structured(score={"type": "integer", "minimum": 1, "maximum": 5}),
        {"score": 5},
        {"score": 1},
    ),
    "a pair of tools": (
        call(tools=tools("approve_draft", "reject_draft", reason=TEXT)),
        [("approve_draft", {"reason": "Nothing to add."})],
        [("reject_draft", {"reason": ASK})],
    ),
    "a tool that decides": (
        call(tools=tools("route", next={"enum": ["writer", "FINISH"]})),
        [("route", {"next": "FINISH"})],
        [("route", {"next": "writer"})],
    ),
    "JSON in the prompt": (
        call('Reply with JSON: {"ok": true|false, "reason": "..."}'),
        {"ok": True, "reason": "Nothing to add."},
        {"ok": False, "reason": ASK},
    ),
}


@pytest.mark.parametrize(("asked", "accepted", "rejected"), BRANCHES.values(), ids=BRANCHES)
def test_each_branch_can_be_taken(asked: Call, accepted: object, rejected: object) -> None:
    assert (said(asked, True), said(asked, False)) == (accepted, rejected)


def test_a_rejection_says_what_it_is_given() -> None:
    asked = structured(approved={"type": "boolean"}, feedback=TEXT)
    assert said(asked, False, "Add the date.") == {"approved": False, "feedback": "Add the date."}


@pytest.mark.parametrize(
    "asked",
    [
        call("You are the writer. Write well.", "ACME sold 4 units."),
        call("You are the critic.", "REJECT: add that ACME sold 4 units."),
        structured(route={"enum": ["billing", "technical"]}),
        call(tools=tools("search", query=TEXT)),
    ],
    ids=["free text", "another's verdict", "a router", "a tool"],
)
def test_a_call_without_a_decision_is_left_alone(asked: Call) -> None:
    assert decide(asked, accept=False) is None


VERDICTS = {
    "approve or revise": (call("Reply with 'APPROVE' or 'REVISE'."), True),
    "approved: boolean": (structured(approved={"type": "boolean"}), True),
    "a score": (structured(score={"type": "number"}), True),
    "done: boolean": (structured(done={"type": "boolean"}), False),
    "finish or continue": (structured(action={"enum": ["continue", "finish"]}), False),
    "a lone word": (call("Say 'APPROVE' when it is good."), False),
    "I agree": (call('Reply with "I agree" or "I disagree".'), False),
    "workers": (call("Choose the next one: writer, coder or FINISH."), False),
}


@pytest.mark.parametrize(("asked", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_what_is_a_verdict_on_something_given(asked: Call, verdict: bool) -> None:
    assert next(choice for choice in choices(asked) if choice.decides).verdict is verdict


# --- tools and turns --------------------------------------------------------------------------


def test_which_tools_hand_over() -> None:
    over = (
        "transfer_to_x", "handoff_to_x", "transferToX", "delegate_work", "assign_task", "delegate_work_to_coworker",
    )  # fmt: skip
    other = ("search", "transfer_money", "route_planner", "convert_to_pdf", "assignment_list")
    assert handoffs(call(tools=tools(*other, *over))) == over


def test_a_turn_begins_where_the_user_says_something_new() -> None:
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "x"}, {"type": "text", "text": "Go on."}]
    turns = ["Find it.", "Well.", "Continue.", "Well.", "Continue."]
    messages: list[dict[str, Any]] = [
        {"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)
    ]
    messages.append({"role": "user", "content": result})
    assert user_turn(call(messages=messages)) == messages[2:]


def test_a_conversation_that_grows_in_place_is_read_anew() -> None:
    messages: list[Any] = [{"role": "user", "content": "One."}]
    asked = call(messages=messages)
    assert len(user_turn(asked)) == 1
    messages += [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Two."}]
    assert user_turn(call(messages=messages)) == messages[2:]


# --- words and JSON in prompts ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "side"),
    [
        ("APPROVED", "accept"),
        ("NOT APPROVED", "reject"),
        ("needs_revision", "reject"),
        ("no changes", "accept"),
        ("isFinished", "accept"),
        ("blue", None),
    ],
)
def test_the_side_of_a_word(phrase: str, side: str | None) -> None:
    assert side_of(phrase) == side


def test_capitals_for_emphasis_offer_nothing() -> None:
    assert [offer.word for offer in offered("It is NOT FINAL. You MUST be brief. Say DONE at the end.")] == ["DONE"]


def test_a_list_is_read_where_one_of_it_is_wanted() -> None:
    assert listed("Classify it as: billing, sales or support.") == ("billing", "sales", "support")
    assert listed("They sell apples, pears or plums.") == ()


ASKED = {
    "Reply with JSON only: {'a': 1}": None,
    'Reply with JSON only: {"a": 1}': {"a": {"type": "integer"}},
    'Answer in this format:\n{"a": "<integer>"}': {"a": {"type": "integer"}},
    'Respond with:\n{"a": "x|y"}': {"a": {"enum": ["x", "y"]}},
    "Return JSON with the keys `a` (bool) and `b`.": {"a": {"type": "boolean"}, "b": {"type": "string"}},
    'Write a summary of this report:\n{"facts": "ACME sold 4 units."}': None,
    'Answer of agent A:\n{"draft": "ACME sold 4 units."}\n\nWhat do you think?': None,
    'Write the report. The JSON fields are "revenue".': None,
}


@pytest.mark.parametrize("prompt", ASKED)
def test_the_json_that_a_prompt_asks_for(prompt: str) -> None:
    schema = asked_schema(prompt)
    assert (None if schema is None else schema["properties"]) == ASKED[prompt]
