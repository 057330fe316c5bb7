"""The matrix in the frameworks: a part of its cells, and what must hold of them."""

from __future__ import annotations

import pytest

from dissonance.experiments._bounds import Tripped
from dissonance.experiments._cells import DEFAULTS, GUARDED, SETTINGS
from dissonance.experiments._matrix import Matrix, Settings
from dissonance.experiments.matrix import EXPERIMENT

pytestmark = pytest.mark.frameworks

PART = Settings(
    seeds=1,
    patterns=("chain", "debate", "human_gate"),
    runtimes=("langgraph", "crewai", "autogen"),
    families=("loops", "latency", "transport", "human", "process"),
)


@pytest.fixture(scope="module")
def result() -> Matrix:
    return EXPERIMENT.run(PART)


def statuses(result: Matrix, runtime: str, pattern: str, family: str) -> list[str]:
    cells = result.cells
    mine = cells[(cells["runtime"] == runtime) & (cells["pattern"] == pattern) & (cells["family"] == family)]
    return [str(mine.set_index("settings")["status"][settings]) for settings in SETTINGS]


@pytest.mark.slow
def test_no_cell_is_missing_and_none_holds_unreached(result: Matrix) -> None:
    assert len(result.cells) == 3 * 3 * 5 * 2
    assert result.missing == {}
    assert ((result.cells["reached"] == 0) == (result.cells["status"] == "unknown")).all()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", PART.runtimes)
@pytest.mark.parametrize(
    ("pattern", "family"), [("debate", "loops"), ("chain", "latency"), ("chain", "transport")], ids="-".join
)
def test_guards_hold_what_breaks_without_them(result: Matrix, runtime: str, pattern: str, family: str) -> None:
    assert statuses(result, runtime, pattern, family) == ["fail", "pass"]


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "guarded"), [("langgraph", "pass"), ("crewai", "fail"), ("autogen", "fail")])
def test_only_a_checkpointer_goes_on_after_a_crash(result: Matrix, runtime: str, guarded: str) -> None:
    assert statuses(result, runtime, "chain", "process") == ["fail", guarded]


@pytest.mark.slow
def test_an_approved_action_is_done_twice_after_a_crash_in_every_framework(result: Matrix) -> None:
    cells = result.cells
    mine = cells[(cells["pattern"] == "human_gate") & (cells["family"] == "process")]
    assert len(mine) == 6 and (mine["silent"] == True).all()  # noqa: E712


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "guarded"), [("langgraph", "fail"), ("crewai", "pass"), ("autogen", "pass")])
def test_a_human_who_never_answers_is_waited_for_without_a_deadline(result: Matrix, runtime: str, guarded: str) -> None:
    assert statuses(result, runtime, "human_gate", "human") == ["fail", guarded]


@pytest.mark.slow
def test_every_stack_takes_a_clean_end_of_stream_for_success_as_it_comes(result: Matrix) -> None:
    cut = result.reached(DEFAULTS, family="transport", pattern="chain")
    assert cut.set_index("runtime")["silent"].to_dict() == dict.fromkeys(PART.runtimes, True)
    assert not result.reached(GUARDED, family="transport", pattern="chain")["silent"].any()


def test_the_frameworks_own_bounds() -> None:
    """LangGraph's lies beyond any loop that one would pay for: it is tripped on a state that never changes."""
    found = [bound for runtime in PART.runtimes for bound in Tripped(runtime)()]
    assert [(bound.setting, bound.value, bound.tripped) for bound in found] == [
        ("recursion_limit", 10007, 10007),
        ("Agent.max_iter", 25, None),
        ("Agent.max_retry_limit", 2, None),
        ("RoundRobinGroupChat.max_turns", None, None),
        ("RoundRobinGroupChat.termination_condition", None, None),
    ]
