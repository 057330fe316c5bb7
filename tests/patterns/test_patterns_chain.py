"""A chain: what each stage sees, what is kept, what happens when one fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel, create_model
from tests.patterns.conftest import tokens_of
from worlds import succeed

from dissonance.patterns import (
    Agent,
    Grounding,
    MonotonicProgress,
    Outcome,
    Pattern,
    PatternError,
    Provenance,
    Quarantine,
    Retry,
    Source,
    Stage,
    StepBudget,
    TimeBox,
    Unfinished,
    Usage,
    chain,
    shown,
    solo,
)
from dissonance.patterns.store import Store, StoreError

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire


class Facts(BaseModel):
    founded: int
    reasoning: str = ""


class Notice(BaseModel):
    task: str
    facts: Facts | None = None
    draft: str = ""
    final: str = ""


RESEARCHER, WRITER, EDITOR = Agent("researcher", "Find."), Agent("writer", "Write."), Agent("editor", "Edit.")
FACTS = '{"founded": 1987, "reasoning": "It must be."}'
WHEN = Grounding(
    lambda output: {"founded": str(output.founded)} if isinstance(output, Facts) else {}, {"founded": "1987"}
)


def stages(client: anthropic.AsyncAnthropic, **changed: Any) -> list[Stage]:
    """Three stages; ``changed`` are fields of the second one."""
    draft = Stage("draft", solo(client, WRITER), sees=["task", "facts"])
    return [
        Stage("facts", solo(client, RESEARCHER, Facts), sees=["task"]),
        replace(draft, **changed),
        Stage("final", solo(client, EDITOR), sees=["draft"]),
    ]


def honest(wire: Wire) -> anthropic.AsyncAnthropic:
    return wire({"researcher": repeat(FACTS), "writer": repeat("A draft."), "editor": repeat("The notice.")})


# --- what a stage sees --------------------------------------------------------------------------


def test_each_stage_fills_its_field_and_sees_what_it_is_to_see(wire: Wire) -> None:
    result = asyncio.run(chain(Notice, stages(honest(wire)))("Write about ACME."))
    assert result.require() == Notice(
        task="Write about ACME.",
        facts=Facts(founded=1987, reasoning="It must be."),
        draft="A draft.",
        final="The notice.",
    )
    assert [wire.prompts(agent)[0] for agent in ("researcher", "writer", "editor")] == [
        "<task>\nWrite about ACME.\n</task>",
        "<task>\nWrite about ACME.\n</task>\n\n"
        '<facts>\n{\n  "founded": 1987,\n  "reasoning": "It must be."\n}\n</facts>',
        "<draft>\nA draft.\n</draft>",
    ]
    assert (result.made, result.resumed, result.usage.calls, result.steps) == (("facts", "draft", "final"), (), 3, 3)


def test_the_output_rests_on_what_each_stage_saw(wire: Wire) -> None:
    """And on nothing that it did not see: the editor did not see the facts, the writer did."""
    facts = Provenance(by="researcher", sources=(Source("founded", verified=True),), verified_by=("grounding",))
    draft = Provenance(by="writer", upstream=(facts,), verified_by=("grounding",))
    result = asyncio.run(chain(Notice, stages(honest(wire)), guards=[WHEN])("Go"))
    assert result.provenance == Provenance(by="editor", upstream=(draft,), verified_by=("grounding",))


def test_a_chain_whose_stages_see_all_before_them_is_told_in_one_line(wire: Wire) -> None:
    """As a tree with each stage under all later ones it would have a billion branches."""
    names = [f"s{number:02}" for number in range(30)]
    fields: dict[str, Any] = {name: (str, "") for name in names}
    state = create_model("State", task=(str, ...), **fields)
    client = wire({name: repeat("Done.") for name in names})
    stages = [
        Stage(name, solo(client, Agent(name, "Go on.")), sees=["task", *names[:place]])
        for place, name in enumerate(names)
    ]
    result = asyncio.run(chain(state, stages)("Go"))
    assert result.provenance is not None
    assert [each.by for each in result.provenance.walk()] == names[::-1]


@pytest.mark.parametrize(
    ("sees", "tokens"),
    [
        pytest.param(["task", "source", "digest"], 50_000, id="all that there is"),
        pytest.param(["digest"], 2_000, id="what it needs"),
    ],
)
def test_a_stage_carries_50_000_tokens_where_2_000_suffice(wire: Wire, sees: list[str], tokens: int) -> None:
    """A long source, a digest of it, and a stage that only needs the digest. Counted as the API counts, within 1 %."""

    class State(BaseModel):
        task: str
        source: str = ""
        digest: str = ""
        answer: str = ""

    client = wire({"reader": ["word " * 38_400], "writer": ["fact " * 1570], "editor": ["Done."]})
    work = [
        Stage("source", solo(client, Agent("reader", "Read.")), sees=["task"]),
        Stage("digest", solo(client, WRITER), sees=["source"]),
        Stage("answer", solo(client, EDITOR), sees=sees),
    ]
    asyncio.run(chain(State, work)("Go"))
    assert tokens_of(wire.requests[-1]) == pytest.approx(tokens, rel=0.01)


def test_a_stage_may_make_its_own_prompt(wire: Wire) -> None:
    result = chain(Notice, stages(honest(wire), show=lambda view: f"Founded: {view['facts'].founded}"))
    asyncio.run(result("Go"))
    assert wire.prompts("writer") == ["Founded: 1987"]


# --- what is kept -------------------------------------------------------------------------------


def failing_once(replies: Iterator[Any]) -> Pattern[str]:
    async def work(prompt: str) -> Outcome[str]:
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return Outcome(output=reply, finished=True, steps=1, usage=Usage(calls=1))

    return work


def test_what_is_finished_is_not_done_again(wire: Wire, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = honest(wire)
    with Store(store_url) as store, caplog.at_level(logging.INFO, logger="dissonance.patterns"):
        work = failing_once(iter([PatternError("down"), "A draft."]))
        pattern = chain(Notice, stages(client, work=work), store=store, name="notices")
        first = asyncio.run(pattern("Go"))
        assert (first.finished, first.failed, first.reason) == (False, "draft", "draft: PatternError: down")
        assert first.output == Notice(task="Go", facts=Facts(founded=1987, reasoning="It must be."))
        assert [run.id for run in pattern.unfinished()] == [first.run]
        (second,) = asyncio.run(pattern.resume())
        assert (second.finished, second.resumed, second.made) == (True, ("facts",), ("draft", "final"))
        assert pattern.unfinished() == ()
    assert wire.agents == ["researcher", "editor"]
    assert second.output == Notice(
        task="Go", facts=Facts(founded=1987, reasoning="It must be."), draft="A draft.", final="The notice."
    )
    assert second.usage.calls == 3, "the calls of finished stages are part of what it has cost"
    assert second.provenance is not None
    assert [each.by for each in second.provenance.walk()] == ["editor", "draft", "researcher"]
    assert [vars(record)["event"] for record in caplog.records] == [
        {"kind": "checkpoint", "agent": "notices", "run": first.run, "stage": stage}
        for stage in ("facts", "draft", "final")
    ]


def test_a_finished_run_is_found_finished(wire: Wire) -> None:
    with Store("sqlite://") as store:
        pattern = chain(Notice, stages(honest(wire)), store=store)
        first, again, other = (asyncio.run(pattern(task)) for task in ("Go", "Go", "Go elsewhere"))
    assert (again.output, again.made, again.resumed) == (first.output, (), ("facts", "draft", "final"))
    assert (other.made, len(wire.requests)) == (("facts", "draft", "final"), 6)


def test_a_run_is_not_mistaken_for_another(wire: Wire) -> None:
    with Store("sqlite://") as store:
        pattern = chain(Notice, stages(honest(wire)), store=store)
        asyncio.run(pattern("Go", run="17"))
        with pytest.raises(StoreError, match="run='17' is known as 'chain' with another task"):
            asyncio.run(pattern("Stop", run="17"))


def test_where_two_processes_do_one_stage_the_first_to_keep_it_counts(wire: Wire) -> None:
    with Store("sqlite://") as store:
        client = honest(wire)

        async def slow(prompt: str) -> Outcome[str]:
            other = chain(Notice, stages(client), store=store)
            await other("Go", run="17")
            return Outcome(output="Mine.", finished=True, steps=1, usage=Usage())

        result = asyncio.run(chain(Notice, stages(client, work=slow), store=store)("Go", run="17"))
    assert result.require().draft == "A draft."
    assert (result.made, result.resumed) == (("facts", "draft"), ("final",))


# --- what fails -------------------------------------------------------------------------------


def test_a_retry_waits_and_tells_what_was_wrong() -> None:
    asked: list[tuple[float, str]] = []

    async def work(prompt: str) -> Outcome[str]:
        asked.append((asyncio.get_running_loop().time(), prompt))
        if len(asked) < 3:
            raise PatternError(f"error {len(asked)}")
        return Outcome(output="Done.", finished=True, steps=1, usage=Usage())

    class State(BaseModel):
        task: str
        answer: str = ""

    for informed in (True, False):
        asked.clear()
        retry = Retry(tries=3, wait=2, factor=3, informed=informed)
        played = succeed(partial(chain(State, [Stage("answer", work, sees=["task"], retry=retry)]), "Go"))
        assert (played.result.finished, played.result.steps, [at for at, _ in asked]) == (True, 3, [0, 2, 8])
        told = [f"\n\n<feedback>\nThe last try was rejected: PatternError: error {n}\n</feedback>" for n in (1, 2)]
        assert [prompt for _, prompt in asked] == [
            "<task>\nGo\n</task>",
            *("<task>\nGo\n</task>" + (each if informed else "") for each in told),
        ]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(httpx2.Response(529, json={}), "draft: OverloadedError: Error code: 529", id="overloaded"),
        pytest.param({"stop_reason": "refusal", "content": []}, "draft: DamagedReply: the reply", id="refusal"),
    ],
)
def test_a_stage_that_keeps_failing_ends_the_chain_with_what_there_is(wire: Wire, reply: Any, reason: str) -> None:
    client = wire({"researcher": [FACTS], "writer": repeat(reply)})
    result = asyncio.run(chain(Notice, stages(client, retry=Retry(tries=2, wait=0)))("Go"))
    assert (result.finished, result.failed, len(wire.requests)) == (False, "draft", 3)
    assert str(result.reason).startswith(reason)
    assert result.output == Notice(task="Go", facts=Facts(founded=1987, reasoning="It must be."))
    with pytest.raises(Unfinished):
        result.require()


def test_a_bug_is_no_failure_to_be_retried() -> None:
    async def work(prompt: str) -> Outcome[str]:
        raise ZeroDivisionError

    stage = Stage("draft", work, sees=["task"], retry=Retry(tries=9))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(chain(Notice, [stage])("Go"))


def test_an_output_that_does_not_fit_the_state_is_no_output(wire: Wire) -> None:
    async def work(prompt: str) -> Outcome[Any]:
        return Outcome(output=["no", "text"], finished=True, steps=1, usage=Usage())

    result = asyncio.run(chain(Notice, stages(honest(wire), work=work))("Go"))
    assert result.reason == "draft: draft does not fit the state: Input should be a valid string"


def test_a_stage_that_waits_for_a_human_pauses_the_chain_and_is_not_retried(wire: Wire) -> None:
    class Waiting(Outcome[str]):
        paused = True

    asked = []

    async def gate(prompt: str) -> Outcome[str]:
        asked.append(prompt)
        return Waiting(output=None, finished=False, steps=1, usage=Usage(), reason="waits for a human")

    result = asyncio.run(chain(Notice, stages(honest(wire), work=gate, retry=Retry(tries=5)))("Go"))
    assert (result.paused, result.failed, len(asked), result.reason) == (True, "draft", 1, "draft: waits for a human")


# --- guards -----------------------------------------------------------------------------------


def test_a_guard_of_outputs_holds_a_falsehood_back_and_its_retry_is_told_why(wire: Wire) -> None:
    wrong = '{"founded": 1989}'
    client = wire({"researcher": [wrong, FACTS], "writer": ["A draft."], "editor": ["Done."]})
    first, *rest = stages(client)
    informed = Stage(first.name, first.work, first.sees, retry=Retry(wait=0))
    result = asyncio.run(chain(Notice, [informed, *rest], guards=[WHEN])("Go"))
    assert (result.finished, wire.agents) == (True, ["researcher", "researcher", "writer", "editor"])
    assert "founded: the source says '1987', the output something else" in wire.prompts("researcher")[1]


def test_a_falsehood_that_comes_back_stops_the_chain_and_names_the_guard(wire: Wire) -> None:
    client = wire({"researcher": repeat('{"founded": 1989}')})
    first, *rest = stages(client)
    stubborn = Stage(first.name, first.work, first.sees, retry=Retry(tries=2, wait=0), guards=[WHEN])
    result = asyncio.run(chain(Notice, [stubborn, *rest])("Go"))
    assert (result.stopped_by, result.output, len(wire.requests)) == ("grounding", Notice(task="Go"), 2)


@pytest.mark.parametrize(
    ("guard", "stopped_by", "tries"),
    [
        pytest.param(StepBudget(4), "step_budget", 3, id="step budget: one for the facts"),
        pytest.param(MonotonicProgress(patience=2), "monotonic_progress", 2, id="progress: no stage is done"),
    ],
)
def test_guards_of_steps_bound_the_retries(wire: Wire, guard: Any, stopped_by: str, tries: int) -> None:
    client = wire({"researcher": [FACTS], "writer": repeat(wire.say("", "refusal"))})
    result = asyncio.run(chain(Notice, stages(client, retry=Retry(tries=99, wait=0)), guards=[guard])("Go"))
    assert (result.stopped_by, wire.agents.count("writer")) == (stopped_by, tries)


@pytest.mark.parametrize(("where", "seconds"), [("stage", 30), ("chain", 40)])
def test_a_time_box(where: str, seconds: float) -> None:
    """Around a stage of 90 seconds, or around the chain, whose first stage takes 10."""

    def lasting(duration: float) -> Pattern[str]:
        async def work(prompt: str) -> Outcome[str]:
            await asyncio.sleep(duration)
            return Outcome(output="Done.", finished=True, steps=1, usage=Usage())

        return work

    boxes = {"stage": [TimeBox(20)] if where == "stage" else [], "chain": [TimeBox(40)] if where == "chain" else []}
    work = [
        Stage("draft", lasting(10), sees=["task"]),
        Stage("final", lasting(90), sees=["draft"], guards=boxes["stage"]),
    ]
    played = succeed(lambda: chain(Notice, work, guards=boxes["chain"])("Go"))
    assert (played.seconds, played.result.stopped_by, played.result.failed) == (seconds, "time_box", "final")
    assert played.result.output == Notice(task="Go", draft="Done.")


def test_a_quarantine_marks_what_nobody_verified_and_takes_its_reasoning_away(wire: Wire) -> None:
    asyncio.run(chain(Notice, stages(honest(wire)), guards=[Quarantine()])("Go"))
    prompt = wire.prompts("writer")[0]
    assert ('<unverified by="researcher">' in prompt, "It must be." in prompt, "1987" in prompt) == (True, False, True)


def test_what_a_guard_verified_passes_a_quarantine_that_withholds(wire: Wire) -> None:
    client = honest(wire)
    held = asyncio.run(chain(Notice, stages(client), guards=[Quarantine(withhold=True)])("Go"))
    assert (held.stopped_by, held.reason) == ("quarantine", "draft: facts by researcher is not verified")
    passed = asyncio.run(chain(Notice, stages(client), guards=[WHEN, Quarantine(withhold=True)])("Go"))
    assert passed.finished


@pytest.mark.parametrize(
    ("names", "sees", "message"),
    [
        pytest.param([], [], "stages=[]: give at least one, each with a name of its own", id="none"),
        pytest.param(
            ["draft"] * 2,
            ["task"],
            "stages=['draft', 'draft']: give at least one, each with a name of its own",
            id="equal names",
        ),
        pytest.param(
            ["title"], ["task"], "stage 'title': Notice needs a field of this name with a default", id="no field"
        ),
        pytest.param(["task"], [], "stage 'task': Notice needs a field of this name with a default", id="no default"),
        pytest.param(
            ["draft"],
            ["final"],
            "stage 'draft' sees ['final']: give 'task' or earlier stages, []",
            id="sees what is to come",
        ),
    ],
)
def test_a_chain_that_can_not_work_is_refused(names: list[str], sees: list[str], message: str) -> None:
    async def work(prompt: str) -> Outcome[str]:
        raise AssertionError

    with pytest.raises(ValueError) as caught:
        chain(Notice, [Stage(name, work, sees=sees) for name in names])
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"wait": -1}, {"factor": 0.5}])
def test_a_bad_retry_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        Retry(**wrong)


def test_shown() -> None:
    assert shown({"a": "x", "b": [1]}) == "<a>\nx\n</a>\n\n<b>\n[\n  1\n]\n</b>"
