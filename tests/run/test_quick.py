"""What is made by hand, because runs make many of it, is what the standard library makes of the same fields."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from dissonance.harness.call import ApiError, Message, Reply
from dissonance.harness.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: list[int] = field(default_factory=list)
    c: str = "c"


@quick
@dataclass(frozen=True, kw_only=True)
class Open:
    a: int
    b: list[int] = field(default_factory=list)


def test_a_quick_one_takes_the_same_arguments_and_is_as_frozen() -> None:
    first, second = Slotted(1), Slotted(1, [2], c="d")
    assert [(each.a, each.b, each.c) for each in (first, second)] == [(1, [], "c"), (1, [2], "d")]
    assert first.b is not Slotted(1).b
    with pytest.raises(FrozenInstanceError):
        first.a = 2  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional argument"):
        Slotted()  # type: ignore[call-arg]
    assert vars(Open(a=1)) == {"a": 1, "b": []}
    with pytest.raises(TypeError, match="positional"):
        Open(1)  # type: ignore[call-arg]


def test_what_looks_at_itself_when_it_is_made_is_no_quick_one() -> None:
    @dataclass(frozen=True)
    class Checked:
        a: int

        def __post_init__(self) -> None:
            raise ValueError("no")

    with pytest.raises(TypeError, match=r"Checked has a __post_init__, which quick\(\) would not call"):
        quick(Checked)


def test_a_reply_with_another_body_keeps_all_else() -> None:
    error = ApiError("api_error", "Broken.")
    reply = Reply(
        status=529,
        failure="connect",
        headers={"a": "b"},
        body=b"old",
        seconds=3.0,
        tokens_per_second=5.0,
        ending="error_event",
        ending_after=2,
        event_error=error,
    )
    untouched = Reply()
    assert all(getattr(reply, each.name) != getattr(untouched, each.name) for each in fields(Reply))
    message = Message(())
    assert reply.with_body(message, {"c": "d"}) == replace(reply, body=message, headers={"c": "d"})
