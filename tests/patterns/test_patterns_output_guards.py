"""Guards of outputs: what they let pass, what they hold, and what they tell the one who must put it right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dissonance.patterns import (
    CHECKER,
    Agent,
    CitationGate,
    CrossCheck,
    Grounding,
    Provenance,
    Quarantine,
    Signal,
    Source,
    Stop,
    solo,
    supervise,
)

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

WRITER = Agent("writer", "Write.")
SOURCES = {"register": "ACME was founded in 1987 in Oslo.", "report": "In 2025 ACME had 1,200 staff."}
GATE = CitationGate(SOURCES)


# --- citations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "feedback"),
    [
        pytest.param("ACME was founded in 1987 [register].", "", id="cited"),
        pytest.param("Founded in 1987. [register] It has 1200 staff. [report]", "", id="after the full stop"),
        pytest.param("ACME is in Oslo.", "", id="no figure, no need"),
        pytest.param("ACME was founded in 1987.", "It cites no source: ACME was founded in 1987.", id="uncited"),
        pytest.param(
            "ACME was founded in 1989 [register].",
            "1989 does not stand in register: ACME was founded in 1989.",
            id="the source does not say so",
        ),
        pytest.param(
            "It has 1,200 staff [register].",
            "1200 does not stand in register: It has 1,200 staff.",
            id="the wrong source",
        ),
        pytest.param("From 1987 to 2025 [register] [report].", "", id="two sources"),
        pytest.param("ACME is in Oslo [memo].", "There is no source memo: ACME is in Oslo.", id="an invented source"),
        pytest.param(
            "Founded in 1989 [memo].\nIt has 7 staff.",
            "There is no source memo: Founded in 1989.\nIt cites no source: It has 7 staff.",
            id="all that is wrong",
        ),
    ],
)
def test_citation_gate(output: str, feedback: str) -> None:
    assert GATE.verify("", output) == Signal(not feedback, feedback, sources=GATE.verify("", output).sources)


def test_what_is_cited_becomes_a_source(wire: Wire) -> None:
    client = wire({"writer": ["Founded in 1987 [register]."]})
    outcome = asyncio.run(solo(client, WRITER, guards=[GATE])("When?"))
    assert outcome.provenance == Provenance(
        by="writer", sources=(Source("register", verified=True),), verified_by=("citation_gate",)
    )
    assert "Cite the source of each statement as [id]. The sources are: register, report." in wire.requests[0]["system"]


def test_a_supervisor_has_it_put_right_by_specific_feedback(wire: Wire) -> None:
    client = wire({"writer": ["Founded in 1989 [register].", "Founded in 1987 [register]."]})
    result = asyncio.run(supervise(client, workers=[WRITER], checks=[GATE.verify])("When?"))
    assert (result.output, len(result.attempts)) == ("Founded in 1987 [register].", 2)
    assert "1989 does not stand in register" in wire.prompts("writer")[1]


@given(st.integers(1000, 9999), st.integers(1000, 9999))
def test_a_figure_passes_exactly_where_its_source_has_it(stated: int, true: int) -> None:
    gate = CitationGate({"a": f"It is {true:,}."})
    assert gate.verify("", f"It is {stated} [a].").passed == (stated == true)


# --- grounding --------------------------------------------------------------------------------

TABLE = {"founded": "1987", "city": "Oslo"}
PATTERNS = {"founded": r"founded in ([\w ]+?)[.,]", "city": r"based in (\w+)"}


class Profile(BaseModel):
    founded: int
    city: str


@pytest.mark.parametrize(
    ("output", "feedback"),
    [
        pytest.param("It was founded in 1987.", "", id="agrees"),
        pytest.param("Founded in the year 1987, based in OSLO", "", id="agrees, in other words"),
        pytest.param("It is good.", "", id="states no critical fact"),
        pytest.param(
            "Founded in 1989.", "founded: the source says '1987', the output something else", id="contradicts the table"
        ),
        pytest.param(
            "Founded in 1987. Others say it was founded in 1989.",
            "founded: the source says '1987', the output something else",
            id="right once and wrong once",
        ),
    ],
)
def test_grounding(output: str, feedback: str) -> None:
    signal = asyncio.run(Grounding(PATTERNS, TABLE).verify("", output))
    assert (signal.passed, signal.feedback) == (not feedback, feedback)


def fields(profile: Profile) -> Mapping[str, str]:
    return {"founded": str(profile.founded), "city": profile.city}


async def looked_up(fact: str) -> str | None:
    await asyncio.sleep(0)
    return TABLE.get(fact)


@pytest.mark.parametrize("source", [TABLE, TABLE.get, looked_up], ids=["table", "function", "async function"])
def test_typed_output_is_held_against_any_source(source: Any) -> None:
    grounding = Grounding(fields, source)
    good, bad = (asyncio.run(grounding.verify("", Profile(founded=year, city="Oslo"))) for year in (1987, 1989))
    assert (good.passed, good.sources) == (True, (Source("founded", verified=True), Source("city", verified=True)))
    assert bad.feedback == "founded: the source says '1987', the output something else"


@pytest.mark.parametrize("unknown", [False, True])
def test_a_fact_that_the_source_does_not_know(unknown: bool) -> None:
    signal = asyncio.run(Grounding(PATTERNS, {}, unknown=unknown).verify("", "Founded in 1987."))
    said = "" if unknown else "founded: nothing is known of it outside, so the output must not state it"
    assert (signal.passed, signal.feedback) == (unknown, said)


# --- cross-check ------------------------------------------------------------------------------


def verdicts(*supported: bool) -> str:
    return json.dumps({f"claim_{n}": {"supported": each, "why": "w"} for n, each in enumerate(supported, 1)})


OUTPUT = "My reasoning is long. Founded in 1987. It has 7 staff."


@pytest.mark.parametrize(
    ("reply", "feedback"),
    [
        pytest.param(verdicts(True, True), "", id="both supported"),
        pytest.param(verdicts(True, False), "Not supported: It has 7 staff. (w)", id="one is not"),
    ],
)
def test_cross_check(wire: Wire, reply: str, feedback: str) -> None:
    signal = asyncio.run(CrossCheck(wire({"checker": [reply]})).verify("the task", OUTPUT))
    assert (signal.passed, signal.feedback, signal.usage.calls) == (not feedback, feedback, 1)


def test_the_checker_sees_the_claims_and_the_evidence_and_nothing_else(wire: Wire) -> None:
    check = CrossCheck(wire({"checker": [verdicts(True, True)]}), evidence="The register says 1987.")
    asyncio.run(check.verify("the task", OUTPUT))
    assert wire.prompts("checker") == [
        "<evidence>\nThe register says 1987.\n</evidence>\n\n"
        "<claims>\n1. Founded in 1987.\n2. It has 7 staff.\n</claims>"
    ]


@pytest.mark.parametrize(
    ("reply", "damage", "calls"),
    [
        pytest.param({"content": [], "stop_reason": "refusal"}, "refused", 1, id="a refusal"),
        pytest.param(verdicts(True), "unparsable", 2, id="a claim without a verdict"),
    ],
)
def test_a_checker_that_is_no_use_does_not_let_pass(wire: Wire, reply: Any, damage: str, calls: int) -> None:
    signal = asyncio.run(CrossCheck(wire({"checker": [reply] * 2})).verify("", OUTPUT))
    assert signal.feedback.startswith(
        f"The cross-check gave no usable answer: the reply to agent 'checker' is {damage}"
    )
    assert (signal.passed, signal.usage.calls) == (False, calls)


def test_an_output_without_claims_is_not_asked_about(wire: Wire) -> None:
    assert asyncio.run(CrossCheck(wire({})).verify("", "It is good.")) == Signal(True)


def test_many_claims_are_asked_about_in_several_calls(wire: Wire) -> None:
    client = wire({"checker": [verdicts(*[True] * 50), verdicts(False)]})
    signal = asyncio.run(CrossCheck(client).verify("", "\n".join(f"It has {n} staff." for n in range(51))))
    assert (signal.feedback, signal.usage.calls) == ("Not supported: It has 50 staff. (w)", 2)


def test_its_cost_is_counted(wire: Wire) -> None:
    client = wire({"writer": ["Founded in 1987."], "checker": [verdicts(True)]})
    outcome = asyncio.run(solo(client, WRITER, guards=[CrossCheck(client, CHECKER)])("When?"))
    assert (outcome.usage.calls, outcome.provenance and outcome.provenance.verified_by) == (2, ("cross_check",))


# --- quarantine -------------------------------------------------------------------------------


class Finding(BaseModel):
    reasoning: str
    year: int


UNVERIFIED = Provenance(by="researcher")


def test_a_verified_output_passes_untouched() -> None:
    finding = Finding(reasoning="It must be.", year=1987)
    assert Quarantine(withhold=True).admit("finding", finding, UNVERIFIED.confirmed("grounding")) == (finding, None)


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(Finding(reasoning="It must be.", year=1987), id="a field"),
        pytest.param("<reasoning>\nIt must be.\n</reasoning>\nIt is 1987.", id="a tag"),
        pytest.param("<thinking>It must be.", id="a tag that is never closed"),
        pytest.param("Rationale: It must be.\nReally.\n\nIt is 1987.", id="a paragraph with a label"),
    ],
)
def test_an_unverified_output_loses_its_reasoning_and_is_marked(output: Any) -> None:
    shown, stop = Quarantine().admit("finding", output, UNVERIFIED)
    assert ("It must be" in shown, stop) == (False, None)
    assert shown.startswith('<unverified by="researcher">')
    assert shown.endswith("This is evidence, not fact.")


def test_it_may_be_withheld() -> None:
    stop = Stop("quarantine", "finding by researcher is not verified")
    assert Quarantine(withhold=True).admit("finding", "It is 1987.", UNVERIFIED) == (None, stop)
