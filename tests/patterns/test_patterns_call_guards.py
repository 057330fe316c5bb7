"""Guards of model calls: dollars, the context window, a model that is down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from itertools import repeat
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patterns.conftest import tokens_of
from worlds import succeed

from dissonance.patterns import (
    Agent,
    CircuitBreaker,
    DollarBudget,
    Halted,
    Meter,
    Price,
    Question,
    Refused,
    TokenLedger,
    Usage,
    Worker,
    contains,
    solo,
    supervise,
    tool_loop,
)
from dissonance.patterns.guards import Rounds
from dissonance.patterns.guards.compaction import pieces_of

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

WRITER = Agent("writer", "Write.", max_tokens=100, tries=1)
LONG = Agent("writer", "Write.", max_tokens=10_000)
SONNET = {"claude-sonnet-5-5": Price(input=2, output=10)}


def overloaded() -> httpx2.Response:
    return httpx2.Response(529, json={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


def bad_request() -> httpx2.Response:
    return httpx2.Response(400, json={"type": "error", "error": {"type": "invalid_request_error", "message": "no"}})


def spent(wire: Wire) -> float:
    """What the scripted API bills: 10 tokens in, 2 out a call."""
    return len(wire.requests) * SONNET["claude-sonnet-5-5"].of(Usage(1, 10, 2))


# --- dollars ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "usage", "usd"),
    [
        pytest.param(Price(input=2, output=10), Usage(1, 1_000_000, 100_000), 3.0, id="input and output"),
        pytest.param(Price(input=2, output=10), Usage(1, 0, 0, 500_000, 500_000), 2.0, id="a cache without a price"),
        pytest.param(
            Price(input=2, output=10, cache_write=2.5, cache_read=0.1),
            Usage(1, 0, 0, 1_000_000, 1_000_000),
            2.6,
            id="a cache with prices",
        ),
    ],
)
def test_price(price: Price, usage: Usage, usd: float) -> None:
    assert price.of(usage) == pytest.approx(usd)


def test_a_loop_ends_before_it_is_over_budget(wire: Wire) -> None:
    client = wire({"writer": repeat("soon")})
    budget = DollarBudget(0.0025, SONNET)
    review = supervise(client, workers=[WRITER], checks=[contains("May 1")], guards=[budget])
    result = asyncio.run(review("Go"))
    assert (result.finished, result.stopped_by, result.output) == (False, "dollar_budget", "soon")
    assert 0 < spent(wire) <= 0.0025
    worst = SONNET["claude-sonnet-5-5"].at_most(tokens_of(wire.counted[-1]), WRITER.max_tokens)
    assert spent(wire) + worst > 0.0025, "it stopped although the next call would have fitted"


def test_without_it_the_loop_runs_away(wire: Wire) -> None:
    client = wire({"writer": repeat("soon")}, limit=60)
    with pytest.raises(wire.RanAway):
        asyncio.run(supervise(client, workers=[WRITER], checks=[contains("May 1")])("Go"))


def admitted(meter: Meter, wire: Wire, calls: int) -> list[Question]:
    """The questions that the meter lets pass, of so many asked at once."""

    async def asking() -> list[Question]:
        passed = []
        for _ in range(calls):
            with contextlib.suppress(Refused):
                passed.append(await meter.before(Question(LONG, wire({}), ({"role": "user", "content": "Go"},))))
        return passed

    return asyncio.run(asking())


def test_concurrent_calls_can_not_overspend_together(wire: Wire) -> None:
    """Each of ten might fit alone; what those before it may cost, 0.1 for the reply and some input, is reserved."""
    assert len(admitted(DollarBudget(0.45, SONNET).meter(), wire, 10)) == 4


@pytest.mark.parametrize(
    ("error", "left"),
    [
        pytest.param(None, 3, id="an answer is billed by its usage"),
        pytest.param(asyncio.CancelledError(), 2, id="a call that was cut may be billed in full"),
        pytest.param(Halted(Rounds([]), "other", "no", "writer"), 3, id="a call that was refused is not billed"),
        pytest.param(anthropic.APIConnectionError(request=Mock()), 2, id="nor is it known of a lost connection"),
        pytest.param(anthropic.APIStatusError("", response=Mock(), body=None), 3, id="an error of the API is free"),
    ],
)
def test_what_a_call_has_cost(wire: Wire, error: BaseException | None, left: int) -> None:
    """The budget has room for three calls at a time, and a little more."""
    meter = DollarBudget(0.35, SONNET).meter()
    (question,) = admitted(meter, wire, 1)
    meter.after(question, Usage(1, 10, 2) if error is None else Usage(), error)
    assert len(admitted(meter, wire, 9)) == left


def test_a_model_without_a_price_is_refused(wire: Wire) -> None:
    outcome = asyncio.run(solo(wire({}), WRITER, guards=[DollarBudget(9, {"other": Price(input=1, output=1)})])("Go"))
    assert outcome.reason == "there is no price for the model 'claude-sonnet-5-5'"


# --- the context window -------------------------------------------------------------------------

FACT = "The refund is 4,310 US dollars."
RULE = "Never promise a date."
LEDGER = TokenLedger(window=9000, pinned=(FACT, RULE))


def page(number: int) -> str:
    """Read a page."""
    return f"Page {number}. " + "Lorem ipsum dolor sit amet. " * 250


def reading(wire: Wire, pages: int) -> list[Any]:
    return [*(wire.use(("page", {"number": number}), text=f"Reading {number}.") for number in range(pages)), "Done."]


def test_a_conversation_is_compacted_before_the_window_is_full(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    client = wire({"reader": reading(wire, 8), "compactor": repeat("Pages were read.")})
    reader = Agent("reader", "Read.", max_tokens=100)
    with caplog.at_level(logging.INFO, logger="dissonance.patterns"):
        outcome = asyncio.run(tool_loop(client, reader, tools=[page], guards=[LEDGER])(f"{FACT} {RULE} Go."))
    sizes = [tokens_of(request) for request in wire.requests if "reader" in request["system"]]
    events = [vars(record)["event"] for record in caplog.records]
    assert (outcome.finished, len(sizes)) == (True, 9)
    assert max(sizes) <= 0.8 * (9000 - 100)
    assert events, "nothing was compacted"
    assert all(event["kind"] == "compaction" and event["after"] < event["before"] for event in events)
    assert outcome.usage.calls == len(wire.requests), "the compactor's calls are paid for, too"


def test_without_it_the_conversation_outgrows_the_window(wire: Wire) -> None:
    client = wire({"reader": reading(wire, 8)})
    asyncio.run(tool_loop(client, Agent("reader", "Read.", max_tokens=100), tools=[page])(f"{FACT} {RULE} Go."))
    assert max(tokens_of(request) for request in wire.requests) > 9000


def test_what_is_pinned_stands_in_every_compacted_request_and_no_tool_result_loses_its_call(wire: Wire) -> None:
    """The compactor forgets everything; the facts were in a tool's result, which is compacted away."""
    wire_client = wire({"reader": reading(wire, 8), "compactor": repeat("Pages were read.")})
    reader = Agent("reader", "Read.", max_tokens=100)
    asyncio.run(tool_loop(wire_client, reader, tools=[page], guards=[LEDGER])("Go."))
    compacted = [request for request in wire.requests if "<summary>" in json.dumps(request["messages"])]
    assert compacted
    for request in compacted:
        text = json.dumps(request["messages"], ensure_ascii=False)
        assert (FACT in text, RULE in text) == (True, True)
        calls = {block["id"] for turn in request["messages"] for block in turn["content"] if isinstance(block, dict) and block["type"] == "tool_use"}  # fmt: skip
        results = {block["tool_use_id"] for turn in request["messages"] for block in turn["content"] if isinstance(block, dict) and block["type"] == "tool_result"}  # fmt: skip
        assert calls == results


def test_one_prompt_of_a_long_state_is_compacted_piece_by_piece(wire: Wire) -> None:
    state = "\n".join(f"Row {number}: nothing to see here." for number in range(2000))
    client = wire({"writer": ["Done."], "compactor": repeat("Rows without interest.")})
    outcome = asyncio.run(solo(client, WRITER, guards=[LEDGER])(f"Summarise.\n{state}\nEnd of the state."))
    pieces = [request["messages"][0]["content"] for request in wire.requests[:-1]]
    assert (outcome.finished, len(pieces) > 5) == (True, True)
    assert all(f"Row {number}:" in "".join(pieces) for number in range(2000)), "a part of the state was dropped unread"
    sent = wire.requests[-1]["messages"][0]["content"]
    assert sent.startswith("Summarise.") and "End of the state." in sent and FACT in sent


def test_a_context_that_does_not_fit_even_so_is_refused_and_names_the_guard(wire: Wire) -> None:
    """The compactor's summaries are as long as what they summarise."""
    client = wire({"writer": ["Done."], "compactor": repeat("wordy " * 3000)})
    outcome = asyncio.run(solo(client, WRITER, guards=[LEDGER])("x " * 30_000))
    assert outcome.stopped_by == "token_ledger"
    assert "tokens even when compacted, 7120 are allowed" in str(outcome.reason)
    assert [request for request in wire.requests if "writer" in request["system"]] == []


def test_without_a_compactor_what_is_too_long_is_refused(wire: Wire) -> None:
    ledger = TokenLedger(window=1000, compactor=None)
    outcome = asyncio.run(solo(wire({}), WRITER, guards=[ledger])("x " * 10_000))
    assert (outcome.stopped_by, outcome.reason) == (
        "token_ledger",
        "writer's request has 5017 tokens where 720 are allowed",
    )


def test_a_compactor_that_fails_refuses_the_call(wire: Wire) -> None:
    client = wire({"compactor": repeat(wire.say("no", "refusal"))})
    outcome = asyncio.run(solo(client, WRITER, guards=[LEDGER])("x " * 30_000))
    assert str(outcome.reason).startswith(
        "the context could not be compacted: the reply to agent 'compactor' is refused"
    )


def test_far_from_the_limit_it_counts_nothing(wire: Wire) -> None:
    client = wire({"writer": ["Done."]})
    asyncio.run(solo(client, WRITER, guards=[LEDGER])("Go"))
    assert wire.counted == []


@given(st.text(max_size=300), st.integers(8, 60))
def test_pieces_hold_all_of_a_text(text: str, most: int) -> None:
    pieces = list(pieces_of(text, most))
    assert all(len(piece.encode()) <= most for piece in pieces)
    if text.isascii():
        assert "".join(pieces).strip() == text.strip()


# --- a model that is down -----------------------------------------------------------------------


def ask_for(seconds: list[float], wire: Wire, breaker: CircuitBreaker, replies: list[Any]) -> list[str]:
    """What becomes of a call at each of these times."""
    client = wire({"writer": iter(replies)})

    async def asking() -> list[str]:
        became = []
        clock = asyncio.get_running_loop()
        for at in seconds:
            await asyncio.sleep(at - clock.time())
            async with Rounds([breaker]) as rounds:
                try:
                    became.append((await WRITER.ask(client, "Go")).text)
                except (anthropic.APIStatusError, anthropic.APIConnectionError):
                    became.append("error")
                except Exception as error:
                    if isinstance(error, Halted):
                        raise
                    became.append("damaged")
            if rounds.stop:
                became.append(rounds.stop.guard)
        return became

    result: list[str] = succeed(asking).result
    return result


def test_it_opens_leaves_the_model_alone_and_tries_again(wire: Wire) -> None:
    breaker = CircuitBreaker(failures=2, seconds=30)
    replies = [overloaded(), wire.say(""), overloaded(), "up again", "still up"]
    became = ask_for([0, 1, 2, 30, 31, 60, 61, 62], wire, breaker, replies)
    assert became == [
        "error",
        "damaged",
        "circuit_breaker",
        "circuit_breaker",
        "error",
        "circuit_breaker",
        "up again",
        "still up",
    ]


def test_an_answer_in_between_begins_the_count_anew(wire: Wire) -> None:
    replies = [overloaded(), "up", overloaded(), "up"]
    assert ask_for([0, 1, 2, 3], wire, CircuitBreaker(failures=2), replies) == ["error", "up", "error", "up"]


def test_the_callers_own_mistakes_do_not_open_it(wire: Wire) -> None:
    assert ask_for([0, 1, 2], wire, CircuitBreaker(failures=1), [bad_request(), bad_request(), "up"])[-1] == "up"


def test_other_models_are_not_concerned(wire: Wire) -> None:
    """A worker whose model is down loses the task to one with another model."""
    breaker = CircuitBreaker(failures=1)
    other = Agent("other", "Write.", model="claude-haiku-5-5", tries=1)
    client = wire({"writer": repeat(wire.say("")), "other": repeat("May 1")})
    workers = [Worker(agent.name, solo(client, agent, guards=[breaker])) for agent in (WRITER, other)]
    review = supervise(client, workers=workers, checks=[contains("May 1")], attempts_per_worker=1)

    async def twice() -> list[list[str]]:
        return [[attempt.worker for attempt in (await review("Go")).attempts] for _ in range(2)]

    assert asyncio.run(twice()) == [["writer", "other"], ["writer", "other"]]
    assert wire.agents == ["writer", "other", "other"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DollarBudget(0, {}), "usd=0: give more than 0, or leave the guard out"),
        (lambda: CircuitBreaker(failures=0), "failures=0: give 1 or more, or leave the guard out"),
        (lambda: CircuitBreaker(seconds=0), "seconds=0: give more than 0, or leave the guard out"),
        (lambda: TokenLedger(window=9000, at=0), "at=0: give a share of the window, above 0 and up to 1"),
        (lambda: TokenLedger(window=9000, keep=-1), "keep=-1: give 0 or more messages"),
        (
            lambda: TokenLedger(window=6000),
            "window=6000: the compactor needs 6048 tokens for itself; give the model's real window",
        ),
    ],
    ids=["usd", "failures", "seconds", "at", "keep", "window"],
)
def test_bad_guards_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message
