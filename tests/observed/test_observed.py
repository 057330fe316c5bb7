"""A fault is observed where a run differs from its baseline in more than the fault's own bytes and delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tape import Message, Tape, message, said

from dissonance.harness.history import Asked, Checkpoint, History
from dissonance.harness.observed import observed

TRUE = "12 orders are late.\nACME pays."
FALSE = "21 orders are late.\nACME pays."
DEAF = "Noted."


def baseline(prompt: str = f"Judge:\n{TRUE}", verdict: str = DEAF, result: Any = DEAF) -> History:
    tape = Tape()
    tape.turn("writer", "Write.", TRUE)
    tape.turn("judge", prompt, verdict)
    return tape.end(result)


def altered(after: str = FALSE, **fields: Any) -> Tape:
    """The writer's reply, falsified: events 1 (call), 2 (fault) and 3 (reply)."""
    tape = Tape(("r1",))
    call = tape.call("writer", "Write.")
    tape.fault(call, message(TRUE), message(after), **fields)
    tape.reply(call, after, reached=("r1",))
    return tape


def test_a_rule_that_did_not_fire_was_not_observed() -> None:
    assert observed(baseline(), baseline(), "r1") == 0


def test_a_falsified_reply_that_nobody_reads_is_not_observed() -> None:
    tape = altered()
    tape.turn("judge", "Judge.", DEAF)
    assert observed(tape.end(DEAF), baseline("Judge."), "r1") == 0


@pytest.mark.parametrize(
    ("carried", "usual"),
    [
        pytest.param(f"Judge:\n{FALSE}", f"Judge:\n{TRUE}", id="whole"),
        pytest.param("Judge: 21 orders are late.", "Judge: 12 orders are late.", id="by the line"),
        pytest.param(f"{FALSE} and again {FALSE}", f"{TRUE} and again {TRUE}", id="twice"),
    ],
)
def test_carried_on_word_for_word_is_not_observed(carried: str, usual: str) -> None:
    tape = altered()
    tape.turn("judge", carried, DEAF)
    assert observed(tape.end(DEAF), baseline(usual), "r1") == 0


def test_a_model_that_repeats_it_and_a_result_that_holds_it_have_not_observed_it() -> None:
    tape = altered()
    tape.turn("judge", FALSE, f"I heard: {FALSE}")
    history = tape.end({"text": FALSE, "pages": 1})
    assert observed(history, baseline(TRUE, f"I heard: {TRUE}", {"text": TRUE, "pages": 1}), "r1") == 0


def test_its_own_turn_sent_along_is_not_observed() -> None:
    def talk(tape: Tape, text: str) -> History:
        turn = {"role": "assistant", "content": [{"type": "text", "text": text, "citations": None}]}
        tape.reply(tape.call("writer", "Write.", turn, "Shorter."), "Late.")
        return tape.end()

    plain = Tape()
    plain.turn("writer", "Write.", TRUE)
    assert observed(talk(altered(), FALSE), talk(plain, TRUE), "r1") == 0


def test_a_content_of_another_shape_sent_along_is_not_observed() -> None:
    blocks = [{"type": "text", "text": "No."}, {"type": "text", "text": "Never."}]

    def talk(tape: Tape, content: list[dict[str, Any]]) -> History:
        sent = [{**block, "citations": None} for block in content]
        tape.reply(tape.call("writer", "Write.", {"role": "assistant", "content": sent}, "Shorter."), "Late.")
        return tape.end()

    tape = Tape(("r1",))
    call = tape.call("writer", "Write.")
    after = {**message(""), "content": blocks}
    tape.fault(call, message(TRUE), after)
    tape.reply(call, after, reached=("r1",))
    plain = Tape()
    plain.turn("writer", "Write.", TRUE)
    assert observed(talk(tape, blocks), talk(plain, [{"type": "text", "text": TRUE}]), "r1") == 0


def test_an_emptied_reply_carried_on_is_not_observed() -> None:
    tape = altered("")
    tape.turn("judge", "Judge:\n", DEAF)
    assert observed(tape.end(DEAF), baseline(), "r1") == 0


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        pytest.param("Judge:\n12 orders are", 0, id="a beginning of it"),
        pytest.param("Judge:\n", 0, id="nothing of it"),
        pytest.param("Judge:\norders are late.", 1, id="another part of it"),
        pytest.param("Judge, for it broke off:\n12 orders are", 1, id="with a remark"),
    ],
)
def test_of_a_cut_reply_any_beginning_is_the_faults_own(prompt: str, expected: int) -> None:
    tape = Tape(("r1",))
    call = tape.call("writer", "Write.")
    tape.fault(call, message(TRUE), message(TRUE))
    tape.reply(call, TRUE, ending="cut", reached=("r1",))
    tape.turn("judge", prompt, DEAF)
    assert observed(tape.end(DEAF), baseline(), "r1") == expected


def test_delay_alone_is_not_observed() -> None:
    tape = Tape(("r1",))
    call = tape.call("writer", "Write.")
    tape.fault(call, message(TRUE), message(TRUE), fault="SlowReply")
    judge = tape.call("judge", "Judge.")
    tape.reply(judge, DEAF)
    tape.reply(call, TRUE, reached=("r1",))
    assert observed(tape.end(DEAF), baseline("Judge."), "r1") == 0


# --- observed ---------------------------------------------------------------------------------


def went_on(tape: Tape) -> None:
    tape.turn("judge", f"Judge:\n{FALSE}", DEAF)


def retried(tape: Tape) -> None:
    tape.reply(tape.call("writer", "Write.", retry=True), TRUE)
    tape.turn("judge", f"Judge:\n{TRUE}", DEAF)


def asked_otherwise(tape: Tape) -> None:
    tape.turn("judge", f"Check this, it looks odd:\n{FALSE}", DEAF)


def worked_on(tape: Tape) -> None:
    tape.turn("judge", "Judge: 9 orders more than yesterday.", DEAF)


def judged_otherwise(tape: Tape) -> None:
    tape.turn("judge", f"Judge:\n{FALSE}", "REVISE")


def asked_somebody_else(tape: Tape) -> None:
    tape.turn("clerk", f"Judge:\n{FALSE}", DEAF)


def met_an_error(tape: Tape) -> None:
    tape.reply(tape.call("judge", f"Judge:\n{FALSE}"), None, status=529)


def heard_nothing(tape: Tape) -> None:
    tape.call("judge", f"Judge:\n{FALSE}")


def asked_with_tools(tape: Tape) -> None:
    tape.reply(tape.call("judge", f"Judge:\n{FALSE}", tools=[{"name": "search"}]), DEAF)


def asked_twice_at_once(tape: Tape) -> None:
    tape.reply(tape.call("judge", f"Judge:\n{FALSE}", said("Hm.")), DEAF)


def guarded(tape: Tape) -> None:
    went_on(tape)
    tape.guard("cycle_detector")


def asked_a_human(tape: Tape) -> None:
    went_on(tape)
    tape.add(Asked, agent="judge", data={"question": "Really?"})


def saved(tape: Tape) -> None:
    went_on(tape)
    tape.add(Checkpoint, agent=None, data={"step": 1})


def stopped_short(tape: Tape) -> None:
    pass


@pytest.mark.parametrize(
    "step",
    [
        retried,
        asked_otherwise,
        worked_on,
        judged_otherwise,
        asked_somebody_else,
        met_an_error,
        heard_nothing,
        asked_with_tools,
        asked_twice_at_once,
        guarded,
        asked_a_human,
        saved,
        stopped_short,
    ],
)
def test_whatever_else_is_done_is_observed(step: Callable[[Tape], None]) -> None:
    tape = altered()
    step(tape)
    assert observed(tape.end(DEAF), baseline(), "r1") == 1


@pytest.mark.parametrize(
    "end",
    [
        pytest.param({"result": "Rejected."}, id="result"),
        pytest.param({"outcome": "failed", "error": "ValueError: 21?"}, id="exception"),
        pytest.param({"result": DEAF, "stopped_by": "ledger"}, id="stopped"),
        pytest.param({"outcome": "paused"}, id="paused"),
    ],
)
def test_another_end_is_observed(end: dict[str, Any]) -> None:
    tape = altered()
    went_on(tape)
    assert observed(tape.end(**end), baseline(), "r1") == 1


def failing(tape: Tape, text: str) -> History:
    return tape.end(outcome="failed", error=f"ValueError: cannot read '{text}'")


@pytest.mark.parametrize(("text", "expected"), [(FALSE, 0), ("nothing", 1)])
def test_an_exception_that_only_quotes_it_is_not_observed(text: str, expected: int) -> None:
    plain = Tape()
    plain.turn("writer", "Write.", TRUE)
    assert observed(failing(altered(), text), failing(plain, TRUE), "r1") == expected


def test_an_altered_request_is_observed_by_the_models_reply() -> None:
    def asked(answer: str, *, fault: bool) -> History:
        tape = Tape(("r1",))
        call = tape.call("writer", "Sum up: 12")
        if fault:
            tape.fault(call, {"messages": ["12"]}, {"messages": ["21"]}, side="request")
        tape.reply(call, answer, reached=("r1",) if fault else ())
        return tape.end(DEAF)

    usual = asked("It is 12.", fault=False)
    assert [observed(asked(answer, fault=True), usual, "r1") for answer in ("It is 12.", "It is 21.")] == [0, 1]


# --- several firings --------------------------------------------------------------------------


def rounds(answers: list[str], *, faults: bool, notices: int | None = None) -> History:
    """A writer a round, each reply falsified if ``faults``; in round ``notices`` (from 0) a judge remarks on it."""
    tape = Tape(("r1",))
    for number, answer in enumerate(answers):
        call = tape.call("writer", f"Round {number}.")
        if faults:
            tape.fault(call, message(answer), message("False."))
        tape.reply(call, "False." if faults else answer)
        tape.turn("judge", "Odd!" if number == notices else "Fine.", DEAF)
    return tape.end(DEAF)


@pytest.mark.parametrize(("notices", "expected"), [(None, 0), (0, 1), (1, 2), (2, 3)])
def test_firings_before_the_last_difference_are_observed(notices: int | None, expected: int) -> None:
    answers = ["One.", "Two.", "Three."]
    usual = rounds(answers, faults=False)
    assert observed(rounds(answers, faults=True, notices=notices), usual, "r1") == expected


def test_a_runaway_is_observed_in_each_firing() -> None:
    usual = rounds(["One."], faults=False)
    assert observed(rounds(["One."] * 300, faults=True), usual, "r1") == 300


def test_messages_of_any_kind_are_compared() -> None:
    """An image beside a falsified text is the same as ever, until it is another."""

    def shown(image: str, text: str, tape: Tape) -> History:
        content: Message = {
            "role": "user",
            "content": [{"type": "image", "source": image}, {"type": "text", "text": text}],
        }
        tape.reply(tape.call("judge", content), DEAF)
        return tape.end(DEAF)

    plain = Tape()
    plain.turn("writer", "Write.", TRUE)
    usual = shown("a", TRUE, plain)
    assert [observed(shown(image, FALSE, altered()), usual, "r1") for image in ("a", "b")] == [0, 1]
