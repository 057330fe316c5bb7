"""The client without HTTP is the wire's equal: the same history, results and errors, for any plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissonance.faults import (
    At,
    CutStream,
    Disconnect,
    EmptyContent,
    FaultPlan,
    HttpError,
    InflateState,
    MalformedBody,
    Overloaded,
    RateLimit,
    Refusal,
    RejectWork,
    RepeatToolCall,
    Rule,
    SlowReply,
    Stall,
    ToolError,
    TruncatedToolJson,
    When,
)
from dissonance.faults.strategies import fault_plans
from dissonance.harness import Limits, Run, Scripted, run
from dissonance.harness.direct import DirectAnthropic
from dissonance.patterns import Agent, Piece, StepBudget, contains, fan_out, solo, supervise, tool_loop

WIRE = AsyncAnthropic(api_key="none")
DIRECT = DirectAnthropic()
LIMITS = Limits(calls=40)


def search(query: str) -> str:
    """Search the archive."""
    return f"Found for {query}: ACME sold 1,200 units in May 2024."


def _supervised(client: AsyncAnthropic) -> Any:
    writer, judge = Agent("writer", "Write the notice."), Agent("judge", "Judge the notice.")
    checks = [contains("ACME")]
    return supervise(client, workers=[writer], checks=checks, judge=judge, guards=[StepBudget(6)])


def _searching(client: AsyncAnthropic) -> Any:
    return tool_loop(client, Agent("researcher", "Find what was sold."), tools=[search], guards=[StepBudget(6)])


def _fanned_out(client: AsyncAnthropic) -> Any:
    agents = [Agent(name, "Say what ACME sold.", stream=name == "c") for name in "abc"]
    works = {agent.name: solo(client, agent) for agent in agents}

    async def by_its_own(task: str) -> Any:
        return await works[task[0]](task)

    return fan_out(by_its_own, split=lambda task: [Piece(name=name, task=f"{name}: {task}") for name in works])


def _counting(client: AsyncAnthropic) -> Any:
    async def count_and_ask(task: str) -> tuple[int, Message]:
        messages: Any = [{"role": "user", "content": task}]
        count = await client.messages.count_tokens(model="claude-sonnet-4-6", messages=messages)
        message = await client.messages.create(model="claude-sonnet-4-6", max_tokens=200, messages=messages)
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": "Go on."}]
        return count.input_tokens, await client.messages.create(
            model="claude-sonnet-4-6", max_tokens=200, messages=messages
        )

    return count_and_ask


WORKFLOWS: dict[str, Callable[[AsyncAnthropic], Any]] = {
    "supervise": _supervised,
    "tool loop": _searching,
    "fan out": _fanned_out,
    "count and ask": _counting,
}
AGENTS = ["writer", "judge", "researcher", "a", "b", "c"]


def _played(make: Callable[[AsyncAnthropic], Any], client: AsyncAnthropic, plan: FaultPlan, seed: int = 0) -> Run:
    return run(make(client), "What did ACME sell?", plan=plan, seed=seed, limits=LIMITS, baseline=False, store=None)


def _same(make: Callable[[AsyncAnthropic], Any], plan: FaultPlan, seed: int = 0) -> Run:
    wire, direct = (_played(make, client, plan, seed) for client in (WIRE, DIRECT))
    assert list(direct.history) == list(wire.history)
    assert dict(direct.history.bodies.items()) == dict(wire.history.bodies.items())
    assert (direct.outcome, direct.error_text, direct.faults) == (wire.outcome, wire.error_text, wire.faults)
    assert direct.result == wire.result
    return direct


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKFLOWS)
def test_any_plan_gives_the_same_history(name: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(plan=fault_plans(AGENTS, max_rules=3), seed=st.integers(0, 3))
    def same(plan: FaultPlan, seed: int) -> None:
        _same(WORKFLOWS[name], plan, seed)

    same()


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.parametrize(
    "fault",
    [
        RateLimit(retry_after=3),
        Overloaded(),
        HttpError(status=400, type="invalid_request_error"),
        HttpError(status=500, type="api_error"),
        Disconnect(),
        Stall(),
        SlowReply(seconds=90),
        SlowReply(seconds=700),
        MalformedBody(),
        EmptyContent(),
        Refusal(),
        CutStream(),
        TruncatedToolJson(),
        RejectWork(),
        RepeatToolCall(),
        ToolError(),
        InflateState(tokens=2_000, through="reply"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_each_kind_of_fault_gives_the_same_history(name: str, fault: Any) -> None:
    for when in (When(call=1), When(call=2, attempt=1), When()):
        _same(WORKFLOWS[name], FaultPlan(rules=[Rule(at=At(), when=when, fault=fault)]))


def test_a_reply_is_the_very_message_that_the_sdk_makes() -> None:
    model = Scripted("It sold 1,200 units.")
    wire, direct = (run(_counting(client), "x", model=model, store=None).result for client in (WIRE, DIRECT))
    for one, other in ((wire, direct), (wire[1].content[0], direct[1].content[0]), (wire[1].usage, direct[1].usage)):
        assert one == other
    for one, other in ((wire[1], direct[1]), (wire[1].usage, direct[1].usage)):
        assert vars(one) == vars(other)
        assert one.model_fields_set == other.model_fields_set
        assert one.to_json() == other.to_json()
    assert wire[1]._request_id == direct[1]._request_id


def test_a_plain_call_builds_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the equality above would say nothing."""
    built: list[Any] = []
    original = AsyncAnthropic._build_request

    def build(self: Any, options: Any, **more: Any) -> Any:
        built.append(options.url)
        return original(self, options, **more)

    monkeypatch.setattr(AsyncAnthropic, "_build_request", build)
    assert _played(_counting, DIRECT, FaultPlan()).calls == 2
    assert built == []
    plan = FaultPlan(rules=[Rule(at=At(), when=When(call=1, attempt=1), fault=Overloaded())])
    assert _played(_counting, DIRECT, plan).calls == 3
    assert built == ["/v1/messages"] * 2  # the call and its retry


def test_what_the_workflow_does_to_its_messages_is_not_seen_later() -> None:
    async def changing(task: str) -> None:
        message: dict[str, Any] = {"role": "user", "content": task}
        ask: Any = {"model": "claude-sonnet-4-6", "max_tokens": 20, "messages": [message]}
        await DIRECT.messages.create(**ask)
        message["content"] = "something else"
        await DIRECT.messages.create(**ask)

    made = run(changing, "first", store=None)
    first, second = made.history.calls()
    assert "first" in made.history.request_text(first)
    assert "something else" in made.history.request_text(second)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"model": "claude-sonnet-4-6", "messages": []}, TypeError),
        ({"model": "claude-sonnet-4-6", "max_tokens": 64_000, "messages": []}, ValueError),
    ],
    ids=["an argument is missing", "the SDK asks for streaming"],
)
def test_a_bad_argument_is_the_sdks_to_refuse(params: dict[str, Any], error: type[Exception]) -> None:
    async def asking(client: AsyncAnthropic) -> None:
        with pytest.raises(error) as told:
            await client.messages.create(**params)
        raise RuntimeError(str(told.value))

    wire, direct = (run(lambda task, c=c: asking(c), "x", store=None).error_text for c in (WIRE, DIRECT))
    assert wire == direct
