"""The formats of a stored run and of a plan. A change here is a change of the schema's version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles import Rewrites, Says, request, said

from dissonance.faults import SCHEMA as PLAN_SCHEMA
from dissonance.faults import At, FaultPlan, RejectWork, Rule, SlowReply, When
from dissonance.harness import Usage, run
from dissonance.harness.history import (
    SCHEMA,
    Acted,
    Answered,
    Asked,
    CallSent,
    Checkpoint,
    Event,
    FaultFired,
    GuardFired,
    ReplyReceived,
    Restarted,
    RunEnded,
    RunStarted,
    Stopped,
    read_events,
    write_event,
)

EVENTS: list[tuple[Event, str]] = [
    (
        RunStarted(id=0, at=0.0, workflow="w", task="00", seed=7, model={"name": "Gullible"}, rules=("r1",)),
        '{"id":0,"at":0.0,"agent":null,"workflow":"w","task":"00","seed":7,"model":{"name":"Gullible"},"rules":["r1"],'
        '"kind":"run_started"}',
    ),
    (
        CallSent(
            id=1, at=0.5, agent="a", endpoint="messages", model="m", ordinal=1, attempt=2, tokens=9, max_tokens=10,
            stream=True, system="01", tools=None, messages=("02", "03"), params=None,
        ),
        '{"id":1,"at":0.5,"agent":"a","endpoint":"messages","model":"m","ordinal":1,"attempt":2,"tokens":9,'
        '"max_tokens":10,"stream":true,"system":"01","tools":null,"messages":["02","03"],"params":null,"kind":"call"}',
    ),
    (
        FaultFired(
            id=2, at=0.5, agent="a", rule="r1", fault="CutStream", call=1, side="reply", changed=True, before="04",
            after="05", claims=({"text": "x"},), ends_at=None, damages="cut stream",
        ),
        '{"id":2,"at":0.5,"agent":"a","rule":"r1","fault":"CutStream","call":1,"side":"reply","changed":true,'
        '"before":"04","after":"05","claims":[{"text":"x"}],"ends_at":null,"damages":"cut stream","kind":"fault"}',
    ),
    (
        ReplyReceived(
            id=3, at=2.0, agent="a", call=1, status=200, usage=Usage(9, 4, 0, 0), usd=0.25, seconds=1.5, ending="cut",
            stop_reason=None, error=None, body="05", reached=("r1",),
        ),
        '{"id":3,"at":2.0,"agent":"a","call":1,"status":200,"usage":{"input_tokens":9,"output_tokens":4,'
        '"cache_creation_input_tokens":0,"cache_read_input_tokens":0},"usd":0.25,"seconds":1.5,"ending":"cut",'
        '"stop_reason":null,"error":null,"body":"05","reached":["r1"],"kind":"reply"}',
    ),
    (
        GuardFired(id=4, at=2.0, agent=None, guard="step budget", reason="12 of 12", data={"step": 12}),
        '{"id":4,"at":2.0,"agent":null,"guard":"step budget","reason":"12 of 12","data":{"step":12},"kind":"guard"}',
    ),
    (
        Checkpoint(id=5, at=2.0, agent="a", data={"key": 1}),
        '{"id":5,"at":2.0,"agent":"a","data":{"key":1},"kind":"checkpoint"}',
    ),
    (Asked(id=6, at=2.0, agent="a", data={}), '{"id":6,"at":2.0,"agent":"a","data":{},"kind":"ask"}'),
    (Answered(id=7, at=2.0, agent="a", data={}), '{"id":7,"at":2.0,"agent":"a","data":{},"kind":"answer"}'),
    (
        Acted(id=10, at=2.0, agent="a", key="refund-7", data={"amount": 40}),
        '{"id":10,"at":2.0,"agent":"a","key":"refund-7","data":{"amount":40},"kind":"action"}',
    ),
    (
        Restarted(id=11, at=62.0, down=60.0, reason="it died"),
        '{"id":11,"at":62.0,"down":60.0,"reason":"it died","agent":null,"kind":"restarted"}',
    ),
    (
        Stopped(id=8, at=2.0, limit="calls", reason="500 calls"),
        '{"id":8,"at":2.0,"limit":"calls","reason":"500 calls","agent":null,"kind":"stopped"}',
    ),
    (
        RunEnded(id=9, at=2.0, outcome="stopped_by_harness", stopped_by="calls", error=None, result=None),
        '{"id":9,"at":2.0,"outcome":"stopped_by_harness","stopped_by":"calls","error":null,"result":null,"agent":null,'
        '"kind":"run_ended"}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "line"), EVENTS, ids=[event.kind for event, _ in EVENTS])
def test_an_events_line(event: Event, line: str) -> None:
    assert write_event(event).decode() == line + "\n"
    assert read_events(line.encode() + b"\n") == [event]


def test_the_versions() -> None:
    assert (SCHEMA, PLAN_SCHEMA) == (1, 1)


def test_a_plan() -> None:
    plan = FaultPlan(
        rules=[
            Rule(at=At(agent="judge"), when=When(from_call=2), fault=RejectWork()),
            Rule(id="slow", at=At(text="ACME"), when=When(call=1), fault=SlowReply(seconds=90)),
        ]
    )
    assert json.loads(plan.to_json()) == {
        "schema": 1,
        "rules": [
            {
                "id": "r1",
                "at": {"agent": "judge", "endpoint": "messages"},
                "when": {"from_call": 2},
                "fault": json.loads(plan.to_json())["rules"][0]["fault"],
            },
            {
                "id": "slow",
                "at": {"text": "ACME", "endpoint": "messages"},
                "when": {"call": 1},
                "fault": json.loads(plan.to_json())["rules"][1]["fault"],
            },
        ],
    }
    assert [rule["fault"]["kind"] for rule in json.loads(plan.to_json())["rules"]] == ["RejectWork", "SlowReply"]


def ask(task: str) -> str:
    from anthropic import Anthropic

    return str(Anthropic(api_key="k").messages.create(**request(task)).content[0].text)


def test_the_keys_of_run_json(tmp_path: Path) -> None:
    plan = [Rewrites(lambda reply: reply.with_message(said("Lies.")), id="r1")]
    done = run(ask, "t", plan=plan, model=Says(), store=tmp_path)
    assert done.path is not None
    about = json.loads((done.path / "run.json").read_text())
    assert list(about) == [
        "schema", "workflow", "task", "seed", "model", "limits", "agents", "allow_hosts", "versions", "baseline",
        "baseline_problem", "notes", "outcome", "stopped_by", "error", "totals", "tier", "demoted_by", "abandoned",
        "refused_hosts", "faults",
    ]  # fmt: skip
    assert list(about["totals"]) == ["calls", "seconds", "tokens", "usd"]
    assert list(about["limits"]) == ["calls", "seconds", "tokens", "usd", "real_seconds"]
    assert list(about["faults"]["r1"]) == ["fired", "reached", "changed", "observed"]
    assert list(about["baseline"]) == ["run", "outcome", "stopped_by", "error", "totals", "tier", "demoted_by"]
