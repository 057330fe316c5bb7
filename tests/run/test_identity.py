"""An empty plan, and one that does not fire, change nothing: neither a byte nor a moment.

The same model is put behind a bare ``MockTransport`` whose handler renders the reply and sleeps by
itself; random workflows must see the same bytes at the same virtual times through the harness.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
from anthropic import Anthropic, AsyncAnthropic
from doubles import SONNET, Rewrites, Says
from hypothesis import given, settings
from hypothesis import strategies as st

from dissonance.harness import Reply, agent, run
from dissonance.harness.agents import Ordinals, attribute
from dissonance.harness.call import Call
from dissonance.harness.history import Bodies, History
from dissonance.harness.wire.render import Performance, complete, render
from dissonance.harness.wire.request import read_request
from dissonance.harness.wire.tokens import Meter
from dissonance.harness.world import World, inside
from dissonance.harness.world import complete as complete_in

Seen = list[tuple[float, str, Any]]


@dataclass(frozen=True)
class Step:
    """``width`` calls at once (asyncio) or one after the other (sync), after a pause."""

    agents: tuple[str, ...]
    text: str
    stream: bool
    pause: float
    width: int


@dataclass(eq=False)
class Behind:
    """The model behind a bare transport: what the harness must not differ from."""

    model: Says
    meter: Meter = field(default_factory=Meter)
    bodies: Bodies = field(default_factory=Bodies)
    ordinals: Ordinals = field(default_factory=Ordinals)

    def performance(self, request: httpx2.Request, body: bytes) -> Performance:
        read = read_request(request.method, request.url.raw_path.decode(), request.headers.items(), body)
        assert not isinstance(read, Reply)
        measured = self.meter.measure(read, self.bodies)
        shape: dict[str, Any] = {key: read.body[key] for key in ("model", "messages", "max_tokens", "system")}
        call = Call(id=1, **shape, stream=read.body.get("stream", False), tokens=measured.tokens)
        name = attribute(call)
        ordinal, attempt = self.ordinals.assign(name, "messages", body.decode(), 0)
        call = Call(
            id=1, **shape, stream=call.stream, tokens=measured.tokens, agent=name, ordinal=ordinal, attempt=attempt
        )  # fmt: skip
        return render(complete(self.model.reply(call, History()), call, 0), call)

    def sync(self, request: httpx2.Request) -> httpx2.Response:
        performance = self.performance(request, request.read())
        time.sleep(performance.first_byte)

        class Body(httpx2.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                for after, data in performance.chunks:
                    time.sleep(after)
                    yield data

        return httpx2.Response(performance.status or 0, headers=performance.headers, stream=Body())

    async def asynchronous(self, request: httpx2.Request) -> httpx2.Response:
        performance = self.performance(request, await request.aread())
        await asyncio.sleep(performance.first_byte)

        class Body(httpx2.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                for after, data in performance.chunks:
                    if after:
                        await asyncio.sleep(after)
                    yield data

        return httpx2.Response(performance.status or 0, headers=performance.headers, stream=Body())


def asked(step: Step) -> dict[str, Any]:
    return {
        "model": SONNET,
        "max_tokens": 100,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": step.text}],
    }


def play(steps: list[Step], client: Anthropic) -> Seen:
    seen: Seen = []
    for step in steps:
        time.sleep(step.pause)
        for name in step.agents[: step.width]:
            with agent(name):
                if step.stream:
                    with client.messages.with_streaming_response.create(**asked(step), stream=True) as response:
                        for data in response.iter_bytes():
                            seen.append((time.monotonic(), name, data))
                else:
                    raw = client.messages.with_raw_response.create(**asked(step)).http_response
                    seen.append((time.monotonic(), name, (raw.content, _named(raw.headers))))
    return seen


async def async_play(steps: list[Step], client: AsyncAnthropic) -> Seen:
    seen: Seen = []

    async def one(name: str, step: Step) -> None:
        with agent(name):
            if step.stream:
                async with client.messages.with_streaming_response.create(**asked(step), stream=True) as response:
                    async for data in response.iter_bytes():
                        seen.append((time.monotonic(), name, data))
            else:
                raw = (await client.messages.with_raw_response.create(**asked(step))).http_response
                seen.append((time.monotonic(), name, (raw.content, _named(raw.headers))))

    for step in steps:
        await asyncio.sleep(step.pause)
        await asyncio.gather(*[one(name, step) for name in step.agents[: step.width]])
    return seen


def _named(headers: Any) -> dict[str, str]:
    """All but the framing, which differs between a body of known and of unknown length."""
    return {name: value for name, value in headers.items() if name not in ("content-length", "transfer-encoding")}


STEPS = st.lists(
    st.builds(
        Step,
        agents=st.permutations(["writer", "judge", "scout"]).map(tuple),
        text=st.text("abc .", min_size=1, max_size=20).filter(lambda text: bool(text.strip())),
        stream=st.booleans(),
        pause=st.sampled_from([0.0, 0.5, 3.0]),
        width=st.integers(1, 3),
    ),
    min_size=1,
    max_size=5,
)

plain, async_plain = Anthropic(api_key="k"), AsyncAnthropic(api_key="k")


def bare(steps: list[Step]) -> Seen:
    transport = httpx2.MockTransport(Behind(Says()).sync)
    with inside(World()):
        return play(steps, Anthropic(api_key="k", http_client=anthropic.DefaultHttpxClient(transport=transport)))


def async_bare(steps: list[Step]) -> Seen:
    transport = httpx2.MockTransport(Behind(Says()).asynchronous)
    client = AsyncAnthropic(api_key="k", http_client=anthropic.DefaultAsyncHttpxClient(transport=transport))
    world = World()
    with inside(world):
        result: Seen = complete_in(world, async_play(steps, client))
    return result


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_an_empty_plan_is_the_model_behind_a_bare_transport(steps: list[Step]) -> None:
    assert run(lambda: play(steps, plain), model=Says(), store=None).result == bare(steps)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_an_empty_plan_is_the_model_behind_a_bare_async_transport(steps: list[Step]) -> None:
    assert run(lambda: async_play(steps, async_plain), model=Says(), store=None).result == async_bare(steps)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_a_rule_that_does_not_fire_changes_nothing(steps: list[Step]) -> None:
    idle = [Rewrites(lambda reply: None)]
    with_rule = run(lambda: async_play(steps, async_plain), model=Says(), store=None, plan=idle, baseline=False)
    without = run(lambda: async_play(steps, async_plain), model=Says(), store=None)
    assert with_rule.result == without.result
    assert list(with_rule.history)[1:] == list(without.history)[1:]
