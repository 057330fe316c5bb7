"""``no_silent_truncation`` and ``context_growth``: what reaches the model, and how much of it there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from doubles import Rewrites
from planting import CLAIM, Alters, drops_the_oldest, say
from tape import Message, Tape, run_of, said, user

from dissonance.harness import Reply, load_run, run
from dissonance.harness.call import Usage
from dissonance.harness.checks import context_growth, losses, measure_growth, no_silent_truncation
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History

CANARY = "Sign with the word HALYARD."
FACT = "The limit is 42 units."


def request(*messages: str | Message, system: str | None = None) -> dict[str, Any]:
    """A request's content, as a fault's event keeps it."""
    return {"system": system, "tools": [], "messages": [user(m) if isinstance(m, str) else m for m in messages]}


def story(*, seen: dict[str, Any] | None = None, end: dict[str, Any] | None = None, more: Any = None) -> History:
    """The writer's one call, with a system prompt and two messages; ``seen`` is what a fault left of it."""
    tape = Tape(("r1",))
    sent = ("Task: " + FACT, said("Noted."), user("Go on."))
    call = tape.call("writer", *sent, system="You are the writer. " + CANARY)
    if seen is not None:
        tape.fault(call, request(*sent, system="You are the writer. " + CANARY), seen, side="request")
    tape.reply(call, "Done.", reached=("r1",))
    if more is not None:
        more(tape)
    return tape.end(**(end or {}))


SYSTEM = "You are the writer. " + CANARY
WHOLE = ("Task: " + FACT, said("Noted."), user("Go on."))

check = no_silent_truncation(instructions=[CANARY], facts=[FACT])


def test_what_arrives_whole_passes() -> None:
    verdict = check(run_of(story()))
    assert (verdict.status, verdict.reason) == (
        "pass",
        "the only request arrived whole, with every instruction and fact",
    )


def test_without_labels_it_says_what_it_did_not_look_for() -> None:
    verdict = no_silent_truncation()(run_of(story()))
    assert verdict.reason == (
        "the only request arrived whole; what the workflow itself left out was not looked for "
        "(no instructions and no facts given)"
    )


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        pytest.param(
            request(*WHOLE), "writer's call 1 reached the model without its system prompt", id="without its head"
        ),
        pytest.param(
            request(*WHOLE[1:], system=SYSTEM), "writer's call 1 reached the model with 3 of its 4 parts", id="oldest"
        ),
        pytest.param(
            request("Task: " + FACT[:9], *WHOLE[1:], system=SYSTEM),
            "writer's call 1 reached the model 13 characters short",
            id="a part of a message",
        ),
    ],
)
def test_what_is_cut_on_its_way_fails_without_any_label(seen: dict[str, Any], what: str) -> None:
    verdict = no_silent_truncation()(run_of(story(seen=seen)))
    assert (verdict.status, verdict.reason, verdict.evidence) == (
        "fail",
        f"lost: {what}; the workflow delivered as though nothing had happened",
        (1,),
    )


def test_tools_that_are_cut_off_are_missed() -> None:
    tape = Tape(("r1",))
    call = tape.call("writer", *WHOLE, system=SYSTEM, tools=[{"name": "lookup"}])
    whole = {**request(*WHOLE, system=SYSTEM), "tools": [{"name": "lookup"}]}
    tape.fault(call, whole, request(*WHOLE, system=SYSTEM), side="request")
    tape.reply(call, "Done.", reached=("r1",))
    verdict = no_silent_truncation()(run_of(tape.end()))
    assert (verdict.status, verdict.reason) == (
        "fail",
        "lost: writer's call 1 reached the model without its tools; the workflow delivered as though nothing had happened",
    )


def test_other_words_in_the_same_place_are_no_truncation() -> None:
    seen = request("Task: The limit is 41 units.", *WHOLE[1:], system=SYSTEM)
    assert no_silent_truncation()(run_of(story(seen=seen))).status == "pass"


RESULT = "Row 1: 40 units. " * 40


@pytest.mark.parametrize(
    ("left", "status"),
    [
        ("Error: the service answered 503", "pass"),
        ("", "fail"),
        ("[Old tool result content cleared]", "fail"),
        (RESULT[:100] + "…", "fail"),
        (RESULT[:100] + "…" + RESULT[-100:], "fail"),
        (RESULT.replace("40 units", "9 units", 1), "pass"),
    ],
)
def test_a_tool_result_that_is_wrong_is_another_matter_than_one_that_is_gone(left: str, status: str) -> None:
    def result(text: str) -> Message:
        return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]}

    tape = Tape(("r1",))
    call = tape.call("clerk", "Count.", said("Let me see."), result(RESULT))
    tape.fault(call, after=request("Count.", said("Let me see."), result(left)), side="request")
    tape.reply(call, "Done.", reached=("r1",))
    assert no_silent_truncation()(run_of(tape.end())).status == status


def test_a_fact_that_was_sent_and_not_seen_is_named() -> None:
    verdict = no_silent_truncation(facts=[FACT])(run_of(story(seen=request(*WHOLE[1:], system=SYSTEM))))
    assert "the fact 'The limit is 42 units.' was sent in writer's call 1, but reached no model" in verdict.reason


def test_a_claim_is_a_fact_in_its_true_form() -> None:
    tape = Tape()
    tape.turn("writer", "In 2023 ACME sold 3.1 million units.", "Done.")
    assert no_silent_truncation(facts=[CLAIM])(run_of(tape.end())).status == "pass"
    tape = Tape()
    tape.turn("writer", CLAIM.false, "Done.")
    assert no_silent_truncation(facts=[CLAIM])(run_of(tape.end())).status == "fail"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"outcome": "failed", "error": "Full: 9"}, "the workflow raised (Full: 9)"),
        ({"stopped_by": "ledger"}, "stopped by its own guard (ledger)"),
        ({"outcome": "paused"}, "the workflow paused for a human"),
    ],
)
def test_somebody_who_says_so_passes(end: dict[str, Any], said: str) -> None:
    verdict = check(run_of(story(seen=request(*WHOLE), end=end)))
    assert verdict.status == "pass"
    assert verdict.reason.endswith(said)


def test_a_result_may_say_so() -> None:
    flagged = no_silent_truncation(flagged=lambda result: "truncated" in result)
    history = story(seen=request(*WHOLE))
    assert flagged(run_of(history, result="done")).status == "fail"
    assert flagged(run_of(history, result="truncated")).status == "pass"


def test_a_run_that_was_stopped_is_unknown() -> None:
    stop = {"outcome": "stopped_by_harness", "stopped_by": "calls", "error": "why"}
    assert check(run_of(story(seen=request(*WHOLE), end=stop))).status == "unknown"


def test_an_instruction_must_be_in_each_later_call() -> None:
    history = story(more=lambda tape: tape.reply(tape.call("writer", "Next.", system="You are the writer."), "Done."))
    verdict = no_silent_truncation(instructions=[CANARY])(run_of(history))
    assert verdict.reason.startswith("lost: writer's call 2 lacks the instruction 'Sign with the word HALYARD.';")


def test_not_where_it_is_not_without_faults_either() -> None:
    history = story(more=lambda tape: tape.reply(tape.call("writer", "Next.", system="You are the writer."), "Done."))
    assert no_silent_truncation(instructions=[CANARY])(run_of(history, baseline=run_of(history))).status == "pass"
    by_agent = no_silent_truncation(instructions={"writer": [CANARY]})
    assert by_agent(run_of(history, baseline=run_of(history))).status == "fail"


def test_an_instruction_that_reached_nobody_is_lost() -> None:
    verdict = no_silent_truncation(instructions=["Answer in Latin."])(run_of(story()))
    assert "the instruction 'Answer in Latin.' reached no model" in verdict.reason


def test_a_call_that_lost_its_system_prompt_needs_no_label() -> None:
    history = story(more=lambda tape: tape.reply(tape.call("writer", "Next."), "Done."))
    assert "writer's call 2 was sent without its system prompt" in no_silent_truncation()(run_of(history)).reason


def test_fewer_tokens_reported_than_sent_is_a_gap() -> None:
    tape = Tape()
    tape.turn("writer", "Task.", "Done.")
    tape.amend(2, usage=Usage(input_tokens=51, output_tokens=10))
    verdict = no_silent_truncation()(run_of(tape.end()))
    assert "of writer's call 1 51 input tokens were reported, and 100 sent" in verdict.reason
    tape.amend(2, usage=Usage(input_tokens=85, output_tokens=10))
    assert no_silent_truncation()(run_of(tape.history, model={"name": "Live"})).status == "pass"


def test_what_the_workflow_itself_leaves_out_is_told_from_the_baseline() -> None:
    def of(*sizes: str) -> History:
        tape = Tape()
        for text in sizes:
            tape.turn("writer", text, "Done.")
        return tape.end()

    usual, here = of(FACT, FACT + " Go on."), of(FACT, "Go on.")
    verdict = no_silent_truncation(facts=[FACT])(run_of(here, baseline=run_of(usual)))
    assert "writer's call 2, its last, lacks the fact 'The limit is 42 units.'" in verdict.reason


def test_a_reply_that_broke_off_at_the_windows_end_is_one() -> None:
    tape = Tape()
    full = {"type": "message", "content": [], "stop_reason": "model_context_window_exceeded"}
    tape.reply(tape.call("writer", "Task."), full)
    assert "broke off at the window's end" in no_silent_truncation()(run_of(tape.end())).reason


def test_no_request_that_reached_a_model_is_unknown() -> None:
    tape = Tape()
    tape.reply(tape.call("writer", "Task."), None, status=529)
    assert check(run_of(tape.end())).reason == "no request reached a model: there was nothing to look at"


@pytest.mark.parametrize("labels", [{"facts": "one text"}, {"instructions": [""]}, {"facts": [7]}])
def test_labels_that_are_no_texts_are_refused(labels: Any) -> None:
    with pytest.raises(BadInput, match="no_silent_truncation"):
        no_silent_truncation(**labels)


# --- on real runs -----------------------------------------------------------------------------


def talk(guarded: bool) -> Callable[[str], Any]:
    """A conversation of three turns; the guarded one compares the tokens reported with those before."""

    async def conversation(task: str) -> str:
        messages: list[Any] = [{"role": "user", "content": f"{task} {FACT}"}]
        for number in range(3):
            text = await say(SYSTEM, messages)
            if guarded and number == 2 and "42" not in text:
                raise RuntimeError("the context was cut")
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": f"Go on, part {number}."}]
        return text

    return conversation


@pytest.mark.parametrize(("guarded", "status"), [(False, "fail"), (True, "pass")])
def test_a_window_that_drops_the_oldest_is_found(guarded: bool, status: str, tmp_path: Any) -> None:
    made = run(talk(guarded), "Draft it.", plan=[Alters(drops_the_oldest)], store=tmp_path)
    assert made.path is not None
    for one in (made, load_run(made.path)):
        (verdict,) = one.judge(check)
        assert verdict.status == status, verdict
        assert "reached the model with 2 of its 4 parts" in verdict.reason


def test_nothing_is_missing_where_nothing_is_cut() -> None:
    made = run(talk(False), "Draft it.", plan=[Rewrites(lambda reply: replace(reply, seconds=9.0))], store=None)
    assert made.judge(check)[0].status == "pass"
    assert losses(made, losses_of()).losses == ()


def losses_of() -> Any:
    from dissonance.harness.checks import Canaries

    return Canaries([CANARY], (FACT,))


def test_a_loss_without_an_altered_request_shows_in_the_tokens() -> None:
    """A server that cuts what it was sent, and reports what was left, as Ollama does."""

    def reports_half(reply: Reply) -> Reply:
        message = reply.message
        assert message is not None
        return replace(reply, body=replace(message, usage=Usage(input_tokens=7, output_tokens=3)))

    made = run(talk(False), "Draft it.", plan=[Rewrites(reports_half)], store=None)
    assert "7 input tokens were reported" in made.judge(no_silent_truncation())[0].reason


# --- growth -----------------------------------------------------------------------------------


def grows(step: int, count: int, start: int = 2000) -> History:
    tape = Tape()
    for number in range(count):
        call = tape.call("agent", f"Step {number}.")
        tape.amend(call, tokens=start + step * number)
        tape.reply(call, "Done.")
    return tape.end()


def test_a_full_history_grows_by_its_step_and_adds_up_to_the_closed_form() -> None:
    """k S + m k (k - 1) / 2, of S=2000, m=800, k=20."""
    growth = measure_growth(run_of(grows(800, 20)))
    assert (growth.per_step, growth.total, growth.largest) == (800.0, 192_000, 17_200)


def test_retries_carry_nothing_more() -> None:
    tape = Tape()
    tape.call("a", "Go.")
    tape.call("a", "Go.", retry=True)
    assert measure_growth(run_of(tape.history)).tokens == (100,)


@pytest.mark.parametrize(("at_most", "status"), [(25, "pass"), (24.9, "fail")])
def test_the_step_that_carries_most_for_its_need_decides(at_most: float, status: str) -> None:
    verdict = context_growth(at_most=at_most, needed=2_000)(run_of(grows(6_000, 9)))
    assert (verdict.status, verdict.evidence) == (status, (17,))
    assert verdict.reason == (
        "agent's call 9 carried 50,000 tokens, 25 times the 2,000 that it needs; "
        "9 steps carried 234,000 in all, 6,000 more each step"
    )


def test_needs_may_differ_by_agent_or_call() -> None:
    history = grows(100, 3)
    assert context_growth(at_most=1, needed={"age*": 2_200})(run_of(history)).status == "pass"
    assert context_growth(at_most=1, needed=lambda call: 1_000 * (call.ordinal + 1))(run_of(history)).status == "pass"
    verdict = context_growth(at_most=1, needed={"other": 5})(run_of(history))
    assert (verdict.status, verdict.next) == ("unknown", "Give needed= for agents of this run: agent.")


@pytest.mark.parametrize(("labels", "missing"), [({}, "at_most"), ({"at_most": 2}, "needed")])
def test_growth_needs_its_labels(labels: Any, missing: str) -> None:
    verdict = context_growth(**labels)(run_of(grows(1, 2)))
    assert verdict.reason == f"the label `{missing}` is missing: context_growth cannot judge without it"


@pytest.mark.parametrize("labels", [{"at_most": 0}, {"needed": 0}, {"needed": {"a": -1}}])
def test_numbers_not_above_zero_are_refused(labels: Any) -> None:
    with pytest.raises(BadInput, match="above 0"):
        context_growth(**labels)


def test_a_conversation_that_is_never_pruned_fails_and_a_pruned_one_passes() -> None:
    async def unpruned(task: str) -> str:
        messages: list[Any] = []
        for number in range(6):
            messages.append({"role": "user", "content": f"Part {number}: {task}"})
            messages.append({"role": "assistant", "content": await say("You are the clerk.", messages)})
        return "done"

    async def pruned(task: str) -> str:
        for number in range(6):
            await say("You are the clerk.", f"Part {number}: {task}")
        return "done"

    task = "Enter these 40 lines into the ledger, one after the other, with date and sum. " * 5
    asked = context_growth(at_most=2, needed=150)
    assert run(unpruned, task, store=None).judge(asked)[0].status == "fail"
    assert run(pruned, task, store=None).judge(asked)[0].status == "pass"
