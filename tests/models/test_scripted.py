"""What ``Scripted`` says, and how it says that its script is over."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dissonance.harness.call import ApiError, Call, Message, Model, Pace, Reply, text_block, tool_use
from dissonance.harness.errors import BadInput, ScriptExhausted
from dissonance.harness.history import History
from dissonance.harness.models import Scripted

PAST = History()


def call(agent: str = "judge", ordinal: int = 1, said: str = "Review this.", **more: Any) -> Call:
    return Call(id=0, agent=agent, ordinal=ordinal, messages=[{"role": "user", "content": said}], **more)


def text(model: Scripted, call: Call) -> str:
    return model.reply(call, PAST).text


def test_each_agent_gets_a_sequence_from_its_start() -> None:
    model = Scripted(["one", "two"])
    order = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert [text(model, call(agent, n)) for agent, n in order] == ["one", "two", "one", "two"]


def test_a_retry_gets_the_same_line() -> None:
    model = Scripted({"judge": ["one", "two"]})
    first = call()
    assert text(model, first) == text(model, replace(first, attempt=2)) == "one"


def test_the_first_key_that_fits_and_has_a_line_answers() -> None:
    model = Scripted({"judge": ["REVISE"], "text:ACME": "ACME sold 4 units.", "worker-*": ["worked"], "*": "whatever"})
    asked = [call(), call(ordinal=2), call("worker-1"), call("worker-1", 2), call("clerk", said="And ACME?")]
    assert [text(model, each) for each in asked] == ["REVISE", "whatever", "worked", "whatever", "ACME sold 4 units."]


def test_a_name_is_no_text() -> None:
    """A writer that is told of the judge is not answered by the judge's lines."""
    with pytest.raises(ScriptExhausted):
        Scripted({"judge": "APPROVE"}).reply(call("writer", said="The judge will read this."), PAST)


def test_a_function_may_decline() -> None:
    def told(call: Call, past: History) -> str | None:
        return f"call {call.ordinal}" if call.ordinal > 1 else None

    model = Scripted({"judge": told, "*": "else"})
    assert (text(model, call()), text(model, call(ordinal=2))) == ("else", "call 2")


def test_one_function_for_all() -> None:
    assert text(Scripted(lambda call, past: call.agent.upper()), call()) == "JUDGE"


def test_texts_and_messages_come_at_the_pace_and_replies_at_their_own() -> None:
    message = Message((tool_use("search", {"query": "tin"}),), "tool_use")
    reply = Reply(status=529, body=ApiError("overloaded_error", "Overloaded"))
    model = Scripted(["said", message, reply], pace=Pace(2.0, 50.0))
    said = [model.reply(call(ordinal=n), PAST) for n in (1, 2, 3)]
    assert said == [
        Reply(body=Message((text_block("said"),)), seconds=2.0, tokens_per_second=50.0),
        Reply(body=message, seconds=2.0, tokens_per_second=50.0),
        reply,
    ]


def test_a_script_that_is_over_says_so() -> None:
    with pytest.raises(ScriptExhausted) as caught:
        Scripted({"judge": ["one", "two"]}).reply(call(ordinal=3), PAST)
    assert str(caught.value) == (
        "Scripted: agent 'judge', call 3: the script has 2 replies for 'judge'. "
        "Add one for this call, or give a single line, which serves every call."
    )


def test_an_agent_without_a_script_is_named() -> None:
    with pytest.raises(ScriptExhausted) as caught:
        Scripted({"judge": "APPROVE", "writer": ["draft"]}).reply(call("clerk"), PAST)
    assert str(caught.value) == (
        "Scripted: agent 'clerk', call 1: the script has 0 replies for it, only for 'judge', 'writer'. "
        "Add a key 'clerk' or '*'."
    )


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        (3, "Scripted, '*': 3 is no reply. "),
        ({"judge": 3}, "Scripted, 'judge': 3 is no reply. "),
        ({"judge": ["one", 2]}, "Scripted, 'judge', reply 2: 2 is no str, Message or Reply."),
        ({"": "x"}, "Scripted: the key '' names nobody. "),
        ({"text:": "x"}, "Scripted: the key 'text:' names nobody. "),
        ({3: "x"}, "Scripted: the key 3 names nobody. "),
    ],
)
def test_what_is_no_script_is_refused(replies: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        Scripted(replies)
    assert str(caught.value).startswith(message)


def test_a_function_that_gives_no_line_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        Scripted({"judge": lambda call, past: 3}).reply(call(), PAST)  # type: ignore[dict-item, return-value]
    assert str(caught.value) == "Scripted, 'judge': its function gave 3. Give a str, a Message, a Reply or None."


def test_it_describes_itself_in_stable_json() -> None:
    def told(call: Call, past: History) -> None:
        return None

    slow = Reply(body=b"\xff{", seconds=9.0)
    model = Scripted({"a": ["x", Message((text_block("y"),))], "b": slow, "c": told}, pace=Pace(2.0, 50.0))
    assert isinstance(model, Model)
    assert json.loads(json.dumps(model.describe())) == {
        "name": "Scripted",
        "replies": {
            "a": ["x", {"content": [{"type": "text", "text": "y"}], "stop_reason": "end_turn"}],
            "b": {"body": "\\xff{", "seconds": 9.0},
            "c": "function test_it_describes_itself_in_stable_json.<locals>.told",
        },
        "pace": {"first_byte": 2.0, "tokens_per_second": 50.0},
    }


def test_a_workflow_runs_by_its_script(play: Any) -> None:
    async def review(sdk: Any) -> list[str]:
        said = [await sdk.say("You are the writer.", "Write.")]
        while "APPROVE" not in said[-1]:
            said.append(await sdk.say("You are the judge.", said[-1]))
        return said

    played = play(review, Scripted({"writer": "A draft.", "judge": ["REVISE", "APPROVE"]}))
    assert (played.agents, played.texts) == (["writer", "judge", "judge"], ["A draft.", "REVISE", "APPROVE"])
