"""``Skeptical`` corrects and invents with its probabilities: simulated chains and trees agree with their closed forms."""

from __future__ import annotations

import asyncio
from math import sqrt
from typing import Any

import pytest
from planting import CLAIM, Plants, chain, say

from dissonance.harness import Gullible, Pace, Skeptical, run
from dissonance.harness.call import Call
from dissonance.harness.checks import trace_cascade
from dissonance.harness.claims import Claim, occurs
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History, RunStarted

Z = 3.2905
"""The two-sided normal quantile of 99.9 %."""

TASK = "The board asks how sales went."


def past(seed: int) -> History:
    return History([RunStarted(id=0, at=0.0, workflow="w", task="t", seed=seed, model={})])


def says(model: Skeptical, text: str, seed: int = 0, agent: str = "a", ordinal: int = 1) -> str:
    call = Call(id=1, agent=agent, ordinal=ordinal, max_tokens=1024, messages=[{"role": "user", "content": text}])
    return model.reply(call, past(seed)).text


# --- one call ---------------------------------------------------------------------------------


def test_it_corrects_what_it_knows_and_keeps_the_rest() -> None:
    model = Skeptical([CLAIM], correction=1.0)
    assert says(model, f"{CLAIM.false} BETA sold 5 units.") == f"{CLAIM.true}\nBETA sold 5 units."
    assert says(model, "In 2023 ACME sold 4.2 million units.") == CLAIM.true


def test_it_says_once_what_it_corrects_twice() -> None:
    text = f"{CLAIM.false} {CLAIM.true} In 2023 ACME sold 4.2 million units."
    assert says(Skeptical([CLAIM], correction=1.0), text) == CLAIM.true


def test_it_invents_in_the_true_claims_place_or_out_of_nothing() -> None:
    model = Skeptical([CLAIM], correction=0.0, invention=1.0)
    assert says(model, f"BETA sold 5 units. {CLAIM.true}") == f"BETA sold 5 units.\n{CLAIM.false}"
    assert says(model, "BETA sold 5 units.") == f"{CLAIM.false}\nBETA sold 5 units."


def test_without_probabilities_it_is_gullible() -> None:
    text = f"{CLAIM.false} BETA sold 5 units."
    call = Call(id=1, agent="a", max_tokens=1024, messages=[{"role": "user", "content": text}])
    assert Skeptical([CLAIM], correction=0.0).reply(call, past(0)) == Gullible().reply(call, past(0))


def test_a_draw_depends_on_seed_agent_call_and_claim_alone() -> None:
    model = Skeptical([CLAIM], correction=0.5)
    first = [says(model, CLAIM.false, seed=n) for n in range(64)]
    assert first == [says(model, f"{CLAIM.false} Moreover.", seed=n).split("\n")[0] for n in range(64)]
    for other in ({"agent": "b"}, {"ordinal": 2}):
        assert first != [says(model, CLAIM.false, seed=n, **other) for n in range(64)]
    twin = CLAIM.model_copy(update={"id": "c2"})
    assert first != [says(Skeptical([twin], correction=0.5), CLAIM.false, seed=n) for n in range(64)]


def test_it_describes_itself() -> None:
    told: Any = Skeptical([CLAIM], 0.3, 0.05, pace=Pace(1.0, 10.0)).describe()
    assert told == {
        "name": "Skeptical",
        "claims": [CLAIM.model_dump(mode="json")],
        "correction": 0.3,
        "invention": 0.05,
        "pace": {"first_byte": 1.0, "tokens_per_second": 10.0},
    }


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"claims": CLAIM}, "give a list of Claim"),
        ({"claims": ["x"]}, "give a list of Claim"),
        ({"correction": 1.1}, "Skeptical(correction=1.1): give a probability from 0 to 1"),
        ({"invention": -0.1}, "Skeptical(invention=-0.1): give a probability from 0 to 1"),
        ({"correction": True}, "Skeptical(correction=True): give a probability from 0 to 1"),
    ],
)
def test_bad_settings_are_refused(bad: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        Skeptical(**{"claims": [CLAIM], "correction": 0.5, **bad})
    assert message in str(caught.value)


# --- closed forms -----------------------------------------------------------------------------


def taint(n: int, e: float, c: float, start: float = 0.0) -> float:
    """x_n = e / (e + c) (1 - (1 - e - c)^n), plus what is left of the start: start (1 - e - c)^n."""
    left = (1 - e - c) ** n
    return (e / (e + c) * (1 - left) if e + c else 0.0) + start * left


def tainted(model: Skeptical, hops: int, seed: int, text: str) -> bool:
    for hop in range(hops):
        text = says(model, text, seed, agent=f"a{hop}")
    return occurs(CLAIM, text)


@pytest.mark.parametrize(
    ("e", "c", "hops", "expected"),
    [(0.05, 0.3, 5, 0.12628), (0.05, 0.0, 10, 0.40126), (0.1, 0.1, 5, 0.33616), (0.1, 0.1, 10, 0.44631)],
)
def test_the_taint_of_a_chain_agrees_with_its_closed_form(e: float, c: float, hops: int, expected: float) -> None:
    """Within the binomial standard error of its own n."""
    assert taint(hops, e, c) == pytest.approx(expected, abs=5e-6)
    n = 1_000
    model = Skeptical([CLAIM], correction=c, invention=e)
    share = sum(tainted(model, hops, seed, TASK) for seed in range(n)) / n
    assert abs(share - expected) <= Z * sqrt(expected * (1 - expected) / n)


def test_an_initial_taint_decays_by_what_is_neither_corrected_nor_invented() -> None:
    expected, n = taint(4, 0.05, 0.3, start=1.0), 1_000
    model = Skeptical([CLAIM], correction=0.3, invention=0.05)
    share = sum(tainted(model, 4, seed, CLAIM.false) for seed in range(n)) / n
    assert abs(share - expected) <= Z * sqrt(expected * (1 - expected) / n)


@pytest.mark.slow
def test_real_runs_of_a_chain_decay_as_the_closed_form_says() -> None:
    """Depth 3 with correction .3 from a planted claim: .7^k survive k hops, in the check's own figures."""
    n = 150
    model = Skeptical([CLAIM], correction=0.3)
    runs = [
        run(chain(4), TASK, plan=[Plants()], model=model, seed=seed, store=None, baseline=False) for seed in range(n)
    ]
    found = [trace for one in runs if (trace := trace_cascade(one)) is not None]
    for depth in (1, 2, 3):
        expected = 0.7**depth
        share = sum(each.depth >= depth for each in found) / n
        assert abs(share - expected) <= Z * sqrt(expected * (1 - expected) / n), depth
    exposed = sum(each.exposed for each in found)
    survived = sum((each.survival or 0.0) * each.exposed for each in found)
    assert abs(survived / exposed - 0.7) <= Z * sqrt(0.21 / exposed)


async def tree(task: str) -> None:
    """Three readers of each agent's words, to depth 3."""
    level = [("r", await say("You are a0.", task))]
    for _ in range(3):
        names = [(f"{name}{n}", said) for name, said in level for n in "xyz"]
        texts = await asyncio.gather(*(say(f"You are {name}.", f"Note of {name}: {said}") for name, said in names))
        level = [(name, text) for (name, _), text in zip(names, texts, strict=True)]


@pytest.mark.slow
def test_a_tree_infects_as_a_branching_process_does() -> None:
    """Binomial(3, .5): 1, 2.5, 4.75, 8.125 are infected up to each depth in the mean, and R0 is 1.5.

    Of a Galton-Watson process with offspring mean m and variance v the total up to depth d has the
    variance sum over k of v m^(k-1) (sum of m^j for j to d - k)^2: what a newcomer of depth k adds.
    """
    n, m, v = 40, 1.5, 0.75
    model = Skeptical([CLAIM], correction=0.5)
    found = []
    for seed in range(n):
        made = run(tree, TASK, plan=[Plants()], model=model, seed=seed, store=None, baseline=False)
        trace = trace_cascade(made)
        assert trace is not None
        found.append(trace)
    assert all(one.secondary is not None for one in found)
    for depth, expected in enumerate((1.0, 2.5, 4.75, 8.125)):
        mean = sum(sum(each.infected and each.depth <= depth for each in one.calls) for one in found) / n
        spread = sum(v * m ** (k - 1) * sum(m**j for j in range(depth - k + 1)) ** 2 for k in range(1, depth + 1))
        assert abs(mean - expected) <= Z * sqrt(spread / n) + 1e-9, depth
    read = sum(sum(each.infected and each.depth < 3 for each in one.calls) for one in found)
    infected = sum(sum(each.infected for each in one.calls if each.parents) for one in found)
    assert abs(infected / read - 1.5) <= Z * sqrt(v / read)


def test_a_claim_of_another_id_is_left_alone() -> None:
    other = Claim(id="c2", false="BETA has 12 shops.", true="BETA has 17 shops.")
    model = Skeptical([CLAIM], correction=1.0)
    assert says(model, f"{CLAIM.false} {other.false}").split("\n") == [CLAIM.true, other.false]
