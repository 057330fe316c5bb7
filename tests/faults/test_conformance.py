"""Conformance: each fault takes effect on a real SDK client, sync and async, whole and streamed.

A run with the fault alone must count it four times: it fired, it reached the agent, it changed bytes
or timing, and what happened afterwards was observably another thing than in the fault-free baseline.
A fault without a row here fails the suite, and so does one that does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import unlisted

from dissonance.faults import (
    At,
    Contradict,
    CorruptNumber,
    CutStream,
    DelegateAgain,
    Disconnect,
    Dribble,
    DropCitation,
    EmptyContent,
    FabricateCitation,
    FalseAccept,
    FalseReject,
    Family,
    Fault,
    FaultPlan,
    Groupthink,
    HttpError,
    InflateState,
    MalformedBody,
    Needle,
    Overconfident,
    Overflow,
    Overloaded,
    Paraphrase,
    PingPong,
    RateLimit,
    Reenter,
    Refusal,
    RejectWork,
    RepeatToolCall,
    Rule,
    SeedClaim,
    SlowBranch,
    SlowReply,
    StaleToolResult,
    Stall,
    StreamError,
    ToolError,
    ToolTimeout,
    TruncatedToolJson,
    When,
    WrongToolResult,
    fault_types,
)
from dissonance.harness.agents import agent
from dissonance.harness.call import Call, Json, Model, Reply
from dissonance.harness.choices import decide
from dissonance.harness.claims import Claim
from dissonance.harness.history import History
from dissonance.harness.models import Gullible
from dissonance.harness.run import Run, run

# --- the workflows ----------------------------------------------------------------------------


MODEL = "claude-sonnet-4-6"
TIMEOUT = 60.0


def tool(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return {"name": name, "description": name, "input_schema": schema}


SEARCH = tool("search", query={"type": "string"}, pages={"type": "integer"})
HAND_OVER = tool("transfer_to_lead", task={"type": "string"})


def text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def relay(task: str) -> Any:
    """A writer writes, an editor gets what was written."""
    draft = yield "writer", "You are the writer.", [user(task)], []
    final = yield "editor", "You are the editor.", [user(f"Edit this: {text(draft)!r}")], []
    return text(final)


def careful_relay(task: str) -> Any:
    """As relay, but the writer is asked again where the reply is not whole: what is silent by itself shows here."""
    for _ in range(2):
        draft = yield "writer", "You are the writer.", [user(task)], []
        if draft.stop_reason == "end_turn" and text(draft):
            break
    final = yield "editor", "You are the editor.", [user(f"Edit this: {text(draft)!r}")], []
    return text(final)


def double_checked(task: str) -> Any:
    """Two writers write the same; where they differ, an arbiter decides. What is believed otherwise shows here."""
    drafts = []
    for writer in ("writer", "second"):
        message = yield writer, "You are a writer.", [user(task)], []
        drafts.append(text(message))
    if drafts[0] == drafts[1]:
        return drafts[0]
    final = yield "arbiter", "You are the arbiter.", [user("\n".join(drafts))], []
    return text(final)


def review(task: str) -> Any:
    """A writer and a judge, four rounds at most."""
    feedback = ""
    for _ in range(4):
        draft = yield "writer", "You are the writer.", [user(f"{task}\n{feedback}")], []
        verdict = yield "judge", "You are the judge. Reply with 'APPROVE' or 'REVISE'.", [user(text(draft))], []
        if "APPROVE" in text(verdict):
            break
        feedback = text(verdict)
    return text(draft)


def tools(task: str) -> Any:
    """A researcher with a search tool and a hand-off, five turns at most."""
    messages = [user(task)]
    for _ in range(5):
        message = yield "researcher", "You are the researcher.", messages, [SEARCH, HAND_OVER]
        uses = [block for block in message.content if block.type == "tool_use"]
        if not uses:
            break
        messages.append(
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}
        )
        messages.append(user([_result(use) for use in uses]))
    return text(message)


def asked_twice(task: str) -> Any:
    """A researcher whom the user asks twice, with a search tool; the second search finds something else."""
    messages: list[Any] = []
    for question in (task, "And what does the year before say of it?"):
        messages.append(user(question))
        for _ in range(3):
            message = yield "researcher", "You are the researcher.", messages, [SEARCH]
            messages.append(
                {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in message.content]}
            )
            uses = [block for block in message.content if block.type == "tool_use"]
            if not uses:
                break
            messages.append(user([_result(use, f" It names {len(messages)} files.") for use in uses]))
    return text(message)


def forgetful(task: str) -> Any:
    """A long conversation of a writer, whose last question only its beginning answers."""
    messages = [user(task)]
    for number in range(2, 5):
        message = yield "writer", "You are the writer. The house style of ACME forbids abbreviations.", messages, []
        messages.append({"role": "assistant", "content": text(message)})
        messages.append(user(f"Add that part {number} of the report comes on {number} June 2024."))
    message = yield "writer", "You are the writer. The house style of ACME forbids abbreviations.", messages, []
    return text(message)


def panel(task: str) -> Any:
    """Three jurors who each got evidence of their own, and answer one after the other; a clerk counts."""
    votes = []
    for juror, evidence in (("one", "guilt is plain"), ("two", "the alibi of 3 May holds"), ("three", "4 saw nothing")):
        vote = yield juror, "You are a juror.", [user(f"{task} You alone know that {evidence}.")], []
        votes.append(text(vote))
    verdict = yield "clerk", "You are the clerk.", [user("\n".join(votes))], []
    return text(verdict)


def scored(task: str) -> Any:
    """A writer says how sure it is of its draft; below nine tenths an editor is asked."""
    schema = {
        "type": "object",
        "properties": {"draft": {"type": "string"}, "confidence": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["draft", "confidence"],
        "additionalProperties": False,
    }
    message = yield (
        "writer",
        "You are the writer.",
        [user(task)],
        [],
        {"format": {"type": "json_schema", "schema": schema}},
    )
    answer = json.loads(text(message))
    if answer["confidence"] < 0.9:
        final = yield "editor", "You are the editor.", [user(f"Edit this: {answer['draft']}")], []
        return text(final)
    return answer["draft"]


def _result(use: Any, more: str = "") -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": use.id,
        "content": f"{use.name} found nothing for {use.input!r}.{more}",
    }


Workflow = Callable[[str], Any]


def sync(workflow: Workflow, stream: bool) -> Callable[[str], str]:
    def played(task: str) -> str:
        client = Anthropic(api_key="k", timeout=TIMEOUT)
        steps = workflow(task)
        message = None
        while True:
            try:
                name, system, messages, offered, *config = steps.send(message)
            except StopIteration as end:
                return str(end.value)
            request = _request(system, messages, offered, *config)
            with agent(name):
                if stream:
                    with client.messages.stream(**request) as events:
                        message = events.get_final_message()
                else:
                    message = client.messages.create(**request)

    return played


def asynchronous(workflow: Workflow, stream: bool) -> Callable[[str], Awaitable[str]]:
    async def played(task: str) -> str:
        client = AsyncAnthropic(api_key="k", timeout=TIMEOUT)
        steps = workflow(task)
        message = None
        while True:
            try:
                name, system, messages, offered, *config = steps.send(message)
            except StopIteration as end:
                return str(end.value)
            request = _request(system, messages, offered, *config)
            with agent(name):
                if stream:
                    async with client.messages.stream(**request) as events:
                        message = await events.get_final_message()
                else:
                    message = await client.messages.create(**request)

    return played


def _request(system: str, messages: Sequence[Any], offered: Sequence[Any], config: Any = None) -> Mapping[str, Any]:
    request = {"model": MODEL, "max_tokens": 500, "system": system, "messages": list(messages)}
    if config is not None:
        request["output_config"] = config
    return {**request, "tools": list(offered)} if offered else request


CLIENTS = {
    "sync": (sync, False),
    "async": (asynchronous, False),
    "sync stream": (sync, True),
    "async stream": (asynchronous, True),
}


# --- the table --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A fault, the workflow that must feel it, and where."""

    fault: Fault
    workflow: Workflow
    at: At
    when: When = field(default_factory=When)
    streams_only: bool = False
    model: Model = field(default_factory=Gullible)


class Doubtful(Gullible):
    """Sends work back wherever it can, and is sure of nothing."""

    def reply(self, call: Call, past: History) -> Reply:
        usual = super().reply(call, past)
        decided = decide(call, accept=False)
        return usual if decided is None else usual.with_message(decided)

    def describe(self) -> Json:
        return {"name": "Doubtful"}


class Citing(Gullible):
    """Names a source behind what it says."""

    def reply(self, call: Call, past: History) -> Reply:
        usual = super().reply(call, past)
        return Reply.say(f"{usual.text} [1] (Lane, 2020)", pace=self.pace)

    def describe(self) -> Json:
        return {"name": "Citing"}


def on_writer(fault: Fault, streams_only: bool = False, workflow: Workflow = relay) -> Row:
    return Row(fault, workflow, At(agent="writer"), When(call=1), streams_only)


RESEARCHER = At(agent="researcher")
CLAIM = Claim(id="zinc", false="Zinc fell by 7 % in May 2024.", true="Zinc rose by 7 % in May 2024.")
ROWS = [
    Row(RejectWork(feedback="Too long."), review, At(agent="judge")),
    Row(Paraphrase(), review, At(agent="judge")),
    Row(Paraphrase(), tools, RESEARCHER),
    Row(RepeatToolCall(), tools, RESEARCHER),
    Row(PingPong(), tools, RESEARCHER),
    Row(Reenter(), tools, RESEARCHER),
    Row(DelegateAgain(), tools, RESEARCHER),
    on_writer(SlowReply(seconds=90)),
    on_writer(SlowReply(seconds=900, law="exponential")),
    on_writer(SlowReply(seconds=900, law="lognormal", sigma=0.1)),
    on_writer(SlowReply(seconds=900, law="pareto", alpha=9)),
    on_writer(SlowBranch(seconds=90)),
    on_writer(Stall()),
    on_writer(Stall(after=0)),
    on_writer(Dribble(tokens_per_second=0.01)),
    on_writer(RateLimit(retry_after=30)),
    on_writer(RateLimit()),
    on_writer(Overloaded()),
    on_writer(HttpError(status=400)),
    on_writer(HttpError(status=500)),
    on_writer(Disconnect(how="connect")),
    on_writer(Disconnect(how="connect_timeout")),
    on_writer(Disconnect(how="reset")),
    on_writer(Disconnect(how="read_timeout")),
    on_writer(CutStream(), workflow=careful_relay),
    on_writer(CutStream(after=0), workflow=careful_relay),
    on_writer(CutStream(cleanly=False)),
    on_writer(StreamError(), streams_only=True),
    on_writer(StreamError(type="api_error", message="Internal server error", after=1), streams_only=True),
    on_writer(MalformedBody(shape="json")),
    on_writer(MalformedBody(shape="html")),
    on_writer(MalformedBody(shape="empty")),
    on_writer(EmptyContent(), workflow=careful_relay),
    Row(TruncatedToolJson(stop_reason="tool_use"), tools, RESEARCHER, When(call=1)),
    on_writer(Refusal(category="cyber"), workflow=careful_relay),
    Row(InflateState(tokens=600), relay, At()),
    Row(InflateState(tokens=400, through="tool_result"), tools, RESEARCHER),
    on_writer(InflateState(tokens=300, through="reply", needles=(Needle(text="Zinc is out on 9 May."),))),
    on_writer(Overflow(policy="reject", window=0.5)),
    on_writer(Overflow(policy="reject_sum", window=500)),
    on_writer(Overflow(policy="stop_reason", window=60), workflow=careful_relay),
    Row(Overflow(policy="drop_oldest", window=0.6), forgetful, At()),
    Row(Overflow(policy="drop_oldest_and_system", window=0.7), forgetful, At()),
    Row(Overflow(policy="drop_middle", window=0.7), forgetful, At()),
    Row(Overflow(policy="keep_half", window=0.9), forgetful, At()),
    Row(Overflow(policy="keep_tail", window=0.5), forgetful, At()),
    Row(Overflow(policy="message_window", keep=3), forgetful, At()),
    Row(Overflow(policy="summarise", window=0.5, keep=2), forgetful, At()),
    Row(Overflow(policy="clear_tool_results", window=0.5, keep=1), asked_twice, RESEARCHER),
    on_writer(SeedClaim(claim=CLAIM)),
    on_writer(SeedClaim(claim=CLAIM, twin="true")),
    on_writer(CorruptNumber(), workflow=double_checked),
    on_writer(FabricateCitation(), workflow=double_checked),
    Row(DropCitation(), relay, At(agent="writer"), model=Citing()),
    on_writer(Contradict(), workflow=double_checked),
    Row(FalseAccept(), review, At(agent="judge"), model=Doubtful()),
    Row(FalseReject(saying="Too long."), review, At(agent="judge")),
    Row(Groupthink(correlation=1), panel, At(agent="*")),
    Row(Overconfident(), scored, At(agent="writer"), model=Doubtful()),
    Row(ToolError(), tools, RESEARCHER, When(call=2)),
    Row(ToolTimeout(tool="search"), tools, RESEARCHER),
    Row(StaleToolResult(), asked_twice, RESEARCHER),
    Row(WrongToolResult(tool="search"), tools, RESEARCHER),
    Row(WrongToolResult(content="Tin is free."), tools, RESEARCHER),
]
IDS = [f"{row.fault!r} in {row.workflow.__name__}" for row in ROWS]
CASES = [
    pytest.param(row, client, id=f"{name}-{client}")
    for row, name in zip(ROWS, IDS, strict=True)
    for client, (_, stream) in CLIENTS.items()
    if stream or not row.streams_only
]
TASK = "Report that tin rose by 4 % on 3 May 2024, and that lead fell to 2,100 dollars."


def played(row: Row, client: str) -> Run:
    play, stream = CLIENTS[client]
    plan = FaultPlan(rules=[Rule(id="the fault", at=row.at, when=row.when, fault=row.fault)])
    return run(lambda: play(row.workflow, stream), TASK, plan=plan, model=row.model)


def takes_effect(row: Row, client: str) -> None:
    done = played(row, client)
    assert done.baseline is not None and done.baseline.outcome == "completed", done.baseline
    count = done.faults["the fault"]
    counts = (count.fired, count.reached, count.changed, count.observed)
    assert all(number is not None and number > 0 for number in counts), f"{row.fault!r}: {count!r} {done.demoted_by}"
    assert done.tier == "T1", done.demoted_by


@pytest.mark.parametrize(("row", "client"), CASES)
def test_a_fault_takes_effect(row: Row, client: str) -> None:
    takes_effect(row, client)


@pytest.mark.parametrize("client", ["sync", "async"])
def test_a_fault_of_streams_leaves_other_calls_alone(client: str) -> None:
    done = played(on_writer(StreamError()), client)
    assert (done.outcome, done.faults["the fault"].fired) == ("completed", 0)


def test_every_fault_has_a_row() -> None:
    """Those of the human and the process, which are not at the wire, have theirs in a module of their own."""
    here = [fault for fault in fault_types().values() if fault.family not in ("human", "process")]
    shipped = {fault.__name__ for fault in here if fault.__module__.startswith("dissonance.faults.")}
    assert {row.fault.kind for row in ROWS} == shipped


@unlisted
class NoOp(Fault):
    """Says that it fired, and changes nothing."""

    family: ClassVar[Family] = "transport"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return reply


@unlisted
class Silent(Fault):
    """Never fires."""

    family: ClassVar[Family] = "transport"


@pytest.mark.parametrize("fault", [NoOp(), Silent()], ids=repr)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_fault_that_does_nothing_fails_the_suite(fault: Fault, client: str) -> None:
    with pytest.raises(AssertionError, match=r"NoOp\(\)|Silent\(\)"):
        takes_effect(on_writer(fault), client)
