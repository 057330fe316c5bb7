"""``InflateState`` and its prose: exactly as large as asked for, with what must not be lost where it was put."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dissonance.faults import At, FaultPlan, InflateState, Needle, Overflow, Rule, When
from dissonance.faults.states import grown, paragraphs, state
from dissonance.harness.call import Call, Reply, text_block
from dissonance.harness.history import FaultFired, History
from dissonance.harness.run import Run, load_run, run
from dissonance.harness.wire.estimate import corrected, count_text, uncorrected

OLD, NEW = "claude-sonnet-4-6", "claude-sonnet-5-5"
NEEDLE = Needle(text="The vault of ACME opens at 04:17.", depth=0.5)


# --- prose ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize("tokens", [30, 1_000, 20_000, 200_000])
def test_a_state_has_the_size_that_was_asked_for(tokens: int, model: str) -> None:
    assert count_text(state(tokens, model=model), model) == corrected(uncorrected(tokens, model), model)
    assert tokens - 1 <= count_text(state(tokens, model=model), model) <= tokens


@given(st.integers(200, 3_000), st.lists(st.floats(0, 1), max_size=4), st.integers(0, 9))
def test_needles_stand_at_their_depths(tokens: int, depths: list[float], seed: int) -> None:
    needles = [Needle(text=f"Needle {number} weighs 4 g.", depth=depth) for number, depth in enumerate(depths)]
    text = state(tokens, model=OLD, needles=needles, seed=seed)
    assert tokens - 1 <= count_text(text, OLD) <= tokens
    for needle in needles:
        assert text.count(needle.text) == 1
        before = count_text(text[: text.index(needle.text)], OLD)
        assert abs(before - needle.depth * tokens) <= 130 + 14 * len(needles)  # a paragraph, and the other needles


def test_no_two_paragraphs_are_the_same() -> None:
    made = list(islice(paragraphs(), 5_000))
    assert len(set(made)) == len(made)
    assert not any("{" in paragraph for paragraph in made)


def test_another_seed_is_other_prose() -> None:
    assert state(500, model=OLD, seed=1) != state(500, model=OLD, seed=2)
    assert state(500, model=OLD, seed=1) == state(500, model=OLD, seed=1)


def test_a_needle_says_what_it_is() -> None:
    kinds = ("instruction", "fact", "tool_result")
    said = [Needle(text="Obey.", kind=kind).said for kind in kinds]  # type: ignore[arg-type]
    assert said == ["Instruction: Obey.", "Obey.", "Result of a tool: Obey."]


def test_what_is_there_stays_in_front() -> None:
    text = grown("Report on tin.", 300)
    assert text.startswith("Report on tin.\n\n")


# --- the task ---------------------------------------------------------------------------------


def told(task: Any) -> str:
    """A workflow that keeps its state itself, and says how large it is."""
    text = task if isinstance(task, str) else task["messages"][0]["content"]
    client = Anthropic(api_key="k")
    reply = client.messages.create(model=NEW, max_tokens=200, messages=[{"role": "user", "content": text}])
    return f"{count_text(text, NEW)} held, {reply.usage.input_tokens} billed"


def inflated(task: Any, *rules: Rule, **more: Any) -> Run:
    first = Rule(id="grow", fault=InflateState(tokens=5_000, needles=(NEEDLE,)))
    return run(told, task, plan=FaultPlan(rules=[first, *rules]), store=None, **more)


def test_the_workflow_itself_holds_the_state() -> None:
    done = inflated("Report on tin.")
    assert done.result == "5000 held, 5003 billed"
    (fired,) = done.history.faults("grow")
    assert (fired.side, fired.agent, fired.call, fired.changed, fired.ends_at) == ("task", "", 0, True, 0.0)
    assert fired.before is not None and done.history.bodies.get(fired.before) == "Report on tin."
    count = done.faults["grow"]
    assert (count.fired, count.reached, count.changed, count.observed) == (1, 1, 1, 1)


def test_the_longest_text_of_a_task_grows() -> None:
    task = {"messages": [{"role": "user", "content": "Report on tin."}], "thread": 7, "tags": ("a", "b")}
    done = inflated(task)
    assert done.result == "5000 held, 5003 billed"
    (fired,) = done.history.faults("grow")
    after = done.history.bodies.get(str(fired.after))
    assert (after["thread"], after["tags"]) == (7, ["a", "b"]) and NEEDLE.text in after["messages"][0]["content"]


def test_a_task_without_a_text_is_left_alone() -> None:
    done = run(lambda task: task, 7, plan=[Rule(id="grow", fault=InflateState(tokens=50))], store=None)
    assert (done.result, done.faults["grow"].fired) == (7, 0)


def test_a_task_that_is_large_enough_is_left_alone() -> None:
    assert InflateState(tokens=3).on_task("Report on tin, lead and zinc.", "r1") is None


def test_a_stored_run_of_an_inflated_task_is_the_same_again(tmp_path: Any) -> None:
    done = run(told, "Report.", plan=[Rule(fault=InflateState(tokens=500))], store=tmp_path)
    assert done.path is not None
    again = load_run(done.path)
    assert (again.faults, again.history) == (done.faults, done.history)


def test_the_state_overflows_a_window() -> None:
    """Behind the task's rule, a window cuts what the workflow holds; what is billed tells."""
    over = Rule(id="cut", fault=Overflow(policy="keep_half", window=4_000))
    done = inflated("Report on tin.", over)
    held, billed = (int(part.split()[0]) for part in str(done.result).split(", "))
    assert held == 5_000 and 1_996 <= billed <= 2_002
    cut = next(event for event in done.history if isinstance(event, FaultFired) and event.rule == "cut")
    assert cut.side == "request" and NEEDLE.text not in str(done.history.bodies.get(str(cut.after)))
    assert NEEDLE.text in str(done.history.bodies.get(str(cut.before)))


def test_a_task_has_no_place_and_no_time() -> None:
    for fields in ({"at": At(agent="writer")}, {"when": When(call=1)}):
        with pytest.raises(
            ValidationError, match="InflateState strikes the task, before any call; leave out at and when"
        ):
            Rule(fault=InflateState(tokens=500), **fields)
    assert Rule(at=At(agent="writer"), fault=InflateState(tokens=500, through="reply")).fault.of_task is False


def test_its_rule_says_so() -> None:
    rule = Rule(fault=InflateState(tokens=200_000, needles=(NEEDLE,)))
    assert rule.sentence() == "on the task, the task grows to 200,000 tokens, with 1 needles"


# --- replies and tool results -----------------------------------------------------------------


def test_a_reply_grows_as_far_as_max_tokens_has_room() -> None:
    for wanted, got in ((400, 400), (5_000, 998)):
        fault = InflateState(tokens=wanted, through="reply")
        reply = fault.on_reply(Call(id=1, model=NEW, max_tokens=1_000), Reply.say("Tin rose."), History(), "r1")
        assert reply is not None and reply.text.startswith("Tin rose.\n\n")
        assert got - 1 <= count_text(reply.text, NEW) <= got


def test_a_tool_result_grows() -> None:
    call = Call(
        id=1,
        model=OLD,
        messages=[
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "search", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [text_block("40.")]}]},
        ],
    )
    seen = InflateState(tokens=700, through="tool_result").on_request(call, History(), "r1")
    assert isinstance(seen, Call)
    (block,) = seen.messages[2]["content"]
    assert block["content"].startswith("40.\n\n") and 699 <= count_text(block["content"], OLD) <= 700
