"""The family ``latency``: what is added, by which law, and what is answered instead."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dissonance.faults import At, Dribble, Fault, Overloaded, RateLimit, Rule, SlowBranch, SlowReply, Stall
from dissonance.faults.draw import uniform
from dissonance.harness.call import ApiError, Call, Pace, Reply
from dissonance.harness.history import History

PAST = History()
CALL = Call(id=3, agent="writer")
SAID = Reply.say("Done.", pace=Pace())
ERROR = Reply(status=529, body=ApiError("overloaded_error", "Overloaded"), seconds=0.5)
N = 20_000


@pytest.mark.parametrize("reply", [SAID, ERROR], ids=["a message", "an error"])
@pytest.mark.parametrize("fault", [SlowReply(seconds=90), SlowBranch(seconds=90)], ids=repr)
def test_a_reply_comes_later_and_is_otherwise_the_same(fault: Fault, reply: Reply) -> None:
    assert fault.on_reply(CALL, reply, PAST, "r1") == replace(reply, seconds=reply.seconds + 90)


def drawn(fault: SlowReply, n: int = N) -> list[float]:
    replies = [fault.on_reply(replace(CALL, ordinal=k), Reply.say(""), PAST, "r1") for k in range(1, n + 1)]
    return [reply.seconds for reply in replies if reply is not None]


@pytest.mark.parametrize(
    ("fault", "deviation"),
    [
        (SlowReply(seconds=90), 0.0),
        (SlowReply(seconds=90, law="exponential"), 90.0),
        (SlowReply(seconds=90, law="lognormal"), 90 * math.sqrt(math.e - 1)),
        (SlowReply(seconds=90, law="lognormal", sigma=0.5), 90 * math.sqrt(math.exp(0.25) - 1)),
        (SlowReply(seconds=90, law="pareto"), 90 * math.sqrt(1 / (2.5 * 0.5))),
        (SlowReply(seconds=90, law="pareto", alpha=4), 90 * math.sqrt(1 / (4 * 2))),
    ],
    ids=repr,
)
def test_the_mean_is_what_is_stated(fault: SlowReply, deviation: float) -> None:
    """Within four standard errors of the mean, by each law's own standard deviation."""
    assert abs(sum(drawn(fault)) / N - 90) <= 4 * deviation / math.sqrt(N)


@pytest.mark.parametrize(
    ("fault", "survival"),
    [
        (SlowReply(seconds=90, law="exponential"), lambda x: math.exp(-x / 90)),
        (
            SlowReply(seconds=90, law="lognormal"),
            lambda x: 0.5 * math.erfc((math.log(x / 90) + 0.5) / math.sqrt(2)),
        ),
        (SlowReply(seconds=90, law="pareto"), lambda x: min(1.0, (90 * 1.5 / 2.5 / x) ** 2.5)),
    ],
    ids=["exponential", "lognormal", "pareto"],
)
def test_the_whole_law_is_what_is_stated(fault: SlowReply, survival: object) -> None:
    """Kolmogorov-Smirnov: the largest distance stays under 1.95 / sqrt(n), its 0.1 % point."""
    ordered = sorted(drawn(fault))
    distance = max(
        max(abs(1 - survival(x) - k / N), abs(1 - survival(x) - (k + 1) / N))  # type: ignore[operator]
        for k, x in enumerate(ordered)
    )
    assert distance < 1.95 / math.sqrt(N)


@pytest.mark.parametrize(("n", "harmonic"), [(2, 1.5), (4, 2.083333), (8, 2.717857)])
def test_the_slowest_of_n_exponential_branches_takes_the_harmonic_number(n: int, harmonic: float) -> None:
    """The closed form of a fan-out: mean H_n, variance the sum of 1/i²; four standard errors."""
    seconds = drawn(SlowReply(seconds=1, law="exponential"))
    slowest = [max(seconds[k : k + n]) for k in range(0, N - n + 1, n)]
    error = math.sqrt(sum(1 / i**2 for i in range(1, n + 1)) / len(slowest))
    assert abs(sum(slowest) / len(slowest) - harmonic) <= 4 * error


def test_a_draw_depends_on_its_address_alone() -> None:
    fault = SlowReply(seconds=90, law="exponential")
    addresses = [
        (fault, CALL, "r1"),
        (fault, CALL, "r2"),
        (fault, replace(CALL, agent="judge"), "r1"),
        (fault, replace(CALL, ordinal=2), "r1"),
        (fault, replace(CALL, attempt=2), "r1"),
        (fault.model_copy(update={"seed": 1}), CALL, "r1"),
    ]
    first = [f.on_reply(call, SAID, PAST, rule) for f, call, rule in addresses]
    again = [f.on_reply(replace(call, id=99, sent_at=5.0), SAID, PAST, rule) for f, call, rule in addresses]
    assert first == again
    assert len({reply.seconds for reply in first if reply is not None}) == len(addresses)


def test_a_uniform_number_is_pinned() -> None:
    """Stored plans replay only as long as this function stays what it is."""
    assert (uniform(0, "r1", "judge", 1, 1), uniform("a")) == (0.1360515337953071, 0.15367718308637202)


def test_seconds_are_never_zero_or_infinite() -> None:
    for law in ("exponential", "lognormal", "pareto"):
        fault = SlowReply(seconds=1, law=law)
        assert all(0 < fault.delay(u) < math.inf for u in (0.5 / 2**52, 0.5, 1 - 0.5 / 2**52))


def test_a_branch_is_told_by_its_text() -> None:
    rule = Rule(at=At(text="ACME"), fault=SlowBranch(seconds=90))
    acme, other = (
        Call(id=1, messages=[{"role": "user", "content": f"Look at {name}."}]) for name in ("ACME", "Initech")
    )
    assert rule.on_reply(acme, SAID, PAST) == replace(SAID, seconds=91.8)
    assert rule.on_reply(other, SAID, PAST) is None


def test_a_stall() -> None:
    assert Stall(after=2).on_reply(CALL, SAID, PAST, "r1") == replace(SAID, ending="stall", ending_after=2)


def test_a_dribble() -> None:
    assert Dribble(tokens_per_second=3).on_reply(CALL, SAID, PAST, "r1") == replace(SAID, tokens_per_second=3)


@pytest.mark.parametrize("fault", [Stall(), Dribble(tokens_per_second=1)], ids=repr)
def test_an_error_has_no_body_to_slow_down(fault: Fault) -> None:
    assert fault.on_reply(CALL, ERROR, PAST, "r1") is None


def test_a_rate_limit_says_how_long_to_wait() -> None:
    reply = RateLimit(retry_after=30).on_request(CALL, PAST, "r1")
    assert isinstance(reply, Reply) and isinstance(reply.body, ApiError)
    assert (reply.status, reply.headers["retry-after"], reply.body.type) == (429, "30", "rate_limit_error")
    assert reply.headers["anthropic-ratelimit-input-tokens-remaining"] == "0"
    assert reply.body.message.startswith("This request would exceed your organization's rate limit of ")


def test_a_rate_limit_may_say_nothing() -> None:
    reply = RateLimit().on_request(CALL, PAST, "r1")
    assert isinstance(reply, Reply) and "retry-after" not in reply.headers


def test_an_overload() -> None:
    reply = Overloaded().on_request(CALL, PAST, "r1")
    assert reply == Reply(status=529, body=ApiError("overloaded_error", "Overloaded"))
