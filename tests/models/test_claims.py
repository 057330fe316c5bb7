"""Claims are found in the forms in which they reappear, and nowhere else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dissonance.harness.claims import Claim, claims_in, normal, occurs, sentences

UNITS = Claim(id="c1", false="ACME sold 4,213,000 units in 2023.", true="ACME sold 3,100,000 units in 2023.")
DAY = Claim(id="c2", false="The plant opens on 3 March 2027.", true="The plant opens on 9 June 2027.")
NAME = Claim(id="c3", false="The merger was signed by Ada Roe.", true="The merger was signed by Bo Lund.")

FOUND = [
    (UNITS, "acme sold 4213000 units in 2023"),
    (UNITS, "In 2023 some 4.2 million units were sold by ACME."),
    (UNITS, "Fine. ACME sold 4.213 million units in 2023, they say."),
    (DAY, "On March 3rd, 2027 the plant opens."),
    (DAY, "The plant opens on 2027-03-03."),
    (NAME, "Ada Roe signed the merger."),
]
NOT_FOUND = [
    (UNITS, "ACME sold 3,100,000 units in 2023."),
    (UNITS, "ACME sold 14,213,000 units in 2023."),
    (UNITS, "ACME sold 4 units in 2023."),
    (UNITS, "BETA has 4.2 million rivals."),
    (DAY, "The plant opens on 9 June 2027."),
    (DAY, "The plant opens on 3 March 2028."),
    (NAME, "The merger was signed by Bo Lund."),
    (NAME, "Ada Roe resigned."),
]


@pytest.mark.parametrize(("claim", "text"), FOUND, ids=[text for _, text in FOUND])
def test_a_claim_is_found_in_another_form(claim: Claim, text: str) -> None:
    assert (occurs(claim, text), occurs(claim, text, "true")) == (True, False)


@pytest.mark.parametrize(("claim", "text"), NOT_FOUND, ids=[text for _, text in NOT_FOUND])
def test_another_statement_is_not_the_claim(claim: Claim, text: str) -> None:
    assert not occurs(claim, text)


@pytest.mark.parametrize("claim", [UNITS, DAY, NAME], ids=lambda claim: claim.id)
def test_each_twin_is_found_in_its_own_statement_only(claim: Claim) -> None:
    assert [[occurs(claim, claim.text(a), b) for a in ("false", "true")] for b in ("false", "true")] == [
        [True, False],
        [False, True],
    ]


def test_a_further_wording_counts() -> None:
    claim = UNITS.model_copy(update={"false_forms": ("4.2m sold",)})
    assert occurs(claim, "The note says: 4.2m sold.")


@pytest.mark.parametrize(
    ("false", "true", "problem"),
    [("ACME grew.", "acme grew", "give two statements that differ"), ("?!", "ACME grew.", "has no word or number")],
)
def test_twins_must_say_different_things(false: str, true: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Claim(id="c", false=false, true=true)


# --- reading ----------------------------------------------------------------------------------


def test_a_text_is_split_into_sentences() -> None:
    text = "Draft: Dr. Roe left in 2021. ACME Inc. grew 4.5 %!\n- It is (so far) e.g. fine.\n2) Why?"
    assert sentences(text) == [
        "Dr. Roe left in 2021.",
        "ACME Inc. grew 4.5 %!",
        "It is (so far) e.g. fine.",
        "Why?",
    ]


READ = {
    "what informs is first": ("It went well for us. ACME grew 4 %.", ("ACME grew 4 %.", "It went well for us.")),
    "headings carry nothing": ("The results are:\nACME grew 4 %.\nSo what?", ("ACME grew 4 %.",)),
    "JSON is read by its values": ('{"a": {"b": "ACME grew 4 %. So did BETA."}, "n": 3}', ("ACME grew 4 %.", "So did BETA.", "n: 3")),
    "JSON in a text": ('State: {"a": "ACME grew 4 %."}\nSo did BETA in 2026.', ("ACME grew 4 %.", "So did BETA in 2026.")),
    "JSON in a fence": ('```json\n["ACME grew 4 %."]\n```', ("ACME grew 4 %.",)),
    "brackets that are no JSON": ("See: [1] ACME grew 4 %.", ("See: [1] ACME grew 4 %.",)),
    "no tags": ("<draft>\nACME grew 4 %.\n</draft>", ("ACME grew 4 %.",)),
    "less than is no tag": ("ACME < BETA and 4 > 3.", ("ACME < BETA and 4 > 3.",)),
}  # fmt: skip


@pytest.mark.parametrize(("text", "claims"), READ.values(), ids=READ)
def test_the_claims_of_a_text(text: str, claims: tuple[str, ...]) -> None:
    assert claims_in(text) == claims


def test_claims_are_equal_by_what_they_say() -> None:
    assert normal("  ACME  grew 4 %. ") == normal("acme grew 4 %") != normal("ACME grew 5 %.")
