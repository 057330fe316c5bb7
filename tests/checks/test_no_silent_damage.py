"""``no_silent_damage``: a damaged reply must be noticed: raised, asked for again, or said in the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tape import Message, Tape, message, run_of, said, user

from dissonance.harness.checks import no_silent_damage
from dissonance.harness.history import History

CUT = message("Hal")


def damaged(tape: Tape, call: int, *, damages: str | None = "cut stream", reached: bool = True, **fields: Any) -> int:
    """The call's reply, damaged; gives the reply's id."""
    tape.fault(call, message("Half a loaf."), CUT, damages=damages, **fields)
    return tape.reply(call, CUT, ending="cut", reached=("r1",) if reached else ())


def cut_once(*after: Callable[[Tape], object], **end: Any) -> History:
    """The writer's only reply is cut; then what is given happens, and the run ends."""
    tape = Tape(("r1",))
    damaged(tape, tape.call("writer", "Draft.", system="Write."))
    for step in after:
        step(tape)
    return tape.end(**end)


def again(
    *messages: str | Message, agent: str = "writer", retry: bool = False, **fields: Any
) -> Callable[[Tape], object]:
    """A later call that is answered well."""
    return lambda tape: tape.reply(tape.call(agent, *messages, retry=retry, **{"system": "Write.", **fields}), "Whole.")


def test_delivering_as_though_nothing_had_happened_fails() -> None:
    verdict = no_silent_damage()(run_of(cut_once(), tier="T2"))
    assert (verdict.status, verdict.check, verdict.evidence, verdict.tier) == ("fail", "no_silent_damage", (2, 3), "T2")
    assert verdict.reason == (
        "damaged: writer's call 1: cut stream; the workflow delivered as though nothing had happened"
    )


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param({"outcome": "failed", "error": "Bad: cut"}, "the workflow raised (Bad: cut)", id="raised"),
        pytest.param(
            {"outcome": "crashed", "error": "SystemExit: 1"}, "the workflow raised (SystemExit: 1)", id="exit"
        ),
        pytest.param({"outcome": "paused"}, "the workflow paused for a human", id="paused"),
        pytest.param({"stopped_by": "ledger"}, "stopped by its own guard (ledger)", id="guard"),
        pytest.param({"outcome": "failed", "stopped_by": "g"}, "stopped by its own guard (g)", id="guard that raised"),
    ],
)
def test_a_workflow_that_says_so_passes(end: dict[str, Any], reason: str) -> None:
    verdict = no_silent_damage()(run_of(cut_once(**end)))
    assert (verdict.status, verdict.reason) == ("pass", f"damaged: writer's call 1: cut stream; {reason}")
    assert verdict.evidence == (2, 3)


@pytest.mark.parametrize(("result", "status"), [({"gaps": ["east"]}, "pass"), ({"gaps": []}, "fail")])
def test_a_result_that_says_so_passes(result: dict[str, Any], status: str) -> None:
    check = no_silent_damage(flagged=lambda found: bool(found["gaps"]))
    assert check(run_of(cut_once(), result=result)).status == status


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(again("Draft.", retry=True), id="the SDK retried"),
        pytest.param(again("Draft."), id="the workflow sent it once more"),
        pytest.param(again("Draft.", "Your answer broke off. Once more, please."), id="a user message was added"),
        pytest.param(
            again(
                "Draft.",
                said("Hal"),
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": "?", "is_error": True}],
                },
            ),
            id="its tool call was refused",
        ),
    ],
)
def test_asking_again_passes(step: Callable[[Tape], object]) -> None:
    verdict = no_silent_damage()(run_of(cut_once(step)))
    assert (verdict.status, verdict.reason) == (
        "pass",
        "damaged: writer's call 1: cut stream; the workflow asked again each time",
    )


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(again("Draft.", agent="judge"), id="another agent"),
        pytest.param(again("Another task."), id="another request"),
        pytest.param(again("Draft.", system="Judge."), id="another system prompt"),
        pytest.param(again("Draft.", said("Hal"), "Now translate it."), id="the conversation goes on"),
        pytest.param(
            again(
                "Draft.",
                said("Hal"),
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "found"}]},
            ),
            id="its tool call was carried out",
        ),
        pytest.param(lambda tape: damaged(tape, tape.call("writer", "Draft.", system="Write.")), id="damaged again"),
        pytest.param(
            lambda tape: tape.reply(tape.call("writer", "Draft.", system="Write."), None, status=529), id="then refused"
        ),
        pytest.param(lambda tape: tape.call("writer", "Draft.", system="Write."), id="without waiting for it"),
    ],
)
def test_going_on_is_not_asking_again(step: Callable[[Tape], object]) -> None:
    assert no_silent_damage()(run_of(cut_once(step))).status == "fail"


def test_each_damaged_reply_counts_by_itself() -> None:
    tape = Tape(("r1",))
    for number in range(1, 6):
        damaged(tape, tape.call("writer", f"Draft {number}."))
    tape.turn("writer", "Draft 1.", "Whole.")
    verdict = no_silent_damage()(run_of(tape.end()))
    assert verdict.reason == (
        "damaged: writer's call 2: cut stream, writer's call 3: cut stream, writer's call 4: cut stream and 1 more; "
        "the workflow delivered as though nothing had happened"
    )
    assert verdict.evidence == (5, 6, 8, 9, 11, 12, 14, 15)


def votes(cut: int, count: int) -> History:
    """The same question so many times; the one numbered ``cut`` is answered by half a reply."""
    tape = Tape(("r1",))
    for number in range(1, count + 1):
        call = tape.call("voter", "Vote.")
        if number == cut:
            damaged(tape, call)
        else:
            tape.reply(call, "Yes.")
    return tape.end()


@pytest.mark.parametrize(("count", "status"), [(3, "fail"), (4, "pass")])
def test_the_next_of_several_like_requests_is_not_asking_again(count: int, status: str) -> None:
    baseline = run_of(votes(cut=0, count=3))
    assert no_silent_damage()(run_of(votes(cut=1, count=count), baseline=baseline)).status == status


def test_a_result_like_the_baselines_is_said() -> None:
    baseline = run_of(cut_once())
    assert no_silent_damage()(run_of(cut_once(), baseline=baseline)).reason.endswith(
        "as though nothing had happened (here the result is the one without faults)"
    )


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"damages": None}, id="a fault that damages nothing"),
        pytest.param({"reached": False}, id="the client had gone"),
        pytest.param({"changed": False}, id="the same bytes"),
    ],
)
def test_without_damage_there_was_nothing_to_look_at(fields: dict[str, Any]) -> None:
    tape = Tape(("r1",))
    damaged(tape, tape.call("writer", "Draft."), **fields)
    verdict = no_silent_damage()(run_of(tape.end()))
    assert (verdict.status, verdict.reason) == (
        "unknown",
        "no damaged reply reached an agent: there was nothing to look at",
    )
    assert (
        verdict.next
        == "Plan a fault that damages a reply (CutStream, EmptyContent, …) on a call that the workflow makes."
    )


@pytest.mark.parametrize(
    ("steps", "status"),
    [pytest.param((), "unknown", id="silent so far"), pytest.param((again("Draft."),), "pass", id="asked")],
)
def test_a_run_that_the_harness_stopped_has_delivered_nothing(steps: tuple[Any, ...], status: str) -> None:
    history = cut_once(*steps, outcome="stopped_by_harness", stopped_by="calls", error="too many")
    assert no_silent_damage()(run_of(history)).status == status


def test_a_killed_run_has_delivered_nothing() -> None:
    tape = Tape(("r1",))
    damaged(tape, tape.call("writer", "Draft."))
    verdict = no_silent_damage()(run_of(tape.history))
    assert (verdict.status, verdict.next) == ("unknown", "Look at terminates() first.")


def test_an_altered_tool_result_is_damage_too() -> None:
    tape = Tape(("r1",))
    call = tape.call("writer", "Draft.")
    tape.fault(
        call, {"messages": [user("12")]}, {"messages": [user("21")]}, side="request", damages="wrong tool result"
    )
    tape.reply(call, "It is 21.", reached=("r1",))
    assert no_silent_damage()(run_of(tape.end())).reason.startswith("damaged: writer's call 1: wrong tool result;")
