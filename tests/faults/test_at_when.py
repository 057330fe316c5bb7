"""Where and when: which calls a rule matches, and when it has ended."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dissonance.faults import At, RejectWork, Rule, When
from dissonance.harness.call import Call, FaultMark, tool_use

CALL = Call(
    id=7,
    agent="researcher-2",
    system="You are the researcher.",
    messages=[
        {"role": "user", "content": "Look at ACME."},
        {"role": "assistant", "content": [tool_use("search", {"query": "ACME"}, "toolu_1")]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Shares fell."}]},
    ],
    tools=[{"name": "fetch", "input_schema": {"type": "object"}}],
)


@pytest.mark.parametrize(
    ("at", "matches"),
    [
        (At(), True),
        (At(agent="researcher-2"), True),
        (At(agent="research*"), True),
        (At(agent="researcher-[12]"), True),
        (At(agent="Researcher-2"), False),
        (At(agent="researcher"), False),
        (At(text="ACME"), True),
        (At(text="acme"), False),
        (At(text="You are the"), True),
        (At(text="Shares fell"), True),
        (At(tool="fetch"), True),
        (At(tool="search"), True),
        (At(tool="write"), False),
        (At(agent="research*", text="none"), False),
        (At(endpoint="count_tokens"), False),
    ],
    ids=repr,
)
def test_where(at: At, matches: bool) -> None:
    assert at.matches(CALL) is matches


@pytest.mark.parametrize(
    ("when", "matched", "ends"),
    [
        (When(), [1, 2, 3, 4, 5, 6, 7], None),
        (When(call=2), [2], 2),
        (When(calls=(5, 2)), [2, 5], 5),
        (When(from_call=5), [5, 6, 7], None),
        (When(until_call=3), [1, 2, 3], 3),
        (When(from_call=2, until_call=4), [2, 3, 4], 4),
        (When(every=3), [3, 6], None),
        (When(every=3, from_call=1), [1, 4, 7], None),
        (When(every=3, from_call=2, until_call=7), [2, 5], 5),
    ],
    ids=repr,
)
def test_which_calls(when: When, matched: list[int], ends: int | None) -> None:
    """``ends`` is the call at which nothing can match any more; calls are sent a second apart here."""
    calls = [Call(id=n, ordinal=n, sent_at=float(n)) for n in range(1, 8)]
    assert [call.ordinal for call in calls if when.matches(call)] == matched
    assert [when.ends_at(call) for call in calls if when.matches(call)] == [
        float(n) if n == ends else None for n in matched
    ]


@pytest.mark.parametrize(
    ("when", "matched"),
    [(When(), [1, 2, 3]), (When(attempt=2), [2]), (When(call=2), [])],
    ids=repr,
)
def test_which_attempts(when: When, matched: list[int]) -> None:
    calls = [Call(id=n, ordinal=1, attempt=n) for n in (1, 2, 3)]
    assert [call.attempt for call in calls if when.matches(call)] == matched


@pytest.mark.parametrize(
    ("when", "matched"),
    [(When(after=1), [1.0, 2.0]), (When(before=2), [0.0, 1.0]), (When(after=1, before=2), [1.0])],
    ids=repr,
)
def test_a_window_begins_with_after_and_ends_before_before(when: When, matched: list[float]) -> None:
    calls = [Call(id=n, sent_at=float(n)) for n in (0, 1, 2)]
    assert [call.sent_at for call in calls if when.matches(call)] == matched


def test_a_window_says_when_it_ends() -> None:
    call = Call(id=1, ordinal=3, sent_at=4.0)
    assert (When(before=20).ends_at(call), When(before=20, until_call=3).ends_at(call)) == (20.0, 4.0)


@pytest.mark.parametrize(
    ("selectors", "told"),
    [
        ({"call": 1, "from_call": 1}, "call already says which calls; leave out from_call, or call"),
        ({"call": 1, "calls": (1,)}, "call already says which calls; leave out calls, or call"),
        (
            {"calls": (1,), "every": 2, "until_call": 4},
            "calls already says which calls; leave out until_call and every",
        ),
        ({"from_call": 3, "until_call": 2}, "the first one would be 3, but until_call is 2; raise until_call"),
        ({"every": 5, "until_call": 4}, "the first one would be 5, but until_call is 4; raise until_call"),
        ({"after": 2, "before": 2}, "no time is left between after=2 and before=2; swap them"),
        ({"call": 0}, "greater than or equal to 1"),
        ({"calls": ()}, "at least 1 item"),
        ({"calls": (1, -1)}, "greater than or equal to 1"),
        ({"every": -2}, "greater than or equal to 1"),
        ({"attempt": 0}, "greater than or equal to 1"),
        ({"after": -1}, "greater than or equal to 0"),
        ({"before": 0}, "greater than 0"),
        ({"before": float("inf")}, "finite number"),
        ({"call": "1"}, "valid integer"),
        ({"call": True}, "valid integer"),
    ],
    ids=str,
)
def test_selectors_that_contradict_or_leave_nothing(selectors: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        When.model_validate(selectors)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Rule(fault=RejectWork()), "on every call, the model rejects the work"),
        (Rule(at=At(text="A"), fault=RejectWork()), "on every call, where the request contains 'A', the model"),
        (Rule(at=At(agent="a*"), fault=RejectWork()), "on every call of agents like 'a*', the model"),
        (Rule(at=At(tool="t", endpoint="count_tokens"), fault=RejectWork()), "offered or used, at the endpoint count"),
        (Rule(when=When(from_call=2), fault=RejectWork()), "on every call from the 2nd on, the model"),
        (Rule(when=When(until_call=3), fault=RejectWork()), "on every call up to the 3rd, the model"),
        (Rule(when=When(every=11), fault=RejectWork()), "on every 11th call, the model"),
        (Rule(when=When(every=2, from_call=1), fault=RejectWork()), "on every 2nd call from the 1st on, the model"),
        (Rule(when=When(call=1, attempt=2), fault=RejectWork()), "on call 1, attempt 2 only, the model"),
        (Rule(when=When(after=5), fault=RejectWork()), "on every call, sent from 5 s on, the model"),
        (Rule(when=When(after=5, before=6), fault=RejectWork()), "on every call, sent between 5 s and 6 s, the model"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Rule) else "",
)
def test_a_rule_in_english(rule: Rule, sentence: str) -> None:
    assert sentence in rule.sentence()


def test_the_mark_of_a_rule() -> None:
    rule = Rule(when=When(call=1), fault=RejectWork())
    assert rule.mark(Call(id=1, sent_at=2.5)) == FaultMark(fault="RejectWork", ends_at=2.5)
