"""Plans: ids, JSON, and what a malformed one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from dissonance.faults import (
    SCHEMA,
    At,
    Fault,
    FaultPlan,
    HttpError,
    RejectWork,
    Rule,
    SlowBranch,
    SlowReply,
    Stall,
    When,
    as_plan,
    as_python,
    fault_types,
    sentence,
)
from dissonance.harness.call import Interceptor
from dissonance.harness.errors import PlanError

PLAN = FaultPlan(
    rules=[
        Rule(at=At(agent="judge"), when=When(from_call=1), fault=RejectWork()),
        Rule(id="slow", at=At(agent="researcher", text="ACME"), when=When(calls=(1, 3)), fault=SlowReply(seconds=90)),
    ]
)


def test_the_json_of_a_plan_is_this() -> None:
    """The format that stored runs keep; a change needs another schema version."""
    assert json.loads(PLAN.to_json()) == {
        "schema": SCHEMA,
        "rules": [
            {
                "id": "r1",
                "at": {"agent": "judge", "endpoint": "messages"},
                "when": {"from_call": 1},
                "fault": {"kind": "RejectWork"},
            },
            {
                "id": "slow",
                "at": {"agent": "researcher", "text": "ACME", "endpoint": "messages"},
                "when": {"calls": [1, 3]},
                "fault": {"kind": "SlowReply", "seconds": 90.0, "law": "constant", "seed": 0},
            },
        ],
    }


def test_a_plan_describes_itself_as_its_rules_do() -> None:
    assert PLAN.describe() == {"schema": 1, "rules": [rule.describe() for rule in PLAN.rules]}


@pytest.mark.parametrize(
    "encode", [str, str.encode, lambda text: b"\xef\xbb\xbf" + text.encode()], ids=["text", "bytes", "with a mark"]
)
def test_json_round_trip(encode: object) -> None:
    assert FaultPlan.from_json(encode(PLAN.to_json())) == PLAN  # type: ignore[operator]


def test_a_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(PLAN.to_json(), "utf-8")
    assert FaultPlan.load(path) == PLAN


def test_ids_are_given_by_position_and_avoid_those_that_are_taken() -> None:
    rules = [Rule(fault=Stall()), Rule(id="r1", fault=Stall()), Rule(fault=Stall()), Rule(id="x", fault=Stall())]
    assert [rule.id for rule in as_plan(rules).rules] == ["r2", "r1", "r3", "x"]


def test_a_plan_from_a_plan_from_rules_and_from_nothing() -> None:
    assert (as_plan(PLAN), as_plan(list(PLAN.rules)), as_plan(None)) == (PLAN, PLAN, FaultPlan())


def test_a_rule_is_an_interceptor() -> None:
    assert isinstance(Rule(fault=Stall()), Interceptor)


def test_no_field_may_lose_a_none_in_json() -> None:
    """JSON leaves None out, so None must be the default wherever it is possible."""
    models: list[type[BaseModel]] = [At, When, Rule, *fault_types().values()]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.is_required() or "None" not in str(field.annotation) or field.default is None, (model, name)


def of(fault: object, **rule: object) -> str:
    return json.dumps({"schema": 1, "rules": [{"id": "r7", **rule, "fault": fault}]})


STALL = {"kind": "Stall"}

MALFORMED = {
    "empty": ("", 'the plan is empty; the smallest one is {"schema": 1, "rules": []}'),
    "blank": (" \n", 'the plan is empty; the smallest one is {"schema": 1, "rules": []}'),
    "binary": (b"\x89PNG\xff", "not text: byte 0x89 at 0 is not UTF-8; give a plan's JSON file"),
    "lone surrogate": ("\ud800", "not text: byte 0xed at 0 is not UTF-8; give a plan's JSON file"),
    "not JSON": (
        "rules: []",
        "not JSON: expected value at line 1 column 1; a plan is written by FaultPlan.to_json()",
    ),
    "a list": ("[]", 'a plan is a JSON object, {"schema": 1, "rules": […]}, not a list'),
    "null": ("null", 'a plan is a JSON object, {"schema": 1, "rules": […]}, not null'),
    "no version": ("{}", '"schema" is missing, but this version reads "schema": 1; write the plan anew for it'),
    "wrong version": (
        '{"schema": 2}',
        'schema is 2, but this version reads "schema": 1; write the plan anew for it',
    ),
    "version of a wrong type": (
        '{"schema": true}',
        'schema is True, but this version reads "schema": 1; write the plan anew for it',
    ),
    "unknown field": ('{"schema": 1, "rulez": []}', "rulez: unknown field, value []; did you mean 'rules'?"),
    "rules are a number": ('{"schema": 1, "rules": 3}', "rules: 3 is not possible: give a list"),
    "rules are text": ('{"schema": 1, "rules": "none"}', "rules: 'none' is not possible: give a list"),
    "rules are an object": ('{"schema": 1, "rules": {}}', "rules: {} is not possible: give a list"),
    "calls are a number": (of(STALL, when={"calls": 3}), "rule 'r7': when.calls: 3 is not possible: give a list"),
    "a rule is a number": ('{"schema": 1, "rules": [3]}', "rule 1: 3 is not possible: give an object"),
    "no fault": ('{"schema": 1, "rules": [{}]}', "rule 1: fault: missing; add it"),
    "unknown fault, near": (
        of({"kind": "slowreply"}),
        "rule 'r7': fault: unknown fault 'slowreply'; did you mean 'SlowReply'? (import a fault of your own first)",
    ),
    "a fault is text": (of("Stall"), "rule 'r7': fault: 'Stall' is not possible: give an object"),
    "unknown field of a fault": (
        of({"kind": "SlowReply", "seconds": 1, "secs": 9}),
        "rule 'r7': fault.secs: unknown field, value 9; did you mean 'seconds'?",
    ),
    "wrong type in a fault": (
        of({"kind": "SlowReply", "seconds": "9"}),
        "rule 'r7': fault.seconds: '9' is not possible: input should be a valid number",
    ),
    "infinite": (
        '{"schema": 1, "rules": [{"fault": {"kind": "SlowReply", "seconds": 1e999}}]}',
        "rule 1: fault.seconds: inf is not possible: input should be a finite number",
    ),
    "a status that is no error": (
        of({"kind": "HttpError", "status": 200}),
        "rule 'r7': fault.status: 200 is not possible: input should be greater than or equal to 400",
    ),
    "unknown field of a place": (
        of(STALL, at={"agnt": "judge"}),
        "rule 'r7': at.agnt: unknown field, value 'judge'; did you mean 'agent'?",
    ),
    "unknown field of a time": (
        of(STALL, when={"form_call": 1}),
        "rule 'r7': when.form_call: unknown field, value 1; did you mean 'from_call'?",
    ),
    "unknown field of a rule": (
        of(STALL, wen={}),
        "rule 'r7': wen: unknown field, value {}; did you mean 'when'?",
    ),
    "not positive": (
        of(STALL, when={"call": 0}),
        "rule 'r7': when.call: 0 is not possible: input should be greater than or equal to 1",
    ),
    "conflict": (
        of(STALL, when={"call": 1, "every": 2}),
        "rule 'r7': when: call already says which calls; leave out every, or call",
    ),
    "a fault without its place": (
        of({"kind": "SlowBranch", "seconds": 90}),
        "rule 'r7': SlowBranch must know its branch; give At(text=…), At(agent=…), or take SlowReply",
    ),
    "a law's parameter under another law": (
        of({"kind": "SlowReply", "seconds": 1, "sigma": 2}),
        "rule 'r7': fault: sigma belongs to law='lognormal', not to 'constant'; leave it out or change the law",
    ),
    "two of one id": (
        json.dumps({"schema": 1, "rules": [{"id": "a", "fault": STALL}, {"id": "a", "fault": STALL}]}),
        "rules: two rules have the id 'a'; give each its own, or leave the ids out",
    ),
    "two problems": (
        of({"kind": "Dribble"}, when={"call": -1}),
        "rule 'r7': when.call: -1 is not possible: input should be greater than or equal to 1\n"
        "rule 'r7': fault.tokens_per_second: missing; add it",
    ),
}


@pytest.mark.parametrize(("data", "told"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_plan_is_told_what_to_do(data: str | bytes, told: str) -> None:
    with pytest.raises(PlanError) as caught:
        FaultPlan.from_json(data, source="my.json")
    assert str(caught.value) == f"my.json: {told}"


def test_an_unknown_fault_like_no_other_is_told_the_whole_choice() -> None:
    with pytest.raises(PlanError) as caught:
        FaultPlan.from_json(of({"kind": 7}))
    kinds = ", ".join(fault_types())
    assert str(caught.value) == (
        f"plan: rule 'r7': fault: unknown fault 7; choose one of {kinds} (import a fault of your own first)"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(PlanError) as caught:
        FaultPlan.load(path)
    message = f"{str(path)!r}: cannot be read: No such file or directory; give the path of a plan's JSON file"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (3, "plan is 3; give a FaultPlan, a list of Rules, or None"),
        (Rule(fault=Stall()), "plan is Rule(fault=Stall()); give a FaultPlan, a list of Rules, or None"),
        ([Stall()], "plan: rule 1: Stall() is not possible: give an object"),
        (
            [Rule(id="a", fault=Stall()), Rule(id="a", fault=Stall())],
            "plan: rules: two rules have the id 'a'; give each its own, or leave the ids out",
        ),
    ],
    ids=["a number", "one rule", "a fault", "one id twice"],
)
def test_what_is_not_a_plan(plan: object, told: str) -> None:
    with pytest.raises(PlanError) as caught:
        as_plan(plan)  # type: ignore[arg-type]
    assert str(caught.value) == told


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        PLAN.rules[0].fault.feedback = "no"  # type: ignore[attr-defined]


def test_a_plan_in_english() -> None:
    assert sentence(PLAN) == (
        "r1: on every call of agent 'judge', the model rejects the work. "
        "slow: on calls 1, 3 of agent 'researcher', where the request contains 'ACME', the reply comes 90 s late."
    )


@pytest.mark.parametrize(
    "plan",
    [
        FaultPlan(),
        PLAN,
        FaultPlan(rules=[Rule(at=At(text='"quoted"\n'), fault=HttpError(status=500, message="it's\\"))]),
        FaultPlan(rules=[Rule(at=At(agent="a?"), when=When(after=1.5, before=2), fault=SlowBranch(seconds=90))]),
    ],
    ids=["empty", "two rules", "quotes", "a window"],
)
def test_a_plan_as_python_evaluates_to_itself(plan: FaultPlan) -> None:
    names = {"FaultPlan": FaultPlan, "Rule": Rule, "At": At, "When": When, **fault_types()}
    assert eval(as_python(plan), {"__builtins__": {}}, names) == plan


def test_a_fault_of_ones_own_is_read_from_json() -> None:
    from typing import ClassVar

    from dissonance.faults import Family

    class Hiccup(Fault):
        family: ClassVar[Family] = "transport"
        times: int = 1

    plan = FaultPlan(rules=[Rule(fault=Hiccup(times=3))])
    assert FaultPlan.from_json(plan.to_json()) == plan
    assert sentence(plan) == "r1: on every call, Hiccup(times=3) strikes."


def test_a_fault_of_ones_own_needs_a_family() -> None:
    with pytest.raises(TypeError, match="the fault 'Lost' has no family"):

        class Lost(Fault):
            pass


def test_a_fault_of_ones_own_needs_a_name_of_its_own() -> None:
    from typing import ClassVar

    from dissonance.faults import Family

    with pytest.raises(TypeError, match=r"a fault named 'Stall' exists in dissonance\.faults\.latency"):

        class Stall(Fault):
            family: ClassVar[Family] = "latency"
