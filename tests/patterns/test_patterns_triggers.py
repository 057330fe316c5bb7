"""Signals from outside the agent: what was seen on the way, and what stands in the action."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from dissonance.patterns import Agent, Proposal, solo
from dissonance.patterns.proposal import Thresholds
from dissonance.patterns.triggers import (
    Case,
    Seen,
    amount_over,
    length_outlier,
    schema_failures,
    tool_error_rate,
)
from dissonance.patterns.weighing import weigh

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

GOOD = '{"action": "Refund 7 dollars.", "summary": "s", "confidence": 1.0}'


def read(page: int) -> str:
    """Read a page."""
    if page > 2:
        raise LookupError("no such page")
    return "text"


CLERK = Agent("clerk", "Propose.", tools=(read,), tries=4)


def weighed(wire: Wire, replies: list[Any], *triggers: Any) -> Any:
    """The proposal as it is kept."""
    propose = solo(wire({"clerk": replies}), CLERK, Proposal[str])
    outcome = asyncio.run(weigh("Go.", propose, guards=(), triggers=triggers, thresholds=Thresholds()))
    return outcome.require()


def case(action: Any) -> Case:
    return Case(task="", action=action, confidence=1.0, seen=Seen())


@pytest.mark.parametrize(
    ("replies", "reasons"),
    [
        ([GOOD], []),
        (["no JSON", GOOD], ["1 of 2 replies did not fit their schema"]),
        (["no JSON", '{"action": 1}', GOOD], ["2 of 3 replies did not fit their schema"]),
    ],
    ids=["none", "one", "two"],
)
def test_replies_that_did_not_parse_are_counted(wire: Wire, replies: list[Any], reasons: list[str]) -> None:
    kept = weighed(wire, replies, schema_failures())
    assert (kept["reasons"], kept["route"]) == (reasons, "review" if reasons else "auto")


def test_so_many_may_be_allowed(wire: Wire) -> None:
    assert weighed(wire, ["no JSON", GOOD], schema_failures(at_most=1))["route"] == "auto"


@pytest.mark.parametrize(
    ("pages", "reasons"),
    [
        ([1, 2], []),
        ([1, 2, 1, 3], []),
        ([1, 2, 3], ["1 of 3 tool calls were errors"]),
        ([3], ["1 of 1 tool calls were errors"]),
    ],
    ids=["none", "a quarter", "a third", "all"],
)
def test_errors_of_tools_are_counted_over_all_turns(wire: Wire, pages: list[int], reasons: list[str]) -> None:
    turns = [wire.use(("read", {"page": page})) for page in pages]
    assert weighed(wire, [*turns, GOOD], tool_error_rate(at_most=0.25))["reasons"] == reasons


@pytest.mark.parametrize(("length", "fires"), [(19, True), (20, False), (60, False), (61, True)])
def test_far_is_three_interquartile_ranges_outside_the_quartiles(length: int, fires: bool) -> None:
    """Of 30, 36, 40, 44, 50 the quartiles are 36 and 44, the range is 8: from 12 to 68; at 2 ranges from 20 to 60."""
    trigger = length_outlier([30, 36, 40, 44, 50], fence=2.0)
    expected = f"{length} characters, where 20 to 60 are usual" if fires else None
    assert trigger(case("x" * length)) == expected


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ({"amount": 10_000}, None),
        ({"amount": 10_000.01}, "10,000.01"),
        ({"refund": {"total_usd": "12,500"}}, "12,500"),
        ({"payments": [{"amount": 3}, {"amount": 20_000}]}, "20,000"),
        ({"amount": -20_000}, "-20,000"),
        ("Send $10,500 to ACME.", "10,500"),
        ("Send USD 1.5 million to ACME.", "1,500,000"),
        ("Order 123456 for $20.", None),
        ({"order": 123_456, "paid": True}, None),
    ],
)
def test_an_amount_is_found_wherever_it_stands(action: Any, found: str | None) -> None:
    expected = None if found is None else f"an amount of {found} dollars is over 10,000"
    assert amount_over(10_000)(case(action)) == expected


def test_what_an_amount_is_may_be_said() -> None:
    assert amount_over(5, of=lambda action: [action["n"]])(case({"n": 6})) == "an amount of 6 dollars is over 5"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tool_error_rate(1.5), "at_most=1.5: give a share from 0 to 1"),
        (lambda: length_outlier([1, 2, 3]), "usual=[1, 2, 3]: give the lengths of at least 4 actions that were right"),
    ],
    ids=["share", "lengths"],
)
def test_bad_triggers_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message
