"""Hypothesis strategies: fault plans, faults by family, states, tasks and claims.

::

    SLOTS = slots_of(review, "draft the notice")

    @pytest.mark.chaos
    @given(plan=fault_plans(SLOTS))
    def test_holds_under_any_plan(dissonance, plan):
        dissonance.run(review, "draft the notice", plan=plan).check(terminates())

Drawn is the list of rules itself, never a seed, so that Hypothesis can take rules away and make each
simpler, in the order of :func:`.minimal.find_minimal`: few rules, one call before many, the benign faults
first, early slots, mild numbers. (It lowers one choice at a time: a fault with a number may hide behind one
without.) On the slots of the baseline (``slots_of``) only
faults are drawn that fire there, so that no plan shrinks into one that does nothing; of bare names of
agents it is not known what can strike them, and examples of which nothing fires are discarded.

A bad argument raises BadInput when the strategy is drawn from. Judge virtual time by checks
(``terminates(within_seconds=…)``); Hypothesis's own deadline is about real time and must be off
(``--dissonance-profile`` and :func:`quick` see to that).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from hypothesis import HealthCheck, assume, currently_in_test_context, settings, target
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from dissonance.harness import Claim, Run
from dissonance.harness.checks.taint import planted, trace_cascade
from dissonance.harness.errors import BadInput

from .facts import facts
from .fault import Family, Fault
from .plan import FaultPlan
from .repertoire import BENIGN_FIRST, Possible, repertoire
from .slots import Slot, as_slots
from .space import Space, Strike
from .states import Needle, state

__all__ = [
    "claims",
    "context_faults",
    "fault_plans",
    "hallucination_faults",
    "human_faults",
    "judgement_faults",
    "latency_faults",
    "loop_faults",
    "process_faults",
    "quick",
    "states",
    "steer",
    "tasks",
    "tool_faults",
    "transport_faults",
]

_MOST_TOKENS = 2_000_000


# --- plans ------------------------------------------------------------------------------------


@st.composite
def fault_plans(
    draw: st.DrawFn,
    agents: Iterable[str | Slot],
    *,
    families: Iterable[Family] | None = None,
    faults: Sequence[Possible] | None = None,
    max_rules: int = 3,
) -> FaultPlan:
    """Plans of 1 to ``max_rules`` rules on these slots, or on all calls of these agents.

    ``families``: of these alone; ``faults``: these and no others (default: the repertoire).
    """
    if isinstance(max_rules, bool) or not isinstance(max_rules, int) or max_rules < 1:
        _refuse("fault_plans", "max_rules", max_rules, "a whole number above 0")
    if faults is not None and families is not None:
        _refuse("fault_plans", "families", families, "families or faults, not both")
    known = repertoire(_families(families)) if faults is None else faults
    if isinstance(known, str) or not all(isinstance(each, Possible) for each in known):
        _refuse("fault_plans", "faults", faults, "a list of Possible; see possible()")
    slots = _slots(agents)
    singles = list(Space.at(slots, known).strikes())
    if not singles:
        _refuse("fault_plans", "agents", agents, "slots that one of the faults could strike")
    chosen = draw(st.lists(_strikes(singles), min_size=1, max_size=max_rules, unique_by=_place))
    order = {_place(strike): number for number, strike in enumerate(singles)}
    return FaultPlan(rules=tuple(strike.rule for strike in sorted(chosen, key=lambda each: order[_place(each)])))


@st.composite
def _strikes(draw: st.DrawFn, singles: Sequence[Strike]) -> Strike:
    """Each of its traits is a choice of its own, so that each can be made simpler while the others stay.

    A number is drawn for those without one, too: to Hypothesis, what needs fewer choices is simpler.
    """
    once = [strike for strike in singles if not strike.lasting]
    lasting = draw(st.booleans())
    what = draw(st.sampled_from(list(dict.fromkeys(strike.what.name for strike in once))))
    strike = draw(st.sampled_from([strike for strike in once if strike.what.name == what]))
    spans = strike.what.ranges
    values = {name: draw(st.integers(0, span.steps).map(span.nth)) for name, span in spans.items()}
    if not spans:
        draw(st.integers(0, 0))
    return replace(
        strike, lasting=lasting and strike.slot.lets_last(strike.what), fault=strike.what.with_values(values)
    )


def _place(strike: Strike) -> Hashable:
    return strike.what.name, strike.slot.address, strike.lasting


def _slots(agents: Any) -> tuple[Slot, ...]:
    if isinstance(agents, str) or not isinstance(agents, Iterable):
        _refuse("fault_plans", "agents", agents, "a list of names or of slots; see slots_of()")
    slots = as_slots(agents)
    if not slots:
        _refuse("fault_plans", "agents", agents, "at least one")
    return slots


def _families(families: Any) -> tuple[Family, ...]:
    if families is None:
        return BENIGN_FIRST
    given = tuple(families) if isinstance(families, Iterable) and not isinstance(families, str) else ()
    if not given or any(each not in BENIGN_FIRST for each in given):
        _refuse("fault_plans", "families", families, f"some of {', '.join(BENIGN_FIRST)}")
    return given


# --- faults by family -------------------------------------------------------------------------


def latency_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``latency``; a smaller example is slower by less."""
    return _faults("latency")


def transport_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``transport``."""
    return _faults("transport")


def tool_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``tools``."""
    return _faults("tools")


def human_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``human``, for the requests of a workflow that asks one."""
    return _faults("human")


def loop_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``loops``."""
    return _faults("loops")


def hallucination_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``hallucination``."""
    return _faults("hallucination")


def judgement_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``judgement``."""
    return _faults("judgement")


def context_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``context``; a smaller example has a smaller state."""
    return _faults("context")


def process_faults() -> st.SearchStrategy[Fault]:
    """Faults of the family ``process``, for a ``Restartable`` workflow."""
    return _faults("process")


@st.composite
def _faults(draw: st.DrawFn, family: Family) -> Fault:
    what = draw(st.sampled_from(repertoire([family])))
    values = {name: draw(st.integers(0, span.steps).map(span.nth)) for name, span in what.ranges.items()}
    return what.with_values(values)


# --- inputs -----------------------------------------------------------------------------------


@st.composite
def states(
    draw: st.DrawFn, *, tokens: int = 200_000, needles: Sequence[Needle] = (), model: str = "claude-sonnet-5-5"
) -> str:
    """Prose of ``tokens`` of the model's tokens (estimated; 1 to 2,000,000), with these needles in it."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= _MOST_TOKENS:
        _refuse("states", "tokens", tokens, f"a whole number from 1 to {_MOST_TOKENS:,}")
    if not isinstance(needles, Sequence) or not all(isinstance(each, Needle) for each in needles):
        _refuse("states", "needles", needles, "a list of Needle(text=…)")
    return state(tokens, model=model, needles=needles, seed=draw(st.integers(0, 2**16)))


@st.composite
def tasks(draw: st.DrawFn, *, max_facts: int = 4) -> str:
    """Tasks in a few sentences of true facts, 1 to ``max_facts``, each of which can be followed through a run."""
    if isinstance(max_facts, bool) or not isinstance(max_facts, int) or not 1 <= max_facts <= len(facts()):
        _refuse("tasks", "max_facts", max_facts, f"a whole number from 1 to {len(facts())}")
    chosen = draw(st.lists(claims(), min_size=1, max_size=max_facts, unique_by=lambda claim: claim.id))
    return " ".join(["Write a short report on what follows.", *(claim.true for claim in chosen)])


@st.composite
def claims(draw: st.DrawFn, *, topics: Iterable[str] | None = None) -> Claim:
    """Claims of the bank, each with its false twin; ``topics``: of these domains alone."""
    known = dict.fromkeys(claim.topic for claim in facts())
    if topics is None:
        return draw(st.sampled_from(facts()))
    given = [] if isinstance(topics, str) or not isinstance(topics, Iterable) else list(topics)
    if not given or any(topic not in known for topic in given):
        _refuse("claims", "topics", topics, f"some of {', '.join(known)}")
    return draw(st.sampled_from([claim for claim in facts() if claim.topic in given]))


# --- in a test --------------------------------------------------------------------------------


def steer(run: Run) -> None:
    """Under ``@given``: discard an example of which nothing fired; lead the search to deep cascades, long runs, many calls.

    The pytest fixture does this with each run; elsewhere it may be called by hand, before the checks.
    """
    if not currently_in_test_context() or not run.plan:
        return
    assume(any(count.fired for count in run.faults.values()))
    with suppress(InvalidArgument):  # of an example that makes several runs, the first one leads
        for label, value in _aims(run):
            target(value, label=label)


def _aims(run: Run) -> Iterable[tuple[str, float]]:
    yield "calls", float(run.calls)
    yield "makespan", run.seconds
    traces = [trace for claim in planted(run) if (trace := trace_cascade(run, claim)) is not None]
    if traces:
        yield "cascade depth", float(max(trace.depth for trace in traces))


def quick(*, examples: int = 200) -> settings:
    """Settings for a test whose time is virtual: no deadline in real time, the same examples in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def _refuse(strategy: str, argument: str, value: object, wanted: str) -> NoReturn:
    raise BadInput(f"{strategy}({argument}={value!r}): {type(value).__name__} given; give {wanted}")
