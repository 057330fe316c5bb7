"""Whatever bytes may come to: a plan, a history, a request, or faults at work on calls and replies.

:func:`check` reads bytes as choices, so that a fuzzer which is guided by coverage changes the structure
with them. What it makes must come to something, or to a clear error of ours; any other exception is a bug.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from dissonance.faults import FaultPlan, as_python, fault_types, sentence
from dissonance.faults.facts import facts
from dissonance.harness.call import ApiError, Call, Message, Reply
from dissonance.harness.errors import BadInput, PlanError
from dissonance.harness.history import Bodies, FaultFired, History, read_events
from dissonance.harness.wire.complete import complete
from dissonance.harness.wire.render import render
from dissonance.harness.wire.request import Request, read_request
from dissonance.harness.wire.tokens import Meter
from dissonance.harness.wire.validate import validate

__all__ = ["check"]

_SCALARS: Sequence[Any] = (
    None, True, False, 0, 1, -1, 2, 7, 0.5, 1.5, -0.0, 1e300, 10**30, "", " ", "a", "search", "tool_use", "\u0000", "Ж",
    "judge", "text", "user", "assistant", "messages", "reset", "constant", "claude-sonnet-4-6", "APPROVE", "\ud800",
)  # fmt: skip
_FIELDS = (
    "schema", "rules", "id", "at", "when", "fault", "kind", "agent", "text", "tool", "endpoint", "call", "calls", "every",
    "attempt", "after", "before", "type", "role", "content", "tool_use_id", "is_error", "name", "input", "x",
)  # fmt: skip
_TEXTS = (
    "Tin rose by 4 % to 2,100 dollars on 3 May 2024.", "APPROVE", "REVISE: too long", "Confidence: 0.4 [1] (Lane, 2020)",
    '{"verdict": "approve", "confidence": 0.3, "note": "All is well."}', "1. One.\n2. Two.", "…", "Reply with 'APPROVE' or "
    "'REVISE'.", "Äß 中文 🙂", '{"a": [1, {"b": null}]}', "x" * 300,
)  # fmt: skip
_SCHEMA = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["approve", "reject"]},
        "confidence": {"type": "number"},
        "note": {"type": "string"},
    },
}
_TOOLS = [
    {"name": "search", "input_schema": _SCHEMA},
    {"name": "transfer_to_judge", "input_schema": {"type": "object", "properties": {"task": {"type": "string"}}}},
]
_HEADERS = (("authorization", "Bearer k"), ("anthropic-version", "2023-06-01"))


class Choices:
    """Bytes as a row of choices; when they are used up, each is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, count: int) -> int:
        return next(self._data, 0) % count

    def one(self, options: Sequence[Any]) -> Any:
        return options[self.below(len(options))]

    def rest(self) -> bytes:
        return bytes(self._data)


def check(data: bytes) -> str:
    """Try what these bytes say; what became of it, in a word. Raises whatever is no clear error of ours."""
    choices = Choices(data)
    return choices.one([_plan, _text, _events, _request, _faults])(choices)  # type: ignore[no-any-return]


# --- JSON -------------------------------------------------------------------------------------


def _json(choices: Choices, depth: int = 3) -> Any:
    kind = choices.below(4 if depth else 2)
    if kind < 2:
        return choices.one(_SCALARS)
    if kind == 2:
        return [_json(choices, depth - 1) for _ in range(choices.below(4))]
    return {choices.one(_FIELDS): _json(choices, depth - 1) for _ in range(choices.below(4))}


def _mutated(choices: Choices, value: Any, times: int) -> Any:
    """The value with so many of its parts replaced, left out or said twice."""
    value = deepcopy(value)
    for _ in range(times):
        part = value
        while isinstance(part, dict | list) and part:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            key = choices.one(keys)
            inner = part[key]
            if isinstance(inner, dict | list) and inner and choices.below(4):
                part = inner
                continue
            match choices.below(3):
                case 0:
                    part[key] = _json(choices)
                case 1:
                    del part[key]
                case _ if isinstance(part, list):
                    part.append(inner)
                case _:
                    part[choices.one(_FIELDS)] = inner
            break
    return value


def _as_text(value: Any) -> str:
    return json.dumps(value).replace("1e+300", "1e999" if "1e+300" in str(value) else "1e+300")


# --- plans ------------------------------------------------------------------------------------

_VALUES: dict[str, Sequence[Any]] = {
    "seconds": (1, 0.5, 90), "tokens_per_second": (1, 50), "status": (400, 500, 529), "nth": (1, 2, 3), "after": (0, 1, 50),
    "how": ("reset", "connect"), "shape": ("json", "html", "empty"), "correlation": (0.5, 1), "confidence": (0, 0.5, 1),
    "factor": (10, -2, 0.001), "tokens": (1, 40, 900), "through": ("reply", "tool_result"), "seed": (0, 3),
    "policy": ("reject", "reject_sum", "stop_reason", "drop_oldest", "drop_oldest_and_system", "drop_middle", "keep_half",
               "keep_tail", "message_window", "summarise", "clear_tool_results"),
    "window": (0.5, 0.9, 30, 5), "keep": (1, 2, 4), "twin": ("false", "true"), "cleanly": (True, False), "stop_reason": ("tool_use",),
    "tool": ("search", "transfer_to_judge"), "category": ("cyber",), "law": ("constant", "pareto"), "retry_after": (1, 60),
}  # fmt: skip
_NEEDED = {"seconds", "tokens_per_second", "status", "correlation", "tokens", "policy", "claim", "through"}


def _fault(choices: Choices) -> dict[str, Any]:
    """A fault of any kind as JSON, most of the time a valid one."""
    kind = choices.one(
        [name for name, fault in fault_types().items() if fault.__module__.startswith("dissonance.faults.")]
    )
    found: dict[str, Any] = {"kind": kind}
    for name in fault_types()[kind].model_fields:
        if name == "claim":
            found[name] = facts()[choices.below(len(facts()))].model_dump(mode="json")
        elif name in _NEEDED or choices.below(3) == 0:
            found[name] = choices.one(_VALUES.get(name, _TEXTS[:3]))
    return found


def _rules(choices: Choices) -> dict[str, Any]:
    rules = []
    for _ in range(1 + choices.below(3)):
        rule: dict[str, Any] = {"fault": _fault(choices)}
        if choices.below(3) == 0:
            rule["at"] = {choices.one(["agent", "text", "tool"]): choices.one(["judge", "*", "search", "Tin"])}
        if choices.below(3) == 0:
            rule["when"] = choices.one([{"call": 1}, {"from_call": 2}, {"every": 2}, {"calls": [1, 3]}, {"before": 5}])
        rules.append(rule)
    return {"schema": 1, "rules": rules}


def _read(text: str | bytes) -> FaultPlan | None:
    try:
        plan = FaultPlan.from_json(text)
    except PlanError as error:
        assert str(error).startswith("plan: "), error
        return None
    assert FaultPlan.from_json(plan.to_json()) == plan
    assert sentence(plan) and as_python(plan)
    return plan


def _plan(choices: Choices) -> str:
    value = _rules(choices)
    return "no plan" if _read(_as_text(_mutated(choices, value, choices.below(4)))) is None else "plan"


def _text(choices: Choices) -> str:
    return "no plan" if _read(choices.rest()) is None else "plan"


# --- histories and requests -------------------------------------------------------------------

_EVENT: dict[str, Any] = {
    "id": 2, "at": 0.0, "agent": "a", "rule": "r1", "fault": "X", "call": 1, "side": "reply", "changed": True, "before": None,
    "after": "01", "claims": [], "ends_at": 3.0, "damages": None, "kind": "fault",
}  # fmt: skip


def _events(choices: Choices) -> str:
    lines = [
        json.dumps(_mutated(choices, dict(_EVENT), choices.below(3))).encode() for _ in range(1 + choices.below(3))
    ]
    data = b"\n".join(lines) + choices.one([b"\n", b"", b"\n{", b"\n\xff\n"])
    try:
        read_events(data)
    except BadInput as error:
        assert str(error).startswith("history.jsonl:"), error
        return "no history"
    return "history"


def _content(choices: Choices, role: str, asked: list[str]) -> Any:
    if role == "user" and asked:
        return [
            {
                "type": "tool_result",
                "tool_use_id": id,
                "content": choices.one([*_TEXTS, [{"type": "text", "text": "40."}]]),
            }
            for id in asked
        ]
    texts = [{"type": "text", "text": choices.one(_TEXTS)} for _ in range(1 + choices.below(2))]
    return choices.one(_TEXTS) if choices.below(2) else texts


def _body(choices: Choices) -> dict[str, Any]:
    """A valid request."""
    messages: list[dict[str, Any]] = []
    asked: list[str] = []
    for number in range(1 + 2 * choices.below(4)):
        role = ("user", "assistant")[number % 2]
        content = _content(choices, role, asked)
        asked = []
        if role == "assistant" and choices.below(2):
            asked = [f"toolu_{number}"]
            use = {"type": "tool_use", "id": asked[0], "name": "search", "input": {"note": choices.one(_TEXTS)}}
            content = [use]
        messages.append({"role": role, "content": content})
    body: dict[str, Any] = {
        "model": choices.one(["claude-sonnet-4-6", "claude-opus-5-5", "claude-x"]),
        "messages": messages,
    }
    body["max_tokens"] = choices.one([100, 5, 1000])
    if choices.below(2):
        body["system"] = choices.one(_TEXTS)
    if choices.below(2):
        body["tools"] = _TOOLS
    if choices.below(4) == 0:
        body["output_config"] = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    if choices.below(2):
        body["stream"] = True
    return body


def _sent(body: Any) -> Request | Reply:
    return read_request("POST", "/v1/messages", _HEADERS, _as_text(body).encode("utf-8", "surrogatepass"))


def _request(choices: Choices) -> str:
    request = _sent(_mutated(choices, _body(choices), choices.below(4)))
    if isinstance(request, Request):
        Meter().measure(request, Bodies())
    reply = request if isinstance(request, Reply) else validate(request)
    if reply is None:
        return "request"
    assert reply.status is not None and 400 <= reply.status < 500 and isinstance(reply.body, ApiError)
    render(complete(reply, Call(id=1), 0), Call(id=1))
    return "refused"


# --- faults at work ---------------------------------------------------------------------------


def _faults(choices: Choices) -> str:
    plan = _read(_as_text(_rules(choices)))
    request = _sent(_body(choices))
    assert isinstance(request, Request)
    if plan is None or validate(request) is not None:
        return "nothing"
    body, past = request.body, History()
    call = Call(
        id=0,
        model=body["model"],
        system=body.get("system"),
        messages=body["messages"],
        tools=body.get("tools", ()),
        max_tokens=body["max_tokens"],
        stream=body.get("stream", False),
        params={"output_config": body["output_config"]} if "output_config" in body else {},
        agent="judge",
        tokens=Meter().measure(request, past.bodies).tokens,
    )
    reply = _reply(choices)
    return "fired" if [rule.id for rule in plan.rules if _strikes(rule, call, reply, past)] else "left alone"


def _reply(choices: Choices) -> Reply:
    if choices.below(4) == 0:
        return choices.one([Reply(status=None, failure="reset"), Reply(status=500, body=ApiError("api_error", "No."))])  # type: ignore[no-any-return]
    use = {
        "type": "tool_use",
        "id": "",
        "name": "search",
        "input": choices.one([{}, {"note": "Tin.", "confidence": 0.2}]),
    }
    content = [use] if choices.below(3) == 0 else [{"type": "text", "text": choices.one(_TEXTS)}]
    return Reply(body=Message(content, "tool_use" if content == [use] else "end_turn"))


def _strikes(rule: Any, call: Call, reply: Reply, past: History) -> bool:
    """One rule on one call: what it makes is rendered, or carried to the next turn."""
    fired = False
    seen = rule.on_request(call, past)
    if isinstance(seen, Reply):
        render(complete(seen, call, 0), call)
        return True
    if seen is not None:
        fired = True
        before, after = ({"messages": list(each.messages)} for each in (call, seen))
        marked = rule.mark(call)
        past = History(
            [
                FaultFired(
                    id=0, at=0.0, agent="judge", rule=rule.id, fault=marked.fault, call=0, side="request", changed=True,
                    before=past.bodies.put(before), after=past.bodies.put(after),
                )
            ],
            past.bodies,
        )  # fmt: skip
        rule.fault.afterwards(call, past, rule.id)
    told = rule.on_reply(call, reply, past)
    if told is not None:
        fired = True
        render(complete(told, call, 0), call)
    return fired
