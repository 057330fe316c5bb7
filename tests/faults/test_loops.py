"""The family ``loops``: which branch is taken, on which calls, and that a loop goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dissonance.faults import DelegateAgain, Fault, Paraphrase, PingPong, Reenter, RejectWork, RepeatToolCall
from dissonance.harness.call import ApiError, Block, Call, Message, Pace, Reply, text_block, tool_use
from dissonance.harness.history import Bodies, CallSent, Event, History, ReplyReceived

PAST = History()
TASK = "Find the price of tin.\nName the source."


def tool(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object", "properties": properties, "required": [*properties]}}


SEARCH = tool("search", query={"type": "string"}, n={"type": "integer"})
SUBMIT = tool("submit_answer", answer={"type": "string"})
TO_WRITER = tool("transfer_to_writer", reason={"type": "string"})
TO_CRITIC = tool("transfer_to_critic", reason={"type": "string"})
VERDICT = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["accept", "revise"]},
        "feedback": {"type": "string"},
    },
    "required": ["verdict", "feedback"],
}
PLAN = {
    "type": "object",
    "properties": {"subtasks": {"type": "array", "items": {"type": "string"}, "maxItems": 1}},
    "required": ["subtasks"],
}


def call(**changes: Any) -> Call:
    given: dict[str, Any] = {"id": 9, "agent": "judge", "messages": [{"role": "user", "content": TASK}], **changes}
    return Call(**given)


def structured(schema: dict[str, Any]) -> Call:
    return call(params={"output_config": {"format": {"type": "json_schema", "schema": schema}}})


WORDS = call(system="You are the judge. Reply with 'APPROVE' or 'REVISE'.")
STRUCTURED = structured(VERDICT)
TOOLS = call(tools=[TO_WRITER, SUBMIT, SEARCH])
PLAIN = call(system="You write short notes.")
SAID = Reply.say("All is well.", pace=Pace())
ERROR = Reply(status=529, body=ApiError("overloaded_error", "Overloaded"))


def after(fault: Fault, call: Call, past: History = PAST) -> Reply | None:
    return fault.on_reply(call, SAID, past, "r1")


def says(content: Sequence[Block], stop_reason: Any = "end_turn") -> Reply:
    """The reply with this message, at the model's own pace."""
    return replace(SAID, body=Message(content=tuple(content), stop_reason=stop_reason))


def asks(name: str, **arguments: Any) -> Reply:
    return says([tool_use(name, arguments)], "tool_use")


LOOPS = [RejectWork(), RepeatToolCall(), PingPong(), Paraphrase(), Reenter(), DelegateAgain()]


@pytest.mark.parametrize("fault", LOOPS, ids=repr)
@pytest.mark.parametrize("reply", [ERROR, Reply(status=None, failure="reset")], ids=["an error", "a failure"])
def test_errors_are_left_alone(fault: Fault, reply: Reply) -> None:
    assert [fault.on_reply(each, reply, PAST, "r1") for each in (WORDS, STRUCTURED, TOOLS)] == [None] * 3


@pytest.mark.parametrize("fault", [each for each in LOOPS if not isinstance(each, Paraphrase)], ids=repr)
def test_a_plain_call_offers_nothing_to_repeat(fault: Fault) -> None:
    assert after(fault, PLAIN) is None


# --- RejectWork -------------------------------------------------------------------------------


def test_a_rejection_in_words() -> None:
    assert after(RejectWork(), WORDS) == says([text_block("REVISE")])


def test_a_rejection_in_words_with_feedback() -> None:
    assert after(RejectWork(feedback="Too long."), WORDS) == says([text_block("REVISE\nToo long.")])


def test_feedback_never_says_the_accepting_word() -> None:
    assert after(RejectWork(feedback="I approve of nothing."), WORDS) == says([text_block("REVISE")])


def test_a_rejection_in_a_schema() -> None:
    rejected = after(RejectWork(feedback="Too long."), STRUCTURED)
    assert rejected is not None
    assert json.loads(rejected.text) == {"verdict": "revise", "feedback": "Too long."}


def test_a_rejection_by_a_tool() -> None:
    grade = tool("grade", accepted={"type": "boolean"}, feedback={"type": "string"})
    judge = call(tools=[grade], tool_choice={"type": "tool", "name": "grade"})
    assert after(RejectWork(feedback="Too long."), judge) == asks("grade", accepted=False, feedback="Too long.")


def test_a_rejection_where_only_acceptance_has_a_word() -> None:
    critic = call(system="Review the draft. Respond with 'APPROVE' when it is good.")
    rejected = after(RejectWork(feedback="Too long."), critic)
    assert rejected == says([text_block("Too long.")])


# --- RepeatToolCall ---------------------------------------------------------------------------


def test_a_tool_is_asked_for_with_valid_arguments() -> None:
    """The first tool that neither hands over nor finishes; the query is the first line of the task."""
    assert after(RepeatToolCall(), TOOLS) == asks("search", query="Find the price of tin.", n=1)


def test_the_arguments_stay_those_of_the_first_use() -> None:
    first, second = ({"query": query, "n": 3} for query in ("tin", "lead"))
    turns = [
        {"role": "assistant", "content": [tool_use("search", arguments, "toolu_1")]} for arguments in (first, second)
    ]
    again = after(RepeatToolCall(), replace(TOOLS, messages=[*TOOLS.messages, *turns]))
    assert again == asks("search", **first)


def test_the_models_own_arguments_come_before_invented_ones() -> None:
    own = Reply.use(tool_use("search", {"query": "zinc", "n": 2}), text="Let me see.")
    assert RepeatToolCall().on_reply(TOOLS, own, PAST, "r1") == replace(
        own, body=asks("search", query="zinc", n=2).body
    )


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (RepeatToolCall(tool="fetch"), TOOLS),
        (RepeatToolCall(), replace(TOOLS, tool_choice={"type": "none"})),
        (RepeatToolCall(), replace(TOOLS, tool_choice={"type": "tool", "name": "search"})),
        (RepeatToolCall(tool="search"), replace(TOOLS, tool_choice={"type": "tool", "name": "submit_answer"})),
        (RepeatToolCall(), call(tools=[TO_WRITER, SUBMIT])),
        (RepeatToolCall(), call(tools=[{"type": "web_search_20250305", "name": "web_search"}])),
    ],
    ids=["not offered", "tools forbidden", "an answer in a tool", "another is forced", "nothing to repeat", "not ours"],
)
def test_calls_without_a_tool_to_repeat(fault: Fault, where: Call) -> None:
    assert after(fault, where) is None


def test_a_named_tool_is_taken_whatever_it_does() -> None:
    assert after(RepeatToolCall(tool="submit_answer"), TOOLS) == asks("submit_answer", answer="Find the price of tin.")


# --- PingPong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "name"),
    [(PingPong(), "transfer_to_writer"), (PingPong(to="critic"), "transfer_to_critic")],
    ids=repr,
)
def test_a_hand_off(fault: Fault, name: str) -> None:
    swarm = call(tools=[SEARCH, TO_WRITER, TO_CRITIC])
    assert after(fault, swarm) == asks(name, reason="Find the price of tin.")


def test_a_router_never_finishes() -> None:
    schema = {
        "type": "object",
        "properties": {"next": {"type": "string", "enum": ["FINISH", "writer", "critic"]}},
        "required": ["next"],
    }
    routed = [after(fault, structured(schema)) for fault in (PingPong(), PingPong(to="critic"))]
    assert [json.loads(reply.text) for reply in routed if reply] == [{"next": "writer"}, {"next": "critic"}]


def test_a_judge_is_asked_for_a_judgement_and_not_for_a_hand_off() -> None:
    """``RejectWork`` is the fault for that; here it would report a judge as agents that pass work to and fro."""
    assert after(PingPong(), call(system="You are the judge. Reply with 'APPROVE' or 'REVISE'.")) is None
    assert after(PingPong(), call(system="You are the critic. Say TERMINATE when all is well.")) is not None


def test_a_hand_off_that_is_forbidden() -> None:
    assert after(PingPong(), call(tools=[TO_WRITER], tool_choice={"type": "none"})) is None


# --- Paraphrase -------------------------------------------------------------------------------


def history(*contents: Sequence[Block], agent: str = "judge", ending: Any = "complete") -> History:
    """A past in which the agent said this."""
    bodies = Bodies()
    events: list[Event] = []
    for content in contents:
        sent = CallSent(
            id=len(events),
            at=0.0,
            agent=agent,
            endpoint="messages",
            model="m",
            ordinal=1 + len(events) // 2,
            attempt=1,
            tokens=0,
            max_tokens=9,
            stream=False,
            system=None,
            tools=None,
            messages=(),
            params=None,
        )
        reply = ReplyReceived(
            id=sent.id + 1,
            at=0.0,
            agent=agent,
            call=sent.id,
            status=200,
            usage=None,
            usd=0.0,
            seconds=0.0,
            ending=ending,
            body=bodies.put({"type": "message", "content": list(content)}),
        )
        events += [sent, reply]
    return History(events, bodies)


def test_a_rejection_in_other_words_each_time() -> None:
    replies = [after(Paraphrase(), replace(WORDS, ordinal=n)) for n in range(1, 501)]
    texts = [reply.text for reply in replies if reply]
    assert len(set(texts)) == 500
    assert {text.splitlines()[0] for text in texts} == {"REVISE"}


def test_a_structured_rejection_in_other_words_each_time() -> None:
    replies = [after(Paraphrase(), replace(STRUCTURED, ordinal=n)) for n in range(1, 501)]
    values = [json.loads(reply.text) for reply in replies if reply]
    assert {value["verdict"] for value in values} == {"revise"}
    assert len({value["feedback"] for value in values}) == 500


def test_an_agent_without_a_choice_says_again_what_it_said_first() -> None:
    past = history([text_block("Tin rose. Lead fell.")], [text_block("Zinc stood still.")])
    again = after(Paraphrase(), replace(PLAIN, ordinal=3), past)
    assert again == says([text_block("From another angle: Lead fell. Tin rose.")])


def test_its_first_answer_is_only_reworded() -> None:
    assert after(Paraphrase(), PLAIN) == says([text_block("In other words: All is well.")])


def test_a_tool_call_in_other_words() -> None:
    past = history([tool_use("search", {"query": "price of tin", "n": 3}, "toolu_1")])
    again = after(Paraphrase(), replace(TOOLS, ordinal=2), past)
    assert again == asks("search", query="To say it another way: price of tin", n=3)


# --- Reenter ----------------------------------------------------------------------------------


def test_an_old_message_comes_back() -> None:
    past = history([text_block("First.")], [text_block("Second.")])
    replies = [after(fault, PLAIN, past) for fault in (Reenter(), Reenter(nth=2), Reenter(nth=3))]
    assert replies == [says([text_block("First.")]), says([text_block("Second.")]), None]


def test_an_old_tool_call_comes_back_under_a_new_id() -> None:
    past = history([tool_use("search", {"query": "tin", "n": 1}, "toolu_1")])
    assert after(Reenter(), TOOLS, past) == asks("search", query="tin", n=1)


@pytest.mark.parametrize(
    "past",
    [
        PAST,
        history([text_block("First.")], agent="writer"),
        history([text_block("Fir")], ending="cut"),
        history([]),
        history([tool_use("fetch", {}, "toolu_1")]),
    ],
    ids=["nothing", "another agent's", "not whole", "empty", "a tool that is gone"],
)
def test_a_past_without_a_message_to_come_back(past: History) -> None:
    assert after(Reenter(), TOOLS, past) is None


# --- DelegateAgain ----------------------------------------------------------------------------


def test_the_very_task_is_delegated() -> None:
    lead = call(tools=[SEARCH, tool("delegate_work", worker={"enum": ["a", "b"]}, task={"type": "string"})])
    assert after(DelegateAgain(), lead) == asks("delegate_work", worker="a", task=TASK)


def test_a_named_tool_delegates() -> None:
    lead = call(tools=[SEARCH, tool("ask_team", question={"type": "string"})])
    assert after(DelegateAgain(), lead) is None
    assert after(DelegateAgain(tool="ask_team"), lead) == asks("ask_team", question=TASK)


def test_a_plan_holds_the_very_task() -> None:
    planned = after(DelegateAgain(), structured(PLAN))
    assert planned is not None and json.loads(planned.text) == {"subtasks": [TASK]}


def test_a_verdict_is_no_plan() -> None:
    assert after(DelegateAgain(), STRUCTURED) is None
