"""Wrong judgements: which replies they change, together or one by one, and what scores become."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import pytest

from dissonance.faults import FalseAccept, FalseReject, Fault, Groupthink, Overconfident, Rule
from dissonance.faults.draw import uniform
from dissonance.faults.verdicts import accepts
from dissonance.harness.agents import agent
from dissonance.harness.call import ApiError, Call, Json, JsonObject, Reply, text_block, tool_use
from dissonance.harness.choices import decide
from dissonance.harness.history import History
from dissonance.harness.limits import Limits
from dissonance.harness.run import run


def form(**properties: JsonObject) -> Call:
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return Call(id=1, params={"output_config": {"format": {"type": "json_schema", "schema": schema}}})


def tools(*names: str) -> Call:
    return Call(id=1, tools=[{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names])


WORDS = Call(id=1, system="You are the judge. Reply with 'APPROVE' or 'REVISE'.")
ENUM = form(verdict={"enum": ["approve", "reject"]}, note={"type": "string"})
FLAG = form(approved={"type": "boolean"})
NEGATED = form(needs_revision={"type": "boolean"})
SCORE = form(score={"type": "integer", "minimum": 1, "maximum": 10})
PAIR = tools("approve_draft", "reject_draft")
OFFERS = {"words": WORDS, "enum": ENUM, "flag": FLAG, "negated flag": NEGATED, "score": SCORE, "tools": PAIR}
OFFERED = pytest.mark.parametrize("call", OFFERS.values(), ids=OFFERS)


@OFFERED
@pytest.mark.parametrize("accept", [True, False])
def test_a_decision_that_was_taken_is_read(call: Call, accept: bool) -> None:
    decided = decide(call, accept=accept)
    assert decided is not None and accepts(decided, call) is accept


@OFFERED
@pytest.mark.parametrize(("fault", "accept"), [(FalseAccept(), True), (FalseReject(), False)], ids=["accept", "reject"])
def test_the_other_branch_is_taken_and_the_same_one_left_alone(call: Call, fault: Fault, accept: bool) -> None:
    right, wrong = (decide(call, accept=branch) for branch in (accept, not accept))
    assert right is not None and wrong is not None
    turned = fault.on_reply(call, Reply(body=wrong), History(), "r1")
    assert turned is not None and turned.message is not None and accepts(turned.message, call) is accept
    assert fault.on_reply(call, Reply(body=right), History(), "r1") is None


def test_a_call_without_a_decision_is_left_alone() -> None:
    call = Call(id=1, system="You are the writer.")
    assert FalseAccept().on_reply(call, Reply.say("Tin rose."), History(), "r1") is None
    assert FalseReject().on_reply(call, Reply.say("Tin rose."), History(), "r1") is None


def test_a_false_rejection_says_what_it_is_told_to_where_there_is_room() -> None:
    accepted = decide(ENUM, accept=True)
    turned = FalseReject(saying="Too long.").on_reply(ENUM, Reply(body=accepted), History(), "r1")
    assert turned is not None and json.loads(turned.text) == {"verdict": "reject", "note": "Too long."}


# --- groupthink -------------------------------------------------------------------------------

ROUNDS, VOTERS = 400, 4


class Coins:
    """A model whose votes are fair coins, independent of each other."""

    def reply(self, call: Call, past: History) -> Reply:
        return Reply.say("YES" if uniform("coin", call.agent, call.ordinal) < 0.5 else "NO")

    def describe(self) -> Json:
        return {"name": "Coins"}


def votes(correlation: float) -> list[list[int]]:
    """What each voter said, round by round."""
    from anthropic import Anthropic

    def voting(task: str) -> list[list[int]]:
        client = Anthropic(api_key="k")
        told: list[list[int]] = [[] for _ in range(VOTERS)]
        for _ in range(ROUNDS):
            for voter in range(VOTERS):
                with agent(f"voter {voter}"):
                    message: Any = client.messages.create(
                        model="claude-sonnet-4-6", max_tokens=20, messages=[{"role": "user", "content": task}]
                    )
                told[voter].append(int(message.content[0].text == "YES"))
        return told

    plan = [Rule(id="r", fault=Groupthink(correlation=correlation, seed=5))]
    limits = Limits(calls=5_000)
    done = run(voting, "Yes or no?", plan=plan, model=Coins(), store=None, baseline=False, limits=limits)
    assert done.outcome == "completed", done.error_text
    return done.result  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.3, 1.0])
def test_votes_are_correlated_by_as_much_as_asked(correlation: float) -> None:
    """Fair coins of which a share agrees: the chance that two agree is (1 + correlation) / 2."""
    told = votes(correlation)
    for one, other in combinations(told, 2):
        agreed = sum(a == b for a, b in zip(one, other, strict=True)) / ROUNDS
        expected = (1 + correlation) / 2
        error = math.sqrt(expected * (1 - expected) / ROUNDS)
        assert abs(agreed - expected) <= 3.5 * error + 1e-9
    for each in told:
        assert abs(sum(each) / ROUNDS - 0.5) <= 3.5 * math.sqrt(0.25 / ROUNDS)


# --- scores -----------------------------------------------------------------------------------


def sure(call: Call, reply: Reply, confidence: float = 0.9) -> str | None:
    found = Overconfident(confidence=confidence).on_reply(call, reply, History(), "r1")
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("schema", "before", "after"),
    [
        ({"type": "number", "minimum": 0, "maximum": 1}, 0.4, 0.9),
        ({"type": "number", "minimum": 0, "maximum": 100}, 40.5, 90.0),
        ({"type": "integer", "minimum": 0, "maximum": 10}, 4, 9),
        ({"type": "number", "description": "From 1 to 5."}, 2.0, 4.6),
    ],
)
def test_a_score_is_set_in_the_range_of_its_schema(schema: JsonObject, before: float, after: float) -> None:
    call = form(confidence=schema, text={"type": "string"})
    told = sure(call, Reply.say(json.dumps({"confidence": before, "text": "Tin rose by 40 %."})))
    assert json.loads(told or "") == {"confidence": after, "text": "Tin rose by 40 %."}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Confidence: 0.4", "Confidence: 0.9"),
        ("I put the probability at 3; confidence is 40 %.", "I put the probability at 3; confidence is 90 %."),
        ("Score 4/10, and 3 pages.", "Score 9/10, and 3 pages."),
        ("certainty of 7", "certainty of 9"),
    ],
)
def test_a_score_in_a_text_is_set_on_its_own_scale(before: str, after: str) -> None:
    assert sure(Call(id=1), Reply.say(before)) == after


def test_a_score_in_a_tools_arguments_is_set() -> None:
    schema = {"type": "object", "properties": {"confidence": {"type": "number", "minimum": 0, "maximum": 1}}}
    call = Call(id=1, tools=[{"name": "answer", "input_schema": schema}])
    found = Overconfident().on_reply(call, Reply.use(tool_use("answer", {"confidence": 0.2})), History(), "r1")
    assert found is not None and found.message is not None
    assert found.message.content[0]["input"] == {"confidence": 0.99}


def test_a_reply_without_a_score_is_left_alone() -> None:
    assert sure(form(text={"type": "string"}), Reply.say('{"text": "Tin rose by 4 %."}')) is None
    assert sure(Call(id=1), Reply.say("Tin rose by 4 %.")) is None
    assert sure(Call(id=1), Reply(body=ApiError("api_error", "No."), status=500)) is None
    assert sure(Call(id=1), Reply.say(text_block("Tin.")["text"])) is None
