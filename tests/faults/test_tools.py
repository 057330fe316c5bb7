"""Faults of tool results: which results they hit, and that what they made of one sticks to it."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic

from dissonance.faults import At, Fault, Rule, StaleToolResult, ToolError, ToolTimeout, When, WrongToolResult
from dissonance.harness.agents import agent
from dissonance.harness.call import Call, Reply
from dissonance.harness.history import History
from dissonance.harness.models import Scripted
from dissonance.harness.run import Run, run

NOTHING = History()


def turn(*uses: tuple[str, str, str]) -> list[dict[str, Any]]:
    """The model's calls (id, tool, result) and what came of them."""
    asked = [{"type": "tool_use", "id": id, "name": tool, "input": {}} for id, tool, _ in uses]
    given = [{"type": "tool_result", "tool_use_id": id, "content": said} for id, _, said in uses]
    return [{"role": "assistant", "content": asked}, {"role": "user", "content": given}]


def call_of(*turns: list[dict[str, Any]]) -> Call:
    messages = [{"role": "user", "content": "Look."}, *(message for each in turns for message in each)]
    return Call(id=1, model="claude-sonnet-4-6", messages=messages)


def told(fault: Fault, call: Call) -> list[tuple[str, str, bool]]:
    """What the model is told of each tool: id, content, whether it is an error; nothing where the fault did not fire."""
    seen = fault.on_request(call, NOTHING, "r1")
    if seen is None:
        return []
    assert isinstance(seen, Call)
    blocks = [
        block for message in seen.messages if isinstance(message["content"], list) for block in message["content"]
    ]
    results = [block for block in blocks if block["type"] == "tool_result"]
    return [(block["tool_use_id"], block["content"], block.get("is_error", False)) for block in results]


TWO = call_of(
    turn(("a", "price", "It is 40 dollars.")), turn(("b", "price", "It is 55 dollars."), ("c", "stock", "None."))
)


def test_only_what_is_new_is_hit() -> None:
    assert told(ToolError(message="503"), TWO) == [
        ("a", "It is 40 dollars.", False),
        ("b", "503", True),
        ("c", "503", True),
    ]


def test_only_the_tool_that_was_named_is_hit() -> None:
    assert told(ToolTimeout(tool="stock", seconds=5), TWO)[1:] == [
        ("b", "It is 55 dollars.", False),
        ("c", "Error: the tool did not answer within 5 seconds", True),
    ]
    assert told(ToolError(tool="weather"), TWO) == []


def test_a_stale_result_is_that_of_the_use_before() -> None:
    assert told(StaleToolResult(), TWO) == [
        ("a", "It is 40 dollars.", False),
        ("b", "It is 40 dollars.", False),
        ("c", "None.", False),
    ]


def test_a_first_result_and_one_that_is_the_same_are_not_stale() -> None:
    once = turn(("a", "price", "It is 40 dollars."))
    assert told(StaleToolResult(), call_of(once)) == []
    assert told(StaleToolResult(), call_of(once, turn(("b", "price", "It is 40 dollars.")))) == []


def test_a_wrong_result_has_other_numbers_or_another_text() -> None:
    assert told(WrongToolResult(), TWO)[1:] == [("b", "It is 550 dollars.", False), ("c", "None.", False)]
    assert told(WrongToolResult(tool="stock"), TWO) == []  # no number in it
    assert told(WrongToolResult(tool="stock", content="Plenty."), TWO)[2] == ("c", "Plenty.", False)


def test_a_call_without_results_is_left_alone() -> None:
    assert [told(fault, call_of()) for fault in (ToolError(), ToolTimeout(), StaleToolResult(), WrongToolResult())] == [
        [], [], [], []
    ]  # fmt: skip


# --- sticking ---------------------------------------------------------------------------------


def ledger(task: str) -> str:
    """A clerk asks for two prices, one after the other; then an auditor reads the whole conversation."""
    client = Anthropic(api_key="k")
    tools: Any = [{"name": "price", "input_schema": {"type": "object", "properties": {}}}]
    messages: list[Any] = [{"role": "user", "content": task}]
    for price in ("40 dollars", "55 dollars"):
        with agent("clerk"):
            reply = client.messages.create(model="claude-sonnet-4-6", max_tokens=99, messages=messages, tools=tools)
        (use,) = [block for block in reply.content if block.type == "tool_use"]
        messages.append({"role": "assistant", "content": [use.model_dump(exclude_none=True)]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": price}]})
    with agent("auditor"):
        client.messages.create(model="claude-sonnet-4-6", max_tokens=99, messages=messages, tools=tools)
    return "done"


def played(fault: Fault, when: When) -> Run:
    use = Reply.use({"type": "tool_use", "id": "", "name": "price", "input": {}})
    model = Scripted({"clerk": [use, use], "auditor": [Reply.say("Read.")]})
    return run(ledger, "What are the prices?", plan=[Rule(id="r", at=At(agent="clerk"), when=when, fault=fault)], model=model,
               store=None)  # fmt: skip


def seen_results(done: Run) -> list[list[str]]:
    """The tool results that the model saw, firing by firing."""
    found = []
    for firing in done.history.faults("r"):
        body = done.history.bodies.get(str(firing.after))
        contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
        found.append([b["content"] for content in contents for b in content if b["type"] == "tool_result"])
    return found


def test_a_result_stays_altered_for_everybody_and_the_next_one_is_not() -> None:
    done = played(ToolError(message="503"), When(call=2))
    assert done.outcome == "completed"
    assert seen_results(done) == [["503"], ["503", "55 dollars"]]
    assert [firing.agent for firing in done.history.faults("r")] == ["clerk", "auditor"]


def test_a_stale_result_stays_what_it_was() -> None:
    """By the auditor's turn the rule's time is over, and the result is not the newest of anybody."""
    done = played(WrongToolResult(content="0 dollars"), When(from_call=2))
    assert seen_results(done) == [["0 dollars"], ["0 dollars", "55 dollars"]]
