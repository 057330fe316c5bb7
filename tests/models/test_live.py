"""The live model, with the loopback server in the place of the real API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest

from dissonance.faults import (
    CutStream,
    Disconnect,
    Fault,
    HttpError,
    Overflow,
    Overloaded,
    Rule,
    StreamError,
)
from dissonance.harness import (
    BadInput,
    Call,
    Live,
    Message,
    Reply,
    Run,
    Scripted,
    Usage,
    run,
    text_block,
    tool_use,
)
from dissonance.harness.models.ledger import Ledger
from dissonance.harness.models.spending import worst_cost
from dissonance.harness.serve import Server, serving
from dissonance.harness.wire.catalog import cost

MODEL = "claude-sonnet-4-6"
SAID = Message(
    content=[text_block("I look it up."), tool_use("look", {"at": [1, 2.5], "of": "ACME"}, id="toolu_1")],
    stop_reason="tool_use",
)
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 100,
    "system": "You are the writer.",
    "messages": [{"role": "user", "content": "What did ACME sell?"}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
}


@contextmanager
def upstream(said: Any = SAID, *faults: Fault) -> Iterator[tuple[Server, Live]]:
    """The stand-in for the real API, and a live model that asks it."""
    line = said if isinstance(said, Reply) else Reply(body=said, tokens_per_second=1e9)
    with serving(model=Scripted(line), plan=[Rule(fault=fault) for fault in faults], store=None) as server:
        live = Live(usd=1.0, api_key="sk-live-0123456789", base_url=server.run_url("real"))
        try:
            yield server, live
        finally:
            live.close()


def created(task: object = None) -> anthropic.types.Message:
    with anthropic.Anthropic(api_key="sk-mine", max_retries=0) as client:
        message: anthropic.types.Message = client.messages.create(**ASKED)
        return message


def streamed(task: object = None) -> anthropic.types.Message:
    with anthropic.Anthropic(api_key="sk-mine", max_retries=0) as client, client.messages.stream(**ASKED) as stream:
        return stream.get_final_message()


async def created_async(task: object = None) -> anthropic.types.Message:
    async with anthropic.AsyncAnthropic(api_key="sk-mine", max_retries=0) as client:
        message: anthropic.types.Message = await client.messages.create(**ASKED)
        return message


def played(workflow: Callable[..., Any], live: Live, *rules: Rule) -> Run:
    return run(workflow, model=live, plan=list(rules), store=None)


@pytest.mark.parametrize("workflow", [created, streamed, created_async])
def test_the_real_answer_comes_through_with_what_it_cost(workflow: Callable[..., Any]) -> None:
    with upstream() as (server, live):
        made = played(workflow, live)
        spent = live.spent
    (call,) = server.history("real").calls()
    (reply,) = made.history.replies()
    assert [block.type for block in made.result.content] == ["text", "tool_use"]
    assert made.result.content[1].input == {"at": [1, 2.5], "of": "ACME"}
    assert (made.tier, made.demoted_by, made.outcome) == ("T3", ("the live model",), "completed")
    assert reply.usage is not None and spent == made.usd == cost(reply.usage, MODEL) > 0
    assert call.stream and call.max_tokens == 100


def test_the_request_is_the_workflows_own_but_for_its_key() -> None:
    with upstream() as (server, live):
        made = played(created, live)
    (mine,), (theirs,) = made.history.calls(), server.history("real").calls()
    assert (mine.system, mine.tools, mine.messages, mine.params) == (
        theirs.system,
        theirs.tools,
        theirs.messages,
        theirs.params,
    )


def test_the_pace_is_the_real_one() -> None:
    """By a clock of the test's own: the first event comes after 2 s, the rest in 3 s."""
    readings = iter([0.0, 2.0, 5.0])
    with upstream() as (server, _):
        live = Live(usd=1.0, api_key="sk-live", base_url=server.run_url("real"), clock=lambda: next(readings))
        reply = live.ask(Call(id=0, model=MODEL, max_tokens=10, messages=ASKED["messages"]))
        live.close()
    assert reply.message is not None and reply.message.usage is not None and reply.tokens_per_second is not None
    assert reply.seconds == 2.0
    assert reply.message.usage.output_tokens / reply.tokens_per_second == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("fault", "workflow", "raised"),
    [
        (HttpError(status=429), created, "RateLimitError"),
        (Overloaded(), streamed, "OverloadedError"),
        (Disconnect(), created, "APIConnectionError"),
        (StreamError(after=1), streamed, "APIStatusError"),
        (StreamError(after=1), created, "OverloadedError"),
        (CutStream(after=1), created, "APIConnectionError"),
    ],
    ids=["429", "529", "reset", "error event", "error behind a call without a stream", "cut behind it"],
)
def test_what_goes_wrong_at_the_real_api_goes_wrong(fault: Fault, workflow: Callable[..., Any], raised: str) -> None:
    with upstream(SAID, fault) as (_, live):
        made = played(workflow, live)
    assert type(made.error).__name__ == raised


def test_a_stream_that_the_real_api_cuts_is_cut() -> None:
    with upstream(SAID, CutStream(after=1)) as (_, live):
        made = played(streamed, live)
    assert made.result.stop_reason is None
    assert made.history.replies()[0].ending == "cut"


def test_faults_work_in_front_of_it() -> None:
    with upstream() as (server, live):
        made = played(created, live, Rule(id="r1", fault=Overloaded()))
        assert (type(made.error).__name__, server.names(), live.spent) == ("OverloadedError", [], 0.0)
    assert (made.faults["r1"].fired, made.faults["r1"].changed, made.faults["r1"].reached) == (1, 1, 1)


def test_a_fault_of_the_request_changes_what_the_real_api_sees_and_asks_it_once() -> None:
    with upstream() as (server, live):
        made = played(created, live, Rule(id="r1", fault=Overflow(policy="drop_oldest_and_system", window=0.99)))
        (call,) = server.history("real").calls()
    assert made.error is None
    assert (call.system, made.history.calls()[0].system is None) == (None, False)
    assert (made.faults["r1"].fired, made.faults["r1"].changed) == (1, 1)


# --- the limit --------------------------------------------------------------------------------


def test_a_call_that_could_cost_too_much_is_not_made_and_stops_the_run() -> None:
    with upstream() as (server, _):
        live = Live(usd=0.0001, api_key="sk-live", base_url=server.run_url("real"))
        made = played(created, live)
        live.close()
        assert server.names() == []
    assert (made.outcome, made.stopped_by, live.spent) == ("stopped_by_harness", "usd", 0.0)
    assert made.error_text is not None and "it was not made" in made.error_text


def test_the_limit_holds_over_many_calls() -> None:
    """It is never exceeded, and no call is refused that it has room for in the worst case."""
    worst = worst_cost(Call(id=0, **{name: value for name, value in ASKED.items()}))

    def loop(task: object) -> None:
        while True:
            created()

    with upstream() as (server, _):
        live = Live(usd=2 * worst, api_key="sk-live", base_url=server.run_url("real"))
        made = played(loop, live)
        live.close()
    assert made.stopped_by == "usd"
    assert worst < live.spent <= 2 * worst
    assert live.spent == pytest.approx(made.usd)


def test_a_bill_that_is_not_known_counts_at_its_worst() -> None:
    with upstream(SAID, CutStream(after=1, cleanly=False)) as (_, live):
        played(streamed, live)
    assert live.spent == worst_cost(Call(id=0, **ASKED))


@pytest.mark.parametrize("text", ["a", "word " * 300, "漢字" * 500, "\n" * 400, "x9$" * 300], ids=lambda text: text[:3])
def test_no_text_costs_more_than_the_worst(text: str) -> None:
    """Against the simulated API's own count, which is within a few per cent of the real one."""
    from dissonance.harness.wire.tokens import count_call

    call = Call(id=0, model=MODEL, max_tokens=50, messages=[{"role": "user", "content": text}])
    most = cost(Usage(input_tokens=count_call(call), output_tokens=50), MODEL)
    assert worst_cost(call) >= most


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "claude-nobody-9"}, "price of model 'claude-nobody-9' is not known"),
        ({"params": {"speed": "fast"}}, "'speed' has a price of its own"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "give its max_uses"),
    ],
)
def test_what_has_no_known_price_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        worst_cost(Call(**{"id": 0, "model": MODEL, "max_tokens": 10, **changes}))


def test_an_image_is_taken_to_fill_the_window() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    call = Call(id=0, model=MODEL, max_tokens=10, messages=[{"role": "user", "content": [image]}])
    assert worst_cost(call) > cost(Usage(input_tokens=200_000), MODEL)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"usd": 0}, r"usd=0"),
        ({"usd": float("inf")}, "usd=inf"),
        ({"usd": 1, "base_url": "ftp://x"}, "base_url='ftp://x'"),
        ({"usd": 1, "base_url": "https://me:hunter2@x"}, "holds a user or a password"),
        ({"usd": 1, "api_key": ""}, "there is no key"),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(BadInput, match=said) as caught:
        Live(**{"api_key": "sk-live-0123456789", **given})
    assert "hunter2" not in str(caught.value)


def test_processes_that_name_one_ledger_spend_of_the_same_money(tmp_path: Path) -> None:
    mine, other = Ledger(1.0, tmp_path / "new" / "spent"), Ledger(1.0, tmp_path / "new" / "spent")
    assert mine.book(0.7)
    assert (other.spent, other.book(0.4)) == (0.7, False)
    mine.correct(0.7, 0.5)
    assert other.book(0.4)
    assert mine.spent == pytest.approx(0.9)


def test_what_counts_no_spending_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "spent").write_text("much")
    with pytest.raises(BadInput, match=r"spent' counts no spending; remove it, or give another folder"):
        Ledger(1.0, tmp_path / "spent")


def test_another_model_is_asked_in_place_of_the_workflows() -> None:
    with serving(model=Scripted("Yes."), store=None) as server:
        live = Live(usd=1.0, api_key="sk-live-0123456789", base_url=server.run_url("real"), model="claude-haiku-4-5")
        assert live.ask(Call(id=0, **ASKED)).status == 200
        live.close()
        assert [call.model for call in server.history("real").calls()] == ["claude-haiku-4-5"]
