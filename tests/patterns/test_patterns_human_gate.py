"""The gate before an action: who decides, what counts, and that it takes effect once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, text

from dissonance.harness import Gullible, run
from dissonance.patterns import Agent, Outcome, StepBudget, Usage, solo
from dissonance.patterns.effects import InTransaction, Sink, Taker
from dissonance.patterns.human import HumanAnswer, HumanRequest
from dissonance.patterns.human_gate import HumanGate, human_gate
from dissonance.patterns.notify import Webhook
from dissonance.patterns.pending import main
from dissonance.patterns.proposal import Proposal, Thresholds
from dissonance.patterns.store import Store
from dissonance.patterns.triggers import amount_over, irreversible

PAYMENT = {"to": "ACME", "amount": 120}


class Payment(BaseModel):
    to: str
    amount: int


def proposing(confidence: float = 0.8, action: Any = None) -> Callable[[str], Any]:
    async def propose(task: str) -> Outcome[Proposal[Any]]:
        proposal = Proposal[Any](action=action or PAYMENT, summary="Pay ACME.", confidence=confidence)
        return Outcome(output=proposal, finished=True, steps=1, usage=Usage(calls=1))

    return propose


@dataclass
class Bank:
    """A sink that honours the key: ``asked`` counts the requests, ``done`` is what happened."""

    done: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    async def send(self, key: str, action: Any) -> Any:
        self.asked += 1
        self.done.setdefault(key, action)
        return f"receipt {len(self.done)}"


@dataclass
class Says:
    """A human who gives these answers in turn, the last for ever."""

    answers: list[HumanAnswer]
    seen: list[HumanRequest] = field(default_factory=list)

    async def ask(self, request: HumanRequest) -> HumanAnswer:
        self.seen.append(request)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]


class Absent:
    async def ask(self, request: HumanRequest) -> HumanAnswer:
        await asyncio.Event().wait()
        raise AssertionError("never")


def said(decision: Literal["approve", "edit", "reject"], value: Any = None, by: str = "Ann") -> HumanAnswer:
    return HumanAnswer(decision=decision, value=value, by=by)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
        yield store


@pytest.fixture
def bank() -> Bank:
    return Bank()


def gate(store: Store, bank: Bank, confidence: float = 0.8, **options: Any) -> HumanGate:
    options.setdefault("action", Payment)
    return human_gate(proposing(confidence), Sink(bank.send), store=store, **options)


# --- who decides ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "route"),
    [(0.0, "draft"), (0.69, "draft"), (0.7, "review"), (0.89, "review"), (0.9, "auto"), (1.0, "auto")],
)
def test_the_confidence_says_who_decides(store: Store, bank: Bank, confidence: float, route: str) -> None:
    gated = asyncio.run(gate(store, bank, confidence)("Pay the invoice."))
    assert (gated.route, gated.paused, len(bank.done)) == (route, route != "auto", route == "auto")


@pytest.mark.parametrize(
    ("triggers", "reasons"),
    [
        ([], ()),
        ([irreversible()], ("it can't be taken back",)),
        (
            [amount_over(100), irreversible(lambda action: action["to"] == "ACME")],
            ("an amount of 120 dollars is over 100", "it can't be taken back"),
        ),
        ([amount_over(120), irreversible(lambda action: False)], ()),
    ],
    ids=["none", "irreversible", "both", "neither fires"],
)
def test_a_sure_agent_passes_unless_a_signal_from_outside_stops_it(
    store: Store, bank: Bank, triggers: Any, reasons: tuple[str, ...]
) -> None:
    gated = asyncio.run(gate(store, bank, 1.0, triggers=triggers)("Pay the invoice."))
    assert (gated.reasons, gated.route, len(bank.done)) == (reasons, "review" if reasons else "auto", not reasons)


def test_the_thresholds_are_yours(store: Store, bank: Bank) -> None:
    strict = gate(store, bank, 0.99, thresholds=Thresholds(draft=0.0, review=1.0))
    assert asyncio.run(strict("Pay.")).route == "review"


# --- what counts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        (said("approve"), PAYMENT),
        (said("edit", {"to": "ACME", "amount": 100}), {"to": "ACME", "amount": 100}),
        (said("reject"), None),
    ],
    ids=["approve", "edit", "reject"],
)
def test_what_the_human_says_is_what_happens(store: Store, bank: Bank, answer: HumanAnswer, done: Any) -> None:
    human = Says([answer])
    gated = asyncio.run(gate(store, bank, human=human)("Pay the invoice.", run="invoice-17"))
    assert bank.done == ({"invoice-17": done} if done else {})
    assert (gated.output, gated.finished, gated.decision, gated.result) == (
        done,
        done is not None,
        answer,
        "receipt 1" if done else None,
    )
    assert store.unfinished() == ()
    (request,) = human.seen
    assert (request.id, request.action, request.kind, request.deadline, request.reason) == (
        "invoice-17/1",
        PAYMENT,
        "review",
        900.0,
        "confidence 0.80",
    )


def test_a_rejection_says_who_and_why(store: Store, bank: Bank) -> None:
    no = HumanAnswer(decision="reject", by="Ann", comment="we owe nothing")
    assert asyncio.run(gate(store, bank, human=Says([no]))("Pay.")).reason == "rejected: we owe nothing"
    assert asyncio.run(gate(store, bank, human=Says([said("reject")]))("Pay!")).reason == "rejected: by Ann"


@pytest.mark.parametrize(
    ("confidence", "answer", "problem"),
    [
        (0.8, said("edit", {"to": "ACME"}), "the edit is no Payment: amount: Field required"),
        (0.5, said("approve"), "a draft was asked for, and the proposal was only approved"),
    ],
    ids=["invalid edit", "approved draft"],
)
def test_an_answer_of_no_use_is_asked_again_and_at_last_rejected(
    store: Store, bank: Bank, confidence: float, answer: HumanAnswer, problem: str
) -> None:
    good = said("edit", {"to": "ACME", "amount": 1})
    human = Says([answer, good])
    assert asyncio.run(gate(store, bank, confidence, human=human)("Pay.", run="a")).finished
    assert [request.reason for request in human.seen][1] == f"{problem}; confidence {confidence:.2f}"
    gated = asyncio.run(gate(store, bank, confidence, human=Says([answer]))("Pay.", run="b"))
    assert (gated.reason, bank.done) == (f"rejected: no usable answer in 3 asks: {problem}", {"a": good.value})


def test_without_a_type_an_edit_must_hold_an_action(store: Store, bank: Bank) -> None:
    human = Says([said("edit"), said("edit", "as text")])
    assert asyncio.run(gate(store, bank, human=human, action=None)("Pay.")).output == "as text"


def test_duplicate_and_contradictory_answers_change_nothing(store: Store, bank: Bank) -> None:
    class Twice:
        async def ask(self, request: HumanRequest) -> HumanAnswer:
            assert request.submit is not None
            for answer in (said("approve"), said("reject", by="Bo"), said("approve")):
                await request.submit(answer)
            return said("edit", {"to": "me", "amount": 9})

    gated = asyncio.run(gate(store, bank, human=Twice())("Pay.", run="r"))
    assert (gated.decision, bank.done, bank.asked) == (said("approve"), {"r": PAYMENT}, 1)
    assert [answer.decision for answer in store.answers("r/1")][:3] == ["approve", "reject", "approve"]
    assert not store.answer("r/1", said("reject")).counts
    assert asyncio.run(gate(store, bank)("Pay.", run="r")).output == PAYMENT
    assert bank.asked == 1


def test_what_the_human_raises_is_passed_on_and_the_run_stays_open(store: Store, bank: Bank) -> None:
    class Broken:
        async def ask(self, request: HumanRequest) -> HumanAnswer:
            raise ConnectionError("the chat is down")

    with pytest.raises(ConnectionError, match="the chat is down"):
        asyncio.run(gate(store, bank, human=Broken())("Pay.", run="r"))
    assert asyncio.run(gate(store, bank, human=Says([said("approve")]))("Pay.", run="r")).finished


# --- time -------------------------------------------------------------------------------------


def timed(workflow: Any, human: Any = None) -> Any:
    made = run(workflow, "Pay.", human=human, baseline=False, store=None)
    assert made.error is None, made.error
    return made


def test_past_the_deadline_the_default_is_taken(tmp_path: Path, bank: Bank) -> None:
    async def workflow(task: str, human: Any = None) -> Any:
        with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
            return await gate(store, bank)(task, human=human)

    made = timed(workflow, Absent())
    assert (made.seconds, made.result.reason, bank.done) == (
        pytest.approx(900, abs=0.01),
        "rejected: nobody answered in time",
        {},
    )
    assert [event.kind for event in made.history if event.kind in ("checkpoint", "ask", "answer")] == [
        "checkpoint",
        "ask",
        "answer",
    ]


@pytest.mark.parametrize(
    ("confidence", "triggers", "done"),
    [(0.8, [], True), (0.8, [irreversible()], False), (0.5, [], False)],
    ids=["middling confidence", "a trigger", "low confidence"],
)
def test_silence_approves_only_what_nothing_but_middling_confidence_brought_here(
    tmp_path: Path, bank: Bank, confidence: float, triggers: Any, done: bool
) -> None:
    async def workflow(task: str, human: Any = None) -> Any:
        with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
            return await gate(store, bank, confidence, default="approve", triggers=triggers)(task, human=human)

    assert timed(workflow, Absent()).result.finished is done
    assert bool(bank.done) is done


def test_an_answer_by_another_process_is_heard_within_a_tenth_of_its_time(tmp_path: Path, bank: Bank) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"

    async def elsewhere() -> None:
        await asyncio.sleep(600.0)
        with Store(url) as other:
            assert other.answer(other.pending()[0].request.id, said("approve")).counts

    async def workflow(task: str, human: Any = None) -> Any:
        answering = asyncio.ensure_future(elsewhere())
        with Store(url) as store:
            gated = await gate(store, bank)(task, human=human)
        await answering
        return gated

    made = timed(workflow, Absent())
    assert made.result.finished
    assert 600 <= made.seconds <= 661


def test_resumed_hours_later_elsewhere_it_asks_no_model_and_tells_nobody_again(tmp_path: Path, bank: Bank) -> None:
    told: list[str] = []
    calls: list[str] = []
    now = [0.0]

    async def propose(task: str) -> Outcome[Proposal[Any]]:
        calls.append(task)
        return Outcome(output=(await proposing()(task)).output, finished=True, steps=1, usage=Usage(calls=1))

    def machine() -> HumanGate:
        store = Store(f"sqlite:///{tmp_path / 'state.db'}", clock=lambda: now[0])
        notify = lambda request: told.append(request.id)  # noqa: E731
        return human_gate(propose, Sink(bank.send), store=store, notify=notify, deadline=None)

    first = machine()
    paused = asyncio.run(first("Pay the invoice."))
    assert (paused.paused, paused.finished, bank.done) == (True, False, {})
    first.settings.store.close()
    now[0] += 6 * 3600
    second = machine()
    assert [gated.paused for gated in asyncio.run(second.resume())] == [True]
    second.settings.store.answer(second.pending()[0].request.id, said("approve"))
    (done,) = asyncio.run(second.resume())
    assert (done.output, done.run, list(bank.done.values())) == (PAYMENT, paused.run, [PAYMENT])
    assert (calls, told, asyncio.run(second.resume())) == (["Pay the invoice."], [f"{paused.run}/1"], ())
    second.settings.store.close()


def test_a_pause_is_a_pause_for_the_harness(tmp_path: Path, bank: Bank) -> None:
    async def workflow(task: str) -> Any:
        with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
            return await gate(store, bank)(task)

    assert timed(workflow).outcome == "paused"


# --- once -------------------------------------------------------------------------------------


def test_the_same_task_is_done_once_and_again_under_another_id(store: Store, bank: Bank) -> None:
    sure = gate(store, bank, 1.0)
    first, again = asyncio.run(sure("Pay.")), asyncio.run(sure("Pay."))
    assert (first.run, bank.asked) == (again.run, 1)
    assert asyncio.run(sure("Pay.", run="twice on purpose")).finished
    assert bank.asked == 2


def test_a_sink_that_fails_is_asked_again_with_the_same_key(store: Store, bank: Bank) -> None:
    async def flaky(key: str, action: Any) -> Any:
        await bank.send(key, action)
        if bank.asked == 1:
            raise TimeoutError("did it arrive?")
        return "paid"

    unsure = human_gate(proposing(1.0), Sink(flaky), store=store)
    with pytest.raises(TimeoutError):
        asyncio.run(unsure("Pay."))
    (gated,) = asyncio.run(unsure.resume())
    assert (gated.result, bank.asked, len(bank.done)) == ("paid", 2, 1)


def test_an_effect_in_the_transaction_is_there_or_not(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("CREATE TABLE paid (amount INTEGER)"))
    fails = [True]

    def pay(connection: Connection, action: Any) -> Any:
        connection.execute(text("INSERT INTO paid VALUES (:amount)"), action)
        if fails.pop() if fails else False:
            raise OSError("the process dies here")
        return "paid"

    sure = human_gate(proposing(1.0), InTransaction(pay), store=store)
    with pytest.raises(OSError, match="dies here"):
        asyncio.run(sure("Pay."))
    assert [gated.result for gated in asyncio.run(sure.resume())] == ["paid"]
    assert asyncio.run(sure("Pay.")).result == "paid"
    with store.transaction() as connection:
        assert connection.execute(text("SELECT amount FROM paid")).scalars().all() == [120]


def test_two_processes_with_different_proposals_do_one_of_them(store: Store, bank: Bank) -> None:
    async def both() -> list[Any]:
        gates = [human_gate(proposing(1.0, {"pay": n}), Sink(bank.send), store=store) for n in (1, 2)]
        return await asyncio.gather(*(each("Pay.", run="r") for each in gates))

    outputs = [gated.output for gated in asyncio.run(both())]
    assert outputs[0] == outputs[1] == bank.done["r"]


# --- telling ----------------------------------------------------------------------------------


def test_a_notice_that_failed_is_given_again(store: Store, bank: Bank) -> None:
    told: list[str] = []

    def notify(request: HumanRequest) -> None:
        told.append(request.id)
        if len(told) == 1:
            raise ConnectionError("no mail today")

    unsure = gate(store, bank, notify=notify)
    with pytest.raises(ConnectionError):
        asyncio.run(unsure("Pay."))
    for _ in range(2):
        assert asyncio.run(unsure("Pay.")).paused
    assert len(told) == 2


def test_the_log_names_the_ask(store: Store, bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(gate(store, bank)("Pay.", run="r"))
    assert "a human is needed for r/1 (confidence 0.80): Pay ACME." in caplog.messages


def test_the_webhook_posts_the_request_under_its_id(store: Store, bank: Bank) -> None:
    posted: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        posted.append(request)
        return httpx2.Response(500 if len(posted) == 1 else 204)

    hook = Webhook("https://example.com/hook", headers={"X-Team": "billing"}, transport=httpx2.MockTransport(handle))
    unsure = gate(store, bank, notify=hook)
    with pytest.raises(httpx2.HTTPStatusError):
        asyncio.run(unsure("Pay.", run="r"))
    assert asyncio.run(unsure("Pay.", run="r")).paused
    body = httpx2.Response(200, content=posted[1].content).json()
    assert (body["id"], body["action"], body["kind"]) == ("r/1", PAYMENT, "review")
    assert (posted[1].headers["Idempotency-Key"], posted[1].headers["X-Team"]) == ("r/1", "billing")


# --- the command line -------------------------------------------------------------------------


def test_the_queue_at_a_terminal(store: Store, bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = ["--store", f"sqlite:///{tmp_path / 'state.db'}"]
    assert main([*url, "list"]) == 0
    assert capsys.readouterr().out == "Nothing waits for a human.\n"
    unsure = gate(store, bank)
    for task in ("a", "b"):
        asyncio.run(unsure("Pay.", run=task))
    assert main([*url, "list"]) == 0
    shown = capsys.readouterr().out
    assert "a/1  review, 14:59 left\n    Pay ACME.\n    because: confidence 0.80\n" in shown
    assert shown.endswith("2 waiting.\n")
    assert main([*url, "edit", "a/1", "--by", "Ann", "--value", '{"to": "ACME", "amount": 5}']) == 0
    assert main([*url, "reject", "b/1", "--by", "Ann", "--comment", "no"]) == 0
    assert main([*url, "approve", "b/1", "--by", "Bo"]) == 1
    assert main([*url, "approve", "c/1", "--by", "Bo"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "a/1: edit, by Ann.\nb/1: reject, by Ann.\n"
    assert printed.err.splitlines() == [
        "b/1: too late, it was decided: reject, by Ann.",
        "error: ask='c/1': there is no such ask; pending() lists those that are open",
    ]
    asyncio.run(unsure.resume())
    assert bank.done == {"a": {"to": "ACME", "amount": 5}}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["edit", "a", "--by", "x", "--value", "{"], "is no JSON"), (["approve", "a"], "--by")],
    ids=["no JSON", "nobody"],
)
def test_bad_arguments_say_so(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


# --- agents and bad arguments -----------------------------------------------------------------


def test_the_default_model_proposes_and_the_action_is_taken(
    tmp_path: Path, bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    import anthropic

    clerk = Agent("clerk", "Propose the payment that the invoice asks for.")

    async def workflow(task: str) -> Any:
        with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
            propose = solo(anthropic.AsyncAnthropic(api_key="k"), clerk, Proposal[Payment])
            gated = await human_gate(propose, Sink(bank.send), store=store, action=Payment)(task)
            return await human_gate(propose, Sink(bank.send), store=store)(task) if gated.finished else gated

    caplog.set_level(logging.INFO, "dissonance.patterns")
    made = run(workflow, "Invoice 17: pay 120 dollars to ACME.", model=Gullible(), store=None)
    assert made.error is None, made.error
    assert (made.result.route, made.result.finished, len(bank.done), made.tier) == ("auto", True, 1, "T1")
    assert made.calls == 1  # the second time its proposal was kept
    assert sum("has taken the action" in message for message in caplog.messages) == 1


def test_a_guard_that_stops_the_proposal_is_named(store: Store, bank: Bank) -> None:
    async def unfinished(task: str) -> Outcome[Proposal[Any]]:
        return Outcome(output=None, finished=False, steps=3, usage=Usage(), stopped_by="step_budget", reason="3 steps")

    gated = asyncio.run(human_gate(unfinished, Sink(bank.send), store=store, guards=[StepBudget(3)])("Pay."))
    assert (gated.stopped_by, gated.finished, gated.paused, bank.done) == ("step_budget", False, False, {})


def _bad(store: Store, effect: Taker, **options: Any) -> None:
    human_gate(proposing(), effect, store=store, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deadline": 0}, "deadline=0: give seconds above 0, or None"),
        ({"asks": 0}, "asks=0: give 1 or more"),
    ],
)
def test_bad_arguments_are_refused(store: Store, bank: Bank, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        _bad(store, Sink(bank.send), **options)
    assert str(caught.value) == message


def test_bad_thresholds_are_refused() -> None:
    with pytest.raises(ValueError) as caught:
        Thresholds(draft=0.9, review=0.7)
    assert str(caught.value) == "draft=0.9, review=0.7: give 0 <= draft <= review <= 1"
