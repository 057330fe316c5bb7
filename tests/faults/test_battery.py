"""The standard battery: which plans it holds, and that each is addressed to anybody."""

from __future__ import annotations

from dissonance.faults import At, FaultPlan, standard_battery

BATTERY = standard_battery()


def test_the_plans_of_the_battery() -> None:
    assert [(each.name, each.plan.rules[0].fault.kind) for each in BATTERY] == [
        ("judge-never-accepts", "RejectWork"),
        ("tool-without-end", "RepeatToolCall"),
        ("hand-off-ping-pong", "PingPong"),
        ("tool-error", "ToolError"),
        ("slow-branch", "SlowReply"),
        ("rate-limit", "RateLimit"),
        ("overload-burst", "Overloaded"),
        ("disconnect", "Disconnect"),
        ("cut-stream", "CutStream"),
        ("stream-error", "StreamError"),
        ("empty-content", "EmptyContent"),
        ("truncated-tool-json", "TruncatedToolJson"),
        ("refusal", "Refusal"),
        ("prompt-rejected", "Overflow"),
        ("prompt-cut", "Overflow"),
        ("seeded-claim", "SeedClaim"),
        ("overconfident-score", "Overconfident"),
    ]


def test_each_plan_names_no_agent_and_no_tool() -> None:
    assert {rule.at for each in BATTERY for rule in each.plan.rules} == {At()}


def test_each_rule_is_known_by_the_name_of_its_plan() -> None:
    assert [[rule.id for rule in each.plan.rules] for each in BATTERY] == [[each.name] for each in BATTERY]


def test_each_plan_asks_a_question_and_says_what_answers_it() -> None:
    assert all(each.question.endswith("?") and "terminates" in each.checks for each in BATTERY)


def test_what_damages_a_reply_is_judged_by_more_than_its_end() -> None:
    damaging = {each.name for each in BATTERY if any(rule.fault.damages for rule in each.plan.rules)}
    told = {each.name for each in BATTERY if {"no_silent_damage", "no_silent_truncation"} & {*each.checks}}
    assert damaging == told


def test_a_planted_claim_is_followed() -> None:
    planting = {each.name for each in BATTERY if any(rule.fault.claims for rule in each.plan.rules)}
    assert planting == {each.name for each in BATTERY if "cascade" in each.checks} == {"seeded-claim"}


def test_each_plan_survives_json() -> None:
    assert [FaultPlan.from_json(each.plan.to_json()) for each in BATTERY] == [each.plan for each in BATTERY]
