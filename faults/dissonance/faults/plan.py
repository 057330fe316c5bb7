"""A fault plan: an ordered list of rules, and its JSON.

``SCHEMA`` is the version of that JSON. A plan addresses logical slots (agent, call, attempt, virtual
time), never scheduler steps, so it survives edits of the workflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_serializer
from pydantic_core import from_json as read_json

from dissonance.harness.call import JsonObject
from dissonance.harness.errors import PlanError

from .at import At
from .fault import fault_types
from .problems import explain
from .rule import Rule
from .spec import Spec
from .when import When

__all__ = ["SCHEMA", "FaultPlan", "as_plan"]

SCHEMA: Literal[1] = 1


class FaultPlan(Spec):
    """What is injected in a run: rules that act in this order.

    Rules without an id get ``r1``, ``r2``, … by their position (the next free number where another
    rule has that id). Two rules of one id are an error. ``schedule`` seeds the order in which tasks and
    threads that are ready at the same time run, so that a race is found by one seed and replayed by it
    (None: first come, first served).

    >>> from dissonance.faults import RejectWork, Rule, SlowReply
    >>> plan = FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork()), Rule(fault=SlowReply(seconds=90))])
    >>> [rule.id for rule in plan.rules]
    ['r1', 'r2']
    >>> FaultPlan.from_json(plan.to_json()) == plan
    True
    """

    model_config = ConfigDict(validate_by_name=True)

    version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    rules: Sequence[Rule] = ()
    schedule: Annotated[int, Field(ge=0)] | None = None

    @field_validator("rules", mode="after")
    @classmethod
    def _identified(cls, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        taken: set[str] = set()
        for rule in rules:
            if rule.id and rule.id in taken:
                raise ValueError(f"two rules have the id {rule.id!r}; give each its own, or leave the ids out")
            taken.add(rule.id)
        named = []
        for number, rule in enumerate(rules, 1):
            while not rule.id and f"r{number}" in taken:
                number += 1
            named.append(rule if rule.id else rule.named(f"r{number}"))
            taken.add(named[-1].id)
        return tuple(named)

    @model_serializer(mode="plain")
    def _plain(self) -> dict[str, Any]:
        rules = [rule.describe() for rule in self.rules]
        schedule = {} if self.schedule is None else {"schedule": self.schedule}
        return {"schema": self.version, "rules": rules, **schedule}

    def describe(self) -> JsonObject:
        """The plan as JSON data: ``{"schema": 1, "rules": […]}``, as a run folder's ``plan.json``."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The plan as JSON text, indented, with a newline at the end."""
        return json.dumps(self.describe(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: str | bytes, source: str = "plan") -> FaultPlan:
        """The plan in this JSON text; ``source`` is named in errors.

        :raises PlanError: it is empty, binary, not JSON, of another version, or malformed.
        """
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        raw = raw.removeprefix(b"\xef\xbb\xbf")
        if not raw.strip():
            raise PlanError(f'{source}: the plan is empty; the smallest one is {{"schema": {SCHEMA}, "rules": []}}')
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise PlanError(
                f"{source}: not text: byte {raw[error.start]:#04x} at {error.start} is not UTF-8; give a plan's JSON file"
            ) from None
        try:
            value = read_json(raw)
        except ValueError as error:
            raise PlanError(f"{source}: not JSON: {error}; a plan is written by FaultPlan.to_json()") from None
        return cls.from_data(value, source)

    @classmethod
    def from_data(cls, value: object, source: str = "plan") -> FaultPlan:
        """The plan in this JSON data. :raises PlanError: it is of another version, or malformed."""
        if not isinstance(value, Mapping):
            raise PlanError(
                f'{source}: a plan is a JSON object, {{"schema": {SCHEMA}, "rules": […]}}, not {_kind(value)}'
            )
        version = value.get("schema")
        if type(version) is not int or version != SCHEMA:
            found = f"schema is {version!r}" if "schema" in value else '"schema" is missing'
            raise PlanError(f'{source}: {found}, but this version reads "schema": {SCHEMA}; write the plan anew for it')
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise PlanError(_told(error, value, source)) from None

    @classmethod
    def load(cls, path: str | Path) -> FaultPlan:
        """The plan in this file. :raises PlanError: it cannot be read, or holds no plan."""
        try:
            data = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PlanError(f"{str(path)!r}: cannot be read: {reason}; give the path of a plan's JSON file") from None
        return cls.from_json(data, source=str(path))


def as_plan(plan: FaultPlan | Sequence[Rule] | None) -> FaultPlan:
    """A plan from a plan, from bare rules (which get their ids), or from None (the empty plan).

    :raises PlanError: something in the list is not a rule, or two rules have one id.
    """
    if isinstance(plan, FaultPlan):
        return plan
    rules = [] if plan is None else plan
    if isinstance(rules, Rule) or not isinstance(rules, Sequence):
        raise PlanError(f"plan is {rules!r}; give a FaultPlan, a list of Rules, or None")
    try:
        return FaultPlan(rules=tuple(rules))
    except ValidationError as error:
        raise PlanError(_told(error, {"rules": rules}, "plan")) from None


def _told(error: ValidationError, value: object, source: str) -> str:
    fields = {
        "plan": ["schema", "rules", "schedule"],
        "rule": list(Rule.model_fields),
        "at": list(At.model_fields),
        "when": list(When.model_fields),
        **{kind: [*fault.model_fields] for kind, fault in fault_types().items()},
    }
    return f"{source}: {explain(error, value, fields)}"


def _kind(value: object) -> str:
    return {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
