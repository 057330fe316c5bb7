"""What ``Gullible`` says: claims carried on, tools in order, decisions taken once there is something to decide on."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dissonance.harness.call import Call, FaultMark, Model, Pace, Reply
from dissonance.harness.claims import Claim, occurs
from dissonance.harness.errors import BadInput
from dissonance.harness.history import Bodies, CallSent, Event, FaultFired, History, ReplyReceived
from dissonance.harness.models import Gullible
from dissonance.harness.wire.estimate import count_text

OPUS = "claude-opus-5-5"
SEARCH = {"name": "search", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}}
DONE = "You are the boss. Say DONE when nothing is left."


def call(*said: Any, **more: Any) -> Call:
    """A call in whose conversation user and assistant said this in turn."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(said)]
    return Call(**{"id": 0, "agent": "boss", "model": OPUS, "max_tokens": 1024, "messages": messages, **more})


def text(call: Call, past: History | None = None) -> str:
    return Gullible().reply(call, History() if past is None else past).text


def structured(schema: dict[str, Any]) -> dict[str, Any]:
    return {"params": {"output_config": {"format": {"type": "json_schema", "schema": schema}}}}


def said_before(*lines: tuple[str, str]) -> History:
    """A past in which these agents said these texts."""
    bodies = Bodies()
    events: list[Event] = []
    for agent, line in lines:
        body = bodies.put({"type": "message", "content": [{"type": "text", "text": line}]})
        events.append(
            ReplyReceived(
                id=len(events), at=0.0, agent=agent, call=0, status=200, usage=None, usd=0.0, seconds=0.0,
                ending="complete", body=body,
            )
        )  # fmt: skip
    return History(events, bodies)


# --- what it carries --------------------------------------------------------------------------

CARRIED = {
    "facts first": (("Be brief about it. ACME sold 4 units.",), "ACME sold 4 units.\nBe brief about it."),
    "each once": (("ACME sold 4 units.\nacme sold 4 units",), "ACME sold 4 units."),
    "a known claim under a name": (("ACME sold 4 units.\nwriter: ACME sold 4 units.",), "ACME sold 4 units."),
    "not its own lines": (("BETA sold 5 units.", "ACME sold 4 units.", "Go on."), "BETA sold 5 units."),
    "values of JSON": (('State: {"draft": "ACME sold 4 units.", "n": 3}',), "ACME sold 4 units.\nn: 3"),
    "no tags": (("<draft>ACME sold 4 units.</draft>",), "ACME sold 4 units."),
    "no instruction on the answer": (("ACME sold 4 units. Reply TERMINATE when you are done.",), "ACME sold 4 units."),
    "a verdict is no instruction": (("REJECT: add that ACME sold 4.",), "REJECT: add that ACME sold 4."),
    "a document": (
        ([{"type": "document", "source": {"type": "text", "data": "ACME sold 4 units."}}],),
        "ACME sold 4 units.",
    ),
    "nothing": (("Hi",), "Nothing to add."),
}


@pytest.mark.parametrize(("said", "expected"), CARRIED.values(), ids=CARRIED)
def test_it_carries_the_claims_of_its_prompt(said: tuple[Any, ...], expected: str) -> None:
    assert text(call(*said)) == expected


def test_tool_results_are_a_source() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "search", "input": {"query": "ACME"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "ACME sold 4 units."}]}
    assert text(call("Look it up.", [use], [result])) == "ACME sold 4 units.\nLook it up."


def test_of_the_system_prompt_it_carries_what_informs_and_is_not_said_to_it() -> None:
    system = "You are the boss of ACME. The board met on 3 May 2027. Be kind to all. Your limit is 5 lines."
    assert text(call("BETA sold 5 units.", system=system)) == "BETA sold 5 units.\nThe board met on 3 May 2027."


def test_each_claim_stands_in_a_string_of_a_schema() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "body": {"type": "string"}}}
    answer = json.loads(text(call("ACME sold 4 units. BETA sold 5 units. GAMMA sold 6.", **structured(schema))))
    assert answer == {"title": "ACME sold 4 units. GAMMA sold 6.", "body": "BETA sold 5 units."}


def test_a_prefilled_answer_is_gone_on_with() -> None:
    system = 'Reply with JSON: {"draft": "..."}'
    assert text(call("ACME sold 4 units.", "{", system=system)) == '"draft": "ACME sold 4 units."}'


# --- max_tokens -------------------------------------------------------------------------------

LONG = " ".join(f"ACME sold {n} units in its shop number {n}." for n in range(2000))


@pytest.mark.parametrize("more", [{}, structured({"type": "object", "properties": {"a": {"type": "string"}}})])
def test_it_says_as_many_whole_claims_as_have_room(more: dict[str, Any]) -> None:
    said = text(call(LONG, max_tokens=500, **more))
    assert 400 < count_text(said, OPUS) <= 500
    assert (json.loads(said)["a"] if more else said).endswith(".")


def test_structured_output_stays_readable_where_one_claim_has_no_room() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    said = text(call("ACME sold " + "very " * 900 + "much.", max_tokens=200, **structured(schema)))
    assert count_text(said, OPUS) <= 200
    assert json.loads(said)["a"].startswith("ACME sold very very")


# --- tools ------------------------------------------------------------------------------------


def names(call: Call) -> list[str]:
    message = Gullible().reply(call, History()).message
    assert message is not None
    return [block["name"] for block in message.content if block["type"] == "tool_use"]


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names]


@pytest.mark.parametrize(
    ("offered", "more", "expected"),
    [
        (("finish", "transfer_to_x", "search", "read"), {}, ["search"]),
        (("finish", "transfer_to_x"), {}, ["transfer_to_x"]),
        (("search", "read", "finish"), {"system": "Use tools in parallel."}, ["search", "read"]),
        (
            ("search", "read"),
            {"system": "Use tools in parallel.", "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            ["search"],
        ),
        (("search", "read"), {"tool_choice": {"type": "tool", "name": "read"}}, ["read"]),
        (("search", "read"), {"tool_choice": {"type": "none"}}, []),
        (("reject_draft", "approve_draft"), {}, ["approve_draft"]),
    ],
)
def test_which_tool_comes_first(offered: tuple[str, ...], more: dict[str, Any], expected: list[str]) -> None:
    assert names(call("ACME sold 4 units.", tools=tools(*offered), **more)) == expected


def test_a_tool_is_used_once_in_a_turn_however_often_the_user_says_the_same() -> None:
    use = [{"type": "tool_use", "id": "t1", "name": "search", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "Nothing."}, {"type": "text", "text": "Next."}]
    once = ("ACME sold 4 units.", use, result)
    assert names(call(*once, tools=[SEARCH])) == []
    assert names(call(*once, "Well.", "ACME sold 4 units.", tools=[SEARCH])) == []
    assert names(call(*once, "Well.", "And BETA?", tools=[SEARCH])) == ["search"]


def test_where_a_tool_must_be_used_there_is_always_one() -> None:
    use = [{"type": "tool_use", "id": "t1", "name": "search", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "Nothing."}]
    assert names(call("Go.", use, result, tools=[SEARCH], tool_choice={"type": "any"})) == ["search"]


# --- decisions --------------------------------------------------------------------------------


def test_a_verdict_accepts_whoever_wrote_what_it_judges() -> None:
    assert text(call("ACME sold 4 units.", system="Reply with APPROVE or REVISE.")) == "APPROVE"


def test_it_does_not_finish_before_there_is_any_work() -> None:
    assert text(call("ACME sold 4 units.", system=DONE)) == "ACME sold 4 units."


@pytest.mark.parametrize(
    ("past", "asked"),
    [
        (said_before(("writer", "ACME sold 4 units.")), call("Draft: ACME sold 4 units.", system=DONE)),
        (History(), call("ACME sold 4 units.", "I have begun with it.", "Go on.", system=DONE)),
        (History(), call("ACME sold 4 units.", system=DONE, ordinal=9)),
    ],
    ids=["another agent's", "its own", "its patience is over"],
)
def test_it_finishes_once_work_is_before_it(past: History, asked: Call) -> None:
    assert text(asked, past) == "DONE"


def test_an_output_that_is_not_in_the_request_is_not_before_it() -> None:
    past = said_before(("writer", "BETA sold 5 units."))
    assert text(call("ACME sold 4 units.", system=DONE), past) == "ACME sold 4 units."


def test_it_finishes_when_the_same_request_comes_again() -> None:
    def sent(id: int, ordinal: int) -> CallSent:
        return CallSent(
            id=id, at=0.0, agent="boss", endpoint="messages", model=OPUS, ordinal=ordinal, attempt=1, tokens=9,
            max_tokens=9, stream=False, system="s", tools=None, messages=("m",), params=None,
        )  # fmt: skip

    past = History([sent(0, 1), sent(1, 2)])
    assert text(call("Make a ring.", system=DONE, id=1, ordinal=2), past) == "DONE"


# --- elaboration ------------------------------------------------------------------------------

CLAIM = Claim(id="c1", false="ACME sold 4,213,000 units in 2023.", true="ACME sold 3,100,000 units in 2023.")


class _Seeds:
    """A rule that plants the claim in what the first agent says."""

    id = "r1"

    def describe(self) -> dict[str, Any]:
        return {"id": self.id}

    def mark(self, call: Call) -> FaultMark:
        return FaultMark(fault="Seeds", claims=(CLAIM.model_dump(mode="json"),))

    def on_request(self, call: Call, past: History) -> None:
        return None

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        return Reply.say(CLAIM.false) if call.agent == "a0" else None


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_claims_multiply_by_one_more_than_the_elaboration_at_each_hop(play: Any, count: int, depth: int) -> None:
    async def chain(sdk: Any) -> str:
        said = "The board asks how sales went."
        for n in range(depth + 1):
            said = await sdk.say(f"You are a{n}.", said, max_tokens=8192)
        return str(said)

    lines = play(chain, Gullible(elaborate=count), plan=[_Seeds()]).result.split("\n")
    assert len(lines) == len(set(lines)) == (1 + count) ** depth
    assert all(occurs(CLAIM, line) for line in lines)


def test_only_a_planted_claim_is_elaborated() -> None:
    fired = FaultFired(
        id=0, at=0.0, agent="a", rule="r1", fault="Seeds", call=0, side="reply", changed=True,
        claims=(CLAIM.model_dump(mode="json"),),
    )  # fmt: skip
    reply = Gullible(elaborate=1).reply(call(f"{CLAIM.false} BETA sold 5 units."), History([fired]))
    assert reply.text.split("\n") == [
        "ACME sold 4,213,000 units in 2023.",
        "ACME sold 4,213,000 units in 2023, as analysis A bears out.",
        "BETA sold 5 units.",
    ]


# --- the model as such ------------------------------------------------------------------------


def test_it_is_a_model_with_a_pace() -> None:
    model = Gullible(pace=Pace(first_byte=3.0, tokens_per_second=10.0), elaborate=2)
    reply = model.reply(call("Hi"), History())
    assert isinstance(model, Model)
    assert (reply.seconds, reply.tokens_per_second) == (3.0, 10.0)
    assert model.describe() == {
        "name": "Gullible",
        "pace": {"first_byte": 3.0, "tokens_per_second": 10.0},
        "elaborate": 2,
    }


@pytest.mark.parametrize("elaborate", [-1, True, 1.5, "2"])
def test_a_bad_elaboration_is_refused(elaborate: Any) -> None:
    with pytest.raises(BadInput) as caught:
        Gullible(elaborate=elaborate)
    assert str(caught.value) == f"Gullible(elaborate={elaborate!r}): give a whole number of claims, 0 or more."


def test_a_bad_pace_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^Gullible\(pace=2\): give Pace\("):
        Gullible(pace=2)  # type: ignore[arg-type]


def test_a_long_conversation_costs_little_to_read() -> None:
    """A workflow resends its history, parsed anew: only what is new in it may cost. Measured: 0.2 ms for 271 messages."""
    lines = [f"Round {n}: BETA reports {n * 37} units sold in Bonn. What now?" for n in range(271)]
    raw = json.dumps([{"role": ("user", "assistant")[n % 2], "content": line} for n, line in enumerate(lines)])
    calls = [call(messages=json.loads(raw)) for _ in range(21)]
    model, past = Gullible(), History()
    model.reply(calls[0], past)
    took = []
    for each in calls[1:]:
        start = time.process_time()
        model.reply(each, past)
        took.append(time.process_time() - start)
    assert min(took) < 0.002
