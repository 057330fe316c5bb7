"""What a hallucinating model's reply says instead, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dissonance.faults import Contradict, CorruptNumber, DropCitation, FabricateCitation, Fault, SeedClaim
from dissonance.faults.facts import facts
from dissonance.faults.texts import times
from dissonance.harness.call import ApiError, Call, Message, Reply, text_block, tool_use
from dissonance.harness.claims import Claim, Twin, occurs
from dissonance.harness.history import History
from dissonance.harness.wire.complete import complete

SCHEMA = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["approve", "revise"]},
        "note": {"type": "string"},
        "pages": {"type": "integer"},
    },
}
FREE = Call(id=1, model="claude-sonnet-4-6", max_tokens=500, messages=[{"role": "user", "content": "Report."}])
JUDGE = Call(id=1, system="You are the judge. Reply with 'APPROVE' or 'REVISE'.", max_tokens=500)
FORM = Call(id=1, max_tokens=500, params={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}})
TOOL = {"name": "file", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}
CLAIM = Claim(id="zinc", false="Zinc fell by 7 % in May.", true="Zinc rose by 7 % in May.")


def made(fault: Fault, reply: Reply, call: Call = FREE) -> str | None:
    """The text of what comes of a reply; None where the fault did not fire."""
    found = fault.on_reply(call, reply, History(), "r1")
    return None if found is None else found.text


def says(fault: Fault, text: str, call: Call = FREE) -> str | None:
    return made(fault, Reply.say(text), call)


# --- claims -----------------------------------------------------------------------------------


@pytest.mark.parametrize("twin", ["false", "true"])
def test_a_claim_stands_before_the_rest(twin: Twin) -> None:
    assert says(SeedClaim(claim=CLAIM, twin=twin), "Tin rose.") == f"{CLAIM.text(twin)}\nTin rose."


def test_a_claim_is_not_cut_off_by_max_tokens() -> None:
    long = Reply.say("Tin rose by 4 % on 3 May. " * 200)
    seeded = SeedClaim(claim=CLAIM).on_reply(FREE, long, History(), "r1")
    assert seeded is not None
    sent = complete(seeded, FREE, seed=0)
    assert sent.message is not None and sent.message.stop_reason == "max_tokens" and occurs(CLAIM, sent.text)


def test_a_claim_leaves_decisions_where_they_are_read() -> None:
    assert says(SeedClaim(claim=CLAIM), "APPROVE", JUDGE) == f"APPROVE\n{CLAIM.false}"


def test_a_claim_goes_into_a_free_string_of_structured_output() -> None:
    answer = json.dumps({"verdict": "approve", "note": "All is well.", "pages": 3})
    told = json.loads(says(SeedClaim(claim=CLAIM), answer, FORM) or "")
    assert told == {"verdict": "approve", "note": f"{CLAIM.false}\nAll is well.", "pages": 3}


def test_a_claim_goes_into_a_tools_arguments() -> None:
    call = Call(id=1, tools=[TOOL])
    assert made(SeedClaim(claim=CLAIM), Reply.use(tool_use("file", {"text": "Tin."})), call) == f"{CLAIM.false}\nTin."


def test_a_reply_without_a_text_gets_one() -> None:
    bare = {"name": "stop", "input_schema": {"type": "object"}}
    seeded = SeedClaim(claim=CLAIM).on_reply(Call(id=1, tools=[bare]), Reply.use(tool_use("stop", {})), History(), "r1")
    assert seeded is not None and seeded.message is not None
    assert [block["type"] for block in seeded.message.content] == ["text", "tool_use"]
    assert (seeded.text, seeded.message.stop_reason) == (CLAIM.false, "tool_use")


def test_the_mark_carries_the_claim() -> None:
    assert [Claim.model_validate(each) for each in SeedClaim(claim=facts()[3]).claims] == [facts()[3]]


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "factor", "nth", "expected"),
    [
        ("Tin rose by 4 % to 2,100 dollars.", 10, 1, "Tin rose by 40 % to 2,100 dollars."),
        ("Tin rose by 4 % to 2,100 dollars.", 10, 2, "Tin rose by 4 % to 21,000 dollars."),
        ("A margin of 4.5 %.", 10, 1, "A margin of 45.0 %."),
        ("A margin of 4 %.", 1.1, 1, "A margin of 4.40 %."),
        ("1. Sold 12 units", 2, 1, "1. Sold 24 units"),
        (
            "Code A-7 of 2024-05-03, version 1.2.3, is 9 long.",
            2,
            1,
            "Code A-7 of 2024-05-03, version 1.2.3, is 18 long.",
        ),
    ],
)
def test_a_number_is_wrong_and_looks_as_before(text: str, factor: float, nth: int, expected: str) -> None:
    assert says(CorruptNumber(factor=factor, nth=nth), text) == expected


def test_a_reply_without_such_a_number_is_left_alone() -> None:
    assert says(CorruptNumber(), "Tin rose.") is None
    assert says(CorruptNumber(nth=2), "Tin rose by 4 %.") is None


@given(st.integers(1, 10**9), st.integers(2, 1000))
def test_a_number_is_multiplied_exactly(value: int, factor: int) -> None:
    assert times(f"About {value:,} units.", factor).replace(",", "") == f"About {value * factor} units."


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_factor_that_changes_nothing_is_refused(factor: float) -> None:
    with pytest.raises(ValidationError, match="give another one, such as 10"):
        CorruptNumber(factor=factor)


# --- citations --------------------------------------------------------------------------------


def test_a_source_that_does_not_exist_is_cited() -> None:
    assert says(FabricateCitation(source="[9]"), "It went well. Tin rose by 4 %. So did lead.") == (
        "It went well. Tin rose by 4 % [9]. So did lead."
    )
    assert says(FabricateCitation(source="[9]"), "it went well") == "it went well [9]"


@pytest.mark.parametrize(
    "citation",
    ["[1]", "[2, 5]", "[source: ledger]", "(Lane, 2020)", "(Lane and Po, 2020, p. 4)", "(doi:10.5555/x.1)",
     "(https://example.org/a)", "https://example.org/a?b=1", "doi:10.5555/x.1"],
)  # fmt: skip
def test_sources_are_left_out(citation: str) -> None:
    assert says(DropCitation(), f"Tin rose by 4 % {citation}. Lead (the metal) fell.") == (
        "Tin rose by 4 %. Lead (the metal) fell."
    )


def test_citations_of_a_block_are_left_out() -> None:
    cited = {"type": "text", "text": "Tin rose.", "citations": [{"type": "char_location", "cited_text": "Tin rose."}]}
    reply = DropCitation().on_reply(FREE, Reply(body=Message([cited])), History(), "r1")
    assert reply is not None and reply.message is not None and list(reply.message.content) == [text_block("Tin rose.")]


def test_a_reply_without_sources_is_left_alone() -> None:
    assert says(DropCitation(), "Tin rose by 4 % (a lot) in array[i].") is None


# --- contradictions ---------------------------------------------------------------------------


def test_a_statement_is_denied() -> None:
    text = "It went well. Tin rose by 4 %. Lead fell by 2 %."
    assert says(Contradict(), text) == "It went well. It is not true that Tin rose by 4 %. Lead fell by 2 %."
    assert says(Contradict(nth=2), text) == "It went well. Tin rose by 4 %. It is not true that Lead fell by 2 %."
    assert says(Contradict(nth=3), text) is None


FAULTS: list[Any] = [SeedClaim(claim=CLAIM), CorruptNumber(), FabricateCitation(), DropCitation(), Contradict()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_what_is_no_message_is_left_alone(fault: Fault) -> None:
    assert made(fault, Reply(status=529, body=ApiError("overloaded_error", "Overloaded"))) is None
