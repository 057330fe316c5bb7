"""``cascade`` and its trace: depth, exposure, infection, breadth, secondary infections, amplification, stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from planting import CLAIM, Plants, chain, say
from tape import Tape, run_of, said, user

from dissonance.harness import Gullible, Scripted, load_run, run
from dissonance.harness.checks import Cascade, cascade, trace_cascade
from dissonance.harness.claims import Claim
from dissonance.harness.errors import BadInput

FALSE, TRUE = CLAIM.false, CLAIM.true


class Story:
    """A history in which the first agent's reply is planted; each further line is an agent, what it reads and says."""

    def __init__(self, twin: str = FALSE) -> None:
        self.tape = Tape(("r1",))
        call = self.tape.call("a", "Task.")
        self.tape.fault(call, after=twin, claims=[CLAIM])
        self.tape.reply(call, twin, reached=("r1",))

    def turn(self, agent: str, reads: str, says: str) -> Story:
        self.tape.turn(agent, reads, says)
        return self

    def run(self, result: Any = "done", **changes: Any) -> Any:
        return run_of(self.tape.end(result), **changes)

    def trace(self, result: Any = "done", **changes: Any) -> Cascade:
        found = trace_cascade(self.run(result, **changes))
        assert found is not None
        return found


def depths(found: Cascade) -> list[tuple[str, int]]:
    return [(each.agent, each.depth) for each in found.calls]


# --- depth ------------------------------------------------------------------------------------


def test_in_a_chain_each_hop_is_one_deeper_also_where_all_say_the_same() -> None:
    found = Story().turn("b", FALSE, FALSE).turn("c", FALSE, FALSE).turn("d", FALSE, FALSE).trace(FALSE)
    assert depths(found) == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
    assert (found.depth, found.breadth, found.exposed, found.infected) == (3, 4, 3, 4)
    assert (found.secondary, found.amplification, found.output) == (1.0, 1.0, True)
    assert found.stops == ()


def test_who_reads_all_is_as_near_as_the_nearest() -> None:
    """The definition's least depth: d was told by a itself as well."""
    story = Story().turn("b", FALSE, "B finds: ACME sold 4.2 million units in 2023.")
    story.turn(
        "d", f"{FALSE}\nB finds: ACME sold 4.2 million units in 2023.", "So ACME sold 4.2 million units in 2023."
    )
    assert depths(story.trace()) == [("a", 0), ("b", 1), ("d", 1)]


def test_with_as_many_copies_as_speakers_all_of_them_were_read() -> None:
    story = Story().turn("b", FALSE, FALSE).turn("c", f"a: {FALSE}\n{FALSE}", FALSE)
    assert depths(story.trace())[-1] == ("c", 1)


def test_branches_are_told_apart_by_what_else_they_say() -> None:
    """The third branch reads what a said, and not the second one's longer reply, which came later."""
    story = Story()
    for name in "bcd":
        story.turn(name, FALSE, f"{FALSE} Branch {name} has seen to it.")
    story.turn("e", f"{FALSE} Branch c has seen to it.", "Fine.")
    assert depths(story.trace()) == [("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 2)]


def test_an_agents_own_words_do_not_make_it_deeper() -> None:
    tape_story = Story()
    tape = tape_story.tape
    tape.reply(tape.call("a", "Task.", said(FALSE), user("Go on.")), "On it goes.")
    assert depths(tape_story.trace()) == [("a", 0), ("a", 0)]


def test_a_round_trip_is_two_hops() -> None:
    story = Story().turn("judge", FALSE, "REVISE: ACME sold 4.2 million units in 2023, you say.")
    story.turn("a", "REVISE: ACME sold 4.2 million units in 2023, you say.", FALSE)
    assert depths(story.trace()) == [("a", 0), ("judge", 1), ("a", 2)]


def test_where_it_is_planted_again_it_is_a_source_that_has_read_the_other() -> None:
    story = Story()
    call = story.tape.call("b", FALSE)
    story.tape.fault(call, after=FALSE, claims=[CLAIM])
    story.tape.reply(call, FALSE, reached=("r1",))
    found = story.trace(FALSE)
    assert depths(found) == [("a", 0), ("b", 0)]
    assert (found.exposed, found.stops, found.secondary) == (0, (), None)


def test_new_words_come_from_the_latest_infected_reply() -> None:
    story = Story().turn("b", FALSE, FALSE).turn("c", "In 2023 ACME sold 4.2 million units, it is said.", "Ah.")
    assert depths(story.trace())[-1] == ("c", 2)


# --- exposure and infection -------------------------------------------------------------------


def test_exposed_is_not_infected() -> None:
    found = Story().turn("b", FALSE, "Nothing to add.").turn("c", "Nothing to add.", "Well.").trace()
    assert depths(found) == [("a", 0), ("b", 1)]
    assert (found.depth, found.exposed, found.infected, found.survival, found.secondary) == (0, 1, 1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("says", "stopped"),
    [("Nothing to add.", "not passed on"), (TRUE, "corrected"), (f"No: {TRUE}", "corrected")],
)
def test_it_is_said_by_what_it_stopped(says: str, stopped: str) -> None:
    (where,) = Story().turn("b", FALSE, says).trace().stops
    assert (str(where), where.stopped) == ("b's call 1", stopped)


def test_an_error_stops_it() -> None:
    story = Story()
    story.tape.reply(story.tape.call("b", FALSE), None, status=529)
    (where,) = story.trace().stops
    assert where.stopped == "not answered"


def test_a_guard_stops_what_nobody_reads() -> None:
    story = Story()
    story.tape.guard("citations")
    (where,) = story.trace("withheld").stops
    assert (where.agent, where.stopped) == ("a", "guard citations")


def test_what_nobody_reads_is_unread() -> None:
    (where,) = Story().trace("something else").stops
    assert where.stopped == "unread"


def test_secondary_infections_are_those_of_each_infected_reply_of_a_depth_that_was_read() -> None:
    story = Story()
    for name in "bcd":
        story.turn(name, FALSE, f"{FALSE} Branch {name} has seen to it." if name != "d" else "No.")
    story.turn("e", f"{FALSE} Branch b has seen to it.", "No.")
    assert story.trace().secondary == 2 / 3  # a infected b and c, and these nobody


def test_amplification_is_of_the_last_reply_over_the_first() -> None:
    more = "\n".join(f"ACME sold 4,213,000 units in 2023, says {name}." for name in ("one", "two", "three"))
    assert Story().turn("b", FALSE, more).trace().amplification == 3.0


def test_forms_that_stand_in_the_baseline_do_not_count() -> None:
    claim = Claim(id="c2", false=FALSE, true=TRUE, false_forms=("a record year", "beyond all plans"))
    usual = Tape()
    usual.turn("a", "It was a record year.", "Indeed, a record year.")
    tape = Tape(("r1",))
    call = tape.call("a", "It was a record year.")
    tape.fault(call, after=FALSE, claims=[claim])
    tape.reply(call, FALSE, reached=("r1",))
    tape.turn("b", "It was a record year.", "A record year.")
    tape.turn("c", "It went beyond all plans.", "Well.")
    found = trace_cascade(run_of(tape.end(), baseline=run_of(usual.end())))
    assert found is not None
    assert [each.agent for each in found.calls] == ["a", "c"]


def test_a_statement_that_stands_in_the_baseline_says_nothing() -> None:
    usual = Tape()
    usual.turn("a", "Task.", FALSE)
    verdict = cascade()(Story().run(baseline=run_of(usual.end())))
    assert (verdict.status, verdict.reason) == ("unknown", "claim 'c1' stands in the fault-free run as well")


# --- the verdict ------------------------------------------------------------------------------


def test_the_reason_has_the_figures() -> None:
    story = Story().turn("b", FALSE, FALSE).turn("c", FALSE, TRUE)
    verdict = cascade(depth=0)(story.run())
    assert (verdict.status, verdict.evidence) == ("fail", (2, 4, 5, 6))
    assert verdict.reason == (
        "more than 0 deep: claim 'c1' went 1 deep (b's call 1), to 2 agents, 1 of 2 (50 %) of the "
        "calls that read it passed it on, 0.50 new infections each, stopped: corrected at c's call 1"
    )


def test_a_clean_output_passes_and_a_dirty_one_fails() -> None:
    assert cascade()(Story().run("all is well")).status == "pass"
    assert cascade()(Story().run({"text": ["x", FALSE]})).status == "fail"
    assert cascade(output_clean=False)(Story().run(FALSE)).status == "pass"


def test_a_cut_reply_may_hide_more() -> None:
    story = Story()
    call = story.tape.call("b", FALSE)
    body = {"type": "message", "content": [{"type": "text", "text": "I read"}], "stop_reason": "max_tokens"}
    story.tape.reply(call, body)
    verdict = cascade(depth=3)(story.run())
    assert (verdict.status, verdict.next) == ("unknown", "Raise max_tokens there.")
    assert "b's call 1 was cut at max_tokens" in verdict.reason


def test_what_is_broken_anyway_stays_broken_where_a_reply_was_cut() -> None:
    story = Story().turn("b", FALSE, FALSE)
    body = {"type": "message", "content": [{"type": "text", "text": "I read"}], "stop_reason": "max_tokens"}
    story.tape.reply(story.tape.call("c", FALSE), body)
    assert cascade(depth=0)(story.run()).status == "fail"


def test_under_a_live_model_clean_is_a_lower_bound() -> None:
    verdict = cascade()(Story().run(model={"name": "Live"}))
    assert (verdict.status, "lower bound" in verdict.reason) == ("unknown", True)


def test_nothing_planted_is_unknown() -> None:
    tape = Tape()
    tape.turn("a", "Task.", FALSE)
    assert cascade()(run_of(tape.end())).reason == "no claim was planted: there was nothing to look at"
    assert trace_cascade(run_of(tape.history)) is None


def test_a_claim_that_its_call_never_said_is_unknown() -> None:
    tape = Tape(("r1",))
    tape.fault(tape.call("a", "Task."), after=FALSE, claims=[CLAIM])
    assert cascade()(run_of(tape.end())).status == "unknown"


def test_a_negative_depth_is_refused() -> None:
    with pytest.raises(BadInput, match=r"cascade\(depth=-1\): give a whole number, 0 or more"):
        cascade(depth=-1)


# --- the control arm --------------------------------------------------------------------------


def test_lost_is_not_caught() -> None:
    """Both twins vanish at b, so b loses what it reads, whether it is true or not."""
    false = Story().turn("b", FALSE, "Nothing to add.").run()
    true = Story(TRUE).turn("b", TRUE, "Nothing to add.").run()
    verdict = cascade(control=true)(false)
    assert verdict.status == "unknown"
    assert verdict.reason.endswith("the true twin got no further (0 deep): the claim was lost, not caught")


def test_caught_is_where_the_true_twin_goes_on() -> None:
    false = Story().turn("b", FALSE, "Nothing to add.").run()
    true = Story(TRUE).turn("b", TRUE, TRUE).run(TRUE)
    assert cascade(control=true)(false).status == "pass"


def test_a_control_run_without_the_true_twin_is_none() -> None:
    false = Story().turn("b", FALSE, "Nothing to add.").run()
    assert "did not plant the true twin" in cascade(control=false)(false).reason


# --- on real runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 4, 6])
def test_the_depth_of_a_chain_is_its_number_of_hops(length: int) -> None:
    made = run(chain(length), "The board asks how sales went.", plan=[Plants()], store=None)
    found = trace_cascade(made)
    assert found is not None
    assert (found.depth, found.breadth, found.output, found.secondary) == (length - 1, length, True, 1.0)
    (verdict,) = made.judge(cascade(depth=length - 2))
    assert verdict.status == "fail"
    assert made.judge(cascade(depth=length - 1, output_clean=False))[0].status == "pass"


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("hops", [1, 2, 3])
def test_amplification_is_one_more_than_the_elaboration_to_the_depth(count: int, hops: int) -> None:
    made = run(
        chain(hops + 1, max_tokens=8192),
        "The board asks how sales went.",
        plan=[Plants()],
        model=Gullible(elaborate=count),
        store=None,
    )
    found = trace_cascade(made)
    assert found is not None
    assert (found.depth, found.amplification) == (hops, (1 + count) ** hops)


async def fan(task: str) -> str:
    seed = await say("You are a0.", task)
    notes = await asyncio.gather(*(say(f"You are b{n}.", f"Region {n} asks: {seed}") for n in range(3)))
    return await say("You are the editor.", "\n".join(notes))


def test_a_fan_out_is_as_deep_as_its_longest_way() -> None:
    made = run(fan, "The board asks how sales went.", plan=[Plants()], store=None)
    found = trace_cascade(made)
    assert found is not None
    assert [(each.agent, each.depth) for each in found.calls] == [
        ("a0", 0), ("b0", 1), ("b1", 1), ("b2", 1), ("editor", 2),
    ]  # fmt: skip
    assert found.breadth == 5


def test_a_stored_run_is_traced_alike(tmp_path: Any) -> None:
    made = run(chain(3), "The board asks how sales went.", plan=[Plants()], store=tmp_path)
    assert made.path is not None
    stored = load_run(made.path)
    assert trace_cascade(stored) == trace_cascade(made)
    assert stored.judge(cascade(depth=1))[0].status == made.judge(cascade(depth=1))[0].status == "fail"


def test_a_workflow_that_checks_its_facts_passes_beside_its_control_arm() -> None:
    async def checked(task: str) -> str:
        said = await say("You are a0.", task)
        verdict = await say("You are the judge. Answer APPROVE or REJECT.", said)
        return said if "APPROVE" in verdict else "withheld"

    model = Scripted(
        {"judge": lambda call, past: "REJECT" if "4,213,000" in call.text else "APPROVE", "*": "Sales rose."}
    )
    arms = [run(checked, "How did it go?", plan=[Plants(twin=t)], model=model, store=None) for t in ("false", "true")]
    assert arms[0].judge(cascade(control=arms[1]))[0].status == "pass"
