"""One agent as a step: typed output, provenance, its own budgets, and the guards around its calls."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from worlds import succeed

from dissonance.patterns import (
    Agent,
    CallGuard,
    Halted,
    Meter,
    Outcome,
    OutputGuard,
    Pattern,
    Provenance,
    Question,
    Refused,
    Signal,
    Source,
    Stop,
    TimeBox,
    Usage,
    Worker,
    contains,
    solo,
    supervise,
)
from dissonance.patterns.guards import Rounds

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire


class Profile(BaseModel):
    founded: int


def search(query: str) -> str:
    """Search the register."""
    return f"{query} was founded in 1987."


def broken() -> str:
    """Fail."""
    raise OSError("disk full")


RESEARCHER = Agent("researcher", "Find out.", tools=(search, broken))


def test_typed_output_after_parallel_tools_says_what_it_rests_on(wire: Wire) -> None:
    """A tool that failed is no source."""
    client = wire({"researcher": [wire.use(("search", {"query": "ACME"}), ("broken", {})), '{"founded": 1987}']})
    outcome = asyncio.run(solo(client, RESEARCHER, Profile)("When?"))
    assert outcome == Outcome(
        output=Profile(founded=1987),
        finished=True,
        steps=1,
        usage=Usage(2, 20, 4),
        provenance=Provenance(by="researcher", sources=(Source('search({"query": "ACME"})', verified=True),)),
    )
    assert [request["output_config"]["format"]["type"] for request in wire.requests] == ["json_schema"] * 2


def test_an_agent_without_tools_is_asked_once(wire: Wire) -> None:
    outcome = asyncio.run(solo(wire({"writer": ["Done."]}), Agent("writer", "Write."))("Go"))
    assert (outcome.require(), outcome.steps, "tools" in wire.requests[0]) == ("Done.", 0, False)


# --- budgets of an agent ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "stopped_by", "calls"),
    [
        pytest.param({"call_budget": 3}, "call_budget", 3, id="calls"),
        pytest.param({"token_budget": 30}, "token_budget", 3, id="tokens: 12 a call"),
    ],
)
def test_an_agents_budget_is_the_orchestrators_count(
    wire: Wire, budget: dict[str, int], stopped_by: str, calls: int
) -> None:
    looping = wire.use(("search", {"query": "ACME"}), text="Once more.")
    client = wire({"researcher": repeat(looping)})
    outcome = asyncio.run(solo(client, Agent("researcher", "Find.", tools=(search,), **budget))("When?"))  # type: ignore[arg-type]
    assert (outcome.finished, outcome.stopped_by, len(wire.requests)) == (False, stopped_by, calls)
    assert outcome.output == "Once more."


def test_each_run_has_the_whole_budget(wire: Wire) -> None:
    step = solo(wire({"writer": repeat("Done.")}), Agent("writer", "Write.", call_budget=1))

    async def thrice() -> list[bool]:
        return [(await step("Go")).finished for _ in range(3)]

    assert asyncio.run(thrice()) == [True, True, True]


# --- guards around calls ----------------------------------------------------------------------


class Spy(CallGuard):
    """Refuses after ``calls``; notes what it sees."""

    briefing = ""

    def __init__(self, calls: int, name: str = "spy") -> None:
        self._name = name
        self.calls = calls
        self.seen: list[Any] = []

    @property
    def name(self) -> str:
        return self._name

    def meter(self) -> Meter:
        spy = self

        class Noting(Meter):
            async def before(self, question: Question) -> Question:
                spy.seen.append(question.agent.name)
                if len(spy.seen) > spy.calls:
                    raise Refused("enough")
                return question

            def after(self, question: Question, usage: Usage, error: BaseException | None) -> None:
                spy.seen.append((usage.calls, type(error).__name__))

        return Noting()


def test_a_guard_sees_the_calls_of_all_that_is_nested(wire: Wire) -> None:
    """The worker was built before, with the bare client, and knows nothing of the guard."""
    client = wire({"writer": ["soon", "May 1"]})
    team: Pattern[str] = supervise(client, workers=[Agent("writer", "Write.")], checks=[contains("May 1")])
    spy = Spy(9)
    result = asyncio.run(
        supervise(client, workers=[Worker("team", team)], checks=[contains("May")], guards=[spy])("Go")
    )
    assert (result.finished, spy.seen) == (True, ["writer", (1, "NoneType"), "writer", (1, "NoneType")])


def test_a_refusal_stops_the_pattern_that_owns_the_guard_and_passes_through_others(wire: Wire) -> None:
    client = wire({"writer": repeat("soon")})
    inner: Pattern[str] = supervise(client, workers=[Agent("writer", "Write.")], checks=[contains("May 1")])
    outer = supervise(client, workers=[Worker("team", inner)], checks=[contains("May")], guards=[Spy(3, "outer")])
    result = asyncio.run(outer("Go"))
    assert (result.stopped_by, result.reason, len(wire.requests)) == ("outer", "enough", 2)


def test_one_guard_that_refuses_releases_those_that_admitted(wire: Wire) -> None:
    """Else what the first one reserved for the call would be lost for good."""
    first, second = Spy(9, "first"), Spy(0, "second")

    async def nested() -> None:
        async with Rounds([first]), Rounds([second]) as inner:
            await Agent("writer", "Write.").ask(wire({}), "Go")
        assert inner.stop is not None and inner.stop.guard == "second"

    asyncio.run(nested())
    assert first.seen == ["writer", (0, "Halted")]


def test_without_its_owner_a_refusal_is_an_error(wire: Wire) -> None:
    async def stray() -> None:
        async with Rounds([Spy(0)]) as rounds:
            raise Halted(Rounds([]), "other", "no", "writer")
        assert rounds.stop is None

    with pytest.raises(Halted, match="other: no"):
        asyncio.run(stray())


def test_a_call_that_fails_is_settled(wire: Wire) -> None:
    spy = Spy(9)
    outcome = solo(wire({"writer": repeat(wire.say(""))}), Agent("writer", "Write."), guards=[spy])
    with pytest.raises(Exception, match="empty"):
        asyncio.run(outcome("Go"))
    assert spy.seen == ["writer", (1, "DamagedReply"), "writer", (1, "DamagedReply")]


def test_a_time_box_cuts_what_does_not_end() -> None:
    async def stuck() -> Any:
        async with Rounds([TimeBox(180), TimeBox(999, name="lax")]) as rounds:
            await asyncio.Event().wait()
        return rounds.stop

    played = succeed(stuck)
    assert (played.result, played.seconds) == (Stop("time_box", "not done after 180 s"), 180.0)


def test_a_cancellation_from_outside_is_no_time_box() -> None:
    async def cancelled() -> None:
        async def waiting() -> None:
            async with Rounds([TimeBox(99)]):
                await asyncio.Event().wait()

        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def test_a_time_box_needs_time() -> None:
    with pytest.raises(ValueError, match="seconds=0: give more than 0, or leave the guard out"):
        TimeBox(0)


# --- guards around outputs --------------------------------------------------------------------


class Register(OutputGuard):
    """The year must be the register's."""

    name = "register"
    briefing = ""

    def verify(self, task: str, output: str) -> Signal:
        return Signal("1987" in output, "The register says 1987.", sources=(Source("register", verified=True),))


def test_an_output_that_passes_says_who_verified_it(wire: Wire) -> None:
    outcome = asyncio.run(solo(wire({"writer": ["In 1987."]}), Agent("writer", "Write."), guards=[Register()])("Go"))
    assert outcome.provenance == Provenance(
        by="writer", sources=(Source("register", verified=True),), verified_by=("register",)
    )


def test_an_output_that_is_rejected_is_there_but_not_finished(wire: Wire) -> None:
    outcome = asyncio.run(solo(wire({"writer": ["In 1989."]}), Agent("writer", "Write."), guards=[Register()])("Go"))
    assert (outcome.output, outcome.finished, outcome.stopped_by, outcome.reason) == (
        "In 1989.",
        False,
        "register",
        "The register says 1987.",
    )


def test_provenance_names_all_that_nobody_verified() -> None:
    found = Provenance(by="researcher", sources=(Source("a"), Source("b", verified=True)))
    checked = Provenance(by="checker", upstream=(found, found), verified_by=("register",))
    assert Provenance(by="writer").resting_on(checked).unverified() == ("writer", "researcher", "a")
