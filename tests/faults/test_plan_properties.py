"""Properties of every plan and of every input: JSON loses nothing, and nothing but PlanError comes of rubbish."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dissonance.faults import (
    At,
    Contradict,
    ContradictoryAnswers,
    CorruptNumber,
    Crash,
    CutStream,
    DelegateAgain,
    Disconnect,
    Dribble,
    DropCitation,
    DuplicateAnswer,
    EmptyContent,
    FabricateCitation,
    FalseAccept,
    FalseReject,
    Fault,
    FaultPlan,
    Groupthink,
    HttpError,
    InflateState,
    LateAnswer,
    MalformedBody,
    Needle,
    NeverAnswers,
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
    RestartWhilePaused,
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
    as_python,
    fault_types,
    sentence,
)
from dissonance.harness.claims import Claim
from dissonance.harness.errors import PlanError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
OR_NONE = st.none() | TEXT
SECONDS = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
ORDINAL = st.integers(1, 10**6)
DELTAS = st.none() | st.integers(0, 1000)
SHARE = st.floats(0, 1)
WINDOW = st.none() | st.integers(1, 10**7) | st.floats(0, 1, exclude_min=True, exclude_max=True)
NEEDLES = st.lists(st.builds(Needle, text=TEXT, depth=SHARE), max_size=3).map(tuple)
WORDS = st.text("abcdefgh", min_size=4, max_size=9)
CLAIMS = st.builds(
    lambda id, a, b: Claim(id=id, false=f"{a} rose by 4 %", true=f"{a} fell by 4 %", false_forms=(b,)),
    TEXT,
    WORDS,
    WORDS,
)

FAULTS: dict[type[Fault], st.SearchStrategy[Fault]] = {
    SlowReply: st.builds(
        SlowReply, seconds=SECONDS, law=st.sampled_from(["constant", "exponential"]), seed=st.integers()
    )
    | st.builds(SlowReply, seconds=SECONDS, law=st.just("lognormal"), sigma=st.none() | SECONDS)
    | st.builds(SlowReply, seconds=SECONDS, law=st.just("pareto"), alpha=st.none() | st.floats(1.1, 9)),
    SlowBranch: st.builds(SlowBranch, seconds=SECONDS),
    Stall: st.builds(Stall, after=DELTAS),
    Dribble: st.builds(Dribble, tokens_per_second=SECONDS),
    RateLimit: st.builds(RateLimit, retry_after=st.none() | SECONDS),
    Overloaded: st.builds(Overloaded),
    RejectWork: st.builds(RejectWork, feedback=OR_NONE),
    RepeatToolCall: st.builds(RepeatToolCall, tool=OR_NONE),
    PingPong: st.builds(PingPong, to=OR_NONE),
    Paraphrase: st.builds(Paraphrase),
    Reenter: st.builds(Reenter, nth=ORDINAL),
    DelegateAgain: st.builds(DelegateAgain, tool=OR_NONE),
    HttpError: st.builds(HttpError, status=st.integers(400, 599), type=OR_NONE, message=OR_NONE),
    Disconnect: st.builds(Disconnect, how=st.sampled_from(["connect", "connect_timeout", "reset", "read_timeout"])),
    CutStream: st.builds(CutStream, after=DELTAS, cleanly=st.booleans()),
    StreamError: st.builds(StreamError, type=TEXT, message=TEXT, after=DELTAS),
    MalformedBody: st.builds(MalformedBody, shape=st.sampled_from(["json", "html", "empty"])),
    EmptyContent: st.builds(EmptyContent),
    TruncatedToolJson: st.builds(TruncatedToolJson, keep=st.floats(0, 1, exclude_max=True)),
    InflateState: st.builds(
        InflateState,
        tokens=st.integers(1, 2_000_000),
        through=st.sampled_from(["tool_result", "reply"]),
        needles=NEEDLES,
        seed=st.integers(),
    ),
    Overflow: st.builds(
        Overflow,
        policy=st.sampled_from(["reject", "reject_sum", "stop_reason", "drop_oldest", "drop_middle"]),
        window=WINDOW,
    )
    | st.builds(Overflow, policy=st.sampled_from(["keep_half", "summarise"]), window=WINDOW, keep=st.none() | ORDINAL)
    | st.builds(Overflow, policy=st.just("message_window"), keep=st.none() | ORDINAL),
    SeedClaim: st.builds(SeedClaim, claim=CLAIMS, twin=st.sampled_from(["false", "true"])),
    CorruptNumber: st.builds(CorruptNumber, factor=SECONDS.filter(lambda factor: factor != 1), nth=ORDINAL),
    FabricateCitation: st.builds(FabricateCitation, source=TEXT),
    DropCitation: st.builds(DropCitation),
    Contradict: st.builds(Contradict, nth=ORDINAL),
    FalseAccept: st.builds(FalseAccept, saying=OR_NONE),
    FalseReject: st.builds(FalseReject, saying=OR_NONE),
    Groupthink: st.builds(Groupthink, correlation=SHARE.filter(bool), seed=st.integers()),
    Overconfident: st.builds(Overconfident, confidence=SHARE),
    ToolError: st.builds(ToolError, tool=OR_NONE, message=TEXT),
    ToolTimeout: st.builds(ToolTimeout, tool=OR_NONE, seconds=SECONDS),
    StaleToolResult: st.builds(StaleToolResult, tool=OR_NONE),
    WrongToolResult: st.builds(WrongToolResult, tool=OR_NONE, content=OR_NONE),
    Refusal: st.builds(Refusal, category=st.sampled_from([None, "cyber", "bio"]), explanation=OR_NONE),
    NeverAnswers: st.builds(NeverAnswers),
    LateAnswer: st.builds(LateAnswer, seconds=SECONDS),
    DuplicateAnswer: st.builds(DuplicateAnswer, after=SECONDS),
    ContradictoryAnswers: st.builds(ContradictoryAnswers, after=SECONDS),
    Crash: st.builds(Crash, place=st.sampled_from(["reply", "call", "checkpoint", "action"]), down=SECONDS),
    RestartWhilePaused: st.builds(RestartWhilePaused, down=SECONDS),
}
PROCESS = (Crash, RestartWhilePaused)
WHENS = (
    st.builds(When, call=ORDINAL, attempt=st.none() | ORDINAL)
    | st.builds(When, calls=st.lists(ORDINAL, min_size=1, max_size=4))
    | st.builds(When, from_call=st.integers(1, 9), until_call=st.integers(9, 99), every=st.none() | ORDINAL)
    | st.builds(When, after=st.floats(0, 10), before=st.floats(11, 20))
)
NAMES = TEXT.filter(lambda name: name != "*")
RULES = st.builds(
    Rule,
    id=st.just("") | TEXT,
    at=st.builds(At, agent=NAMES, text=OR_NONE, tool=OR_NONE),
    when=WHENS,
    fault=st.one_of(*(made for kind, made in FAULTS.items() if kind not in PROCESS)),
) | st.builds(  # which strike no tool
    Rule,
    id=st.just("") | TEXT,
    at=st.builds(At, agent=NAMES, text=OR_NONE),
    when=WHENS,
    fault=st.one_of(*(FAULTS[kind] for kind in PROCESS)),
)
PLANS = st.lists(RULES, max_size=4, unique_by=lambda rule: rule.id or id(rule)).map(
    lambda rules: FaultPlan(rules=rules)
)


def test_every_fault_has_a_strategy_here() -> None:
    ours = {kind for kind in fault_types().values() if kind.__module__.startswith("dissonance.faults.")}
    assert FAULTS.keys() == ours


@given(PLANS)
def test_a_plan_survives_json(plan: FaultPlan) -> None:
    assert FaultPlan.from_json(plan.to_json()) == plan


@given(PLANS)
def test_a_plan_survives_being_python(plan: FaultPlan) -> None:
    names = {
        "FaultPlan": FaultPlan,
        "Rule": Rule,
        "At": At,
        "When": When,
        "Claim": Claim,
        "Needle": Needle,
        **fault_types(),
    }
    assert eval(as_python(plan), {"__builtins__": {}}, names) == plan


@given(PLANS)
def test_a_plan_has_a_sentence_for_each_rule(plan: FaultPlan) -> None:
    assert all(f"{rule.id}: on " in sentence(plan) for rule in plan.rules)


@given(PLANS)
def test_ids_are_unique(plan: FaultPlan) -> None:
    assert len({rule.id for rule in plan.rules}) == len(plan.rules)


def plan_or_error(data: str | bytes) -> None:
    try:
        plan = FaultPlan.from_json(data)
    except PlanError as error:
        assert str(error).startswith("plan: ")
    else:
        assert FaultPlan.from_json(plan.to_json()) == plan


@given(st.binary() | st.text())
def test_rubbish_gives_a_plan_or_an_error(data: str | bytes) -> None:
    plan_or_error(data)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(["id", "at", "when", "fault", "kind", "agent", "call", "calls", "seconds", "status", "schema"])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.sampled_from([*fault_types()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_json_gives_a_plan_or_an_error(rules: Any, more: Any) -> None:
    plan_or_error(json.dumps(rules))
    plan_or_error(json.dumps({"schema": 1, "rules": rules}))
    plan_or_error(json.dumps({"schema": 1, "rules": [rules, more]}))
    plan_or_error(json.dumps({"schema": 1, "rules": [{"fault": rules, "when": more, "at": more}]}))


@given(PLANS, st.data())
def test_a_plan_with_one_value_replaced_gives_a_plan_or_an_error(plan: FaultPlan, data: st.DataObject) -> None:
    value = json.loads(plan.to_json())
    part: Any = value
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(part[key], dict | list) and part[key] and data.draw(st.booleans()):
            part = part[key]
            continue
        part[key] = data.draw(JSON)
        break
    plan_or_error(json.dumps(value))
