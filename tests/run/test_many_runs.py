"""``many_runs``: what runs set up and put back stands for a block, and nobody can tell but by the clock on the wall."""

from __future__ import annotations

import asyncio
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic, _base_client
from anthropic.resources import AsyncMessages, Messages

from dissonance.faults import At, FaultPlan, RejectWork, Rule
from dissonance.harness import BusyError, Run, many_runs, run
from dissonance.patterns import Agent, StepBudget, supervise

_PLACES: tuple[Any, ...] = (
    time,
    threading,
    threading.Thread,
    queue,
    os,
    subprocess.Popen,
    ThreadPoolExecutor,
    datetime,
    socket,
    socket.socket,
    httpx.Client,
    httpx.AsyncClient,
    httpx2.Client,
    httpx2.AsyncClient,
    _base_client,
    anthropic.Anthropic,
    anthropic.AsyncAnthropic,
    Messages,
    AsyncMessages,
)


def _held() -> list[dict[str, Any]]:
    return [dict(vars(place)) for place in _PLACES] + [dict(os.environ)]


def _supervised() -> Run:
    client = AsyncAnthropic(api_key="none")
    workflow = supervise(
        client, workers=[Agent("writer", "Write it.")], judge=Agent("judge", "Judge it."), guards=[StepBudget(3)]
    )
    return run(
        workflow, "Write it.", plan=FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork())]), store=None
    )


def _asleep(seconds: float) -> Run:
    return run(lambda: time.sleep(seconds), store=None)


def test_the_histories_are_those_of_single_runs() -> None:
    alone = _supervised()
    with many_runs():
        first, second = _supervised(), _supervised()
    assert alone.history == first.history == second.history
    assert (first.tier, first.faults) == (alone.tier, alone.faults)


def test_nothing_is_left_of_it() -> None:
    before = _held()
    with many_runs():
        _supervised()
        with many_runs():
            _supervised()
        assert time.sleep is not before[0]["sleep"]
    assert _held() == before


def test_nothing_is_left_of_it_after_an_exception() -> None:
    before = _held()
    with pytest.raises(ZeroDivisionError), many_runs():
        _asleep(1)
        raise ZeroDivisionError
    assert _held() == before


def test_code_between_the_runs_is_outside_of_any() -> None:
    with many_runs():
        _asleep(10**6)
        began = time.monotonic()
        time.sleep(0.001)
        assert 0.001 <= time.monotonic() - began < 600
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(threading.get_ident).result() != threading.get_ident()
        assert asyncio.run(asyncio.sleep(0, "slept")) == "slept"
        assert abs(datetime.now().timestamp() - time.time()) < 600


def _ask(client: Anthropic) -> str:
    said: Any = [{"role": "user", "content": "Say it."}]
    return client.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=said).model


def _model(request: Any) -> dict[str, str]:
    return {"model": "the user's own", "type": "message"}


def test_clients_between_the_runs_meet_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=_model(request)))
    with many_runs(), httpx2.Client(transport=transport) as http, socket.create_server(("127.0.0.1", 0)) as server:
        client: Any = Anthropic(api_key="none", http_client=http)
        assert run(lambda: _ask(client), store=None).result == "claude-sonnet-4-6"
        assert _ask(client) == "the user's own"
        with pytest.raises(TypeError, match="temperature"):
            client.messages.create(model="m", max_tokens=1, messages=[], temperature=1.0)
        client.api_key = None
        assert run(lambda: _ask(client), store=None).calls == 1
        with pytest.raises(TypeError, match="authentication"):
            _ask(client)
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_each_run_has_its_own_hosts() -> None:
    def connect() -> None:
        socket.create_connection(("127.0.0.1", server.getsockname()[1])).close()

    with many_runs(), socket.create_server(("127.0.0.1", 0)) as server:
        allowed = run(connect, allow_hosts=["127.0.0.1"], store=None)
        refused = run(connect, store=None)
    assert (allowed.error, allowed.tier, allowed.refused_hosts) == (None, "T3", ())
    assert (type(refused.error), refused.tier, refused.refused_hosts) == (ConnectionRefusedError, "T1", ("127.0.0.1",))


def test_each_run_has_its_own_time_and_chance() -> None:
    random.seed(5)
    expected = random.Random(5).random()
    with many_runs():
        drawn = [run(random.random, seed=7, store=None).result for _ in range(2)]
        assert [_asleep(3).seconds, _asleep(4).seconds] == [3.0, 4.0]
    assert drawn[0] == drawn[1]
    assert random.random() == expected


def test_a_pool_from_outside_is_lent_to_one_run_after_the_other() -> None:
    pool = ThreadPoolExecutor(2)

    def workflow() -> float:
        list(pool.map(time.sleep, [60.0, 60.0]))
        return time.monotonic()

    with many_runs():
        made = [run(workflow, store=None) for _ in range(2)]
        real = pool.submit(threading.get_ident).result()
    pool.shutdown()
    assert [(each.result, each.tier) for each in made] == [(60.0, "T2")] * 2
    assert real != threading.get_ident()


@pytest.fixture
def latecomer() -> Iterator[types.ModuleType]:
    """A module that binds a clock by name when it is imported."""
    module = types.ModuleType("dissonance_test_latecomer")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_a_module_imported_between_two_runs_sleeps_in_virtual_time(latecomer: types.ModuleType) -> None:
    with many_runs():
        _asleep(1)
        exec("from time import sleep", vars(latecomer))
        assert run(lambda: latecomer.sleep(10**5), store=None).seconds == 10**5
    assert run(lambda: latecomer.sleep(10**5), store=None).seconds == 10**5


def test_a_module_imported_before_sleeps_in_virtual_time(latecomer: types.ModuleType) -> None:
    exec("from time import sleep", vars(latecomer))
    with many_runs():
        assert run(lambda: latecomer.sleep(10**5), store=None).seconds == 10**5
    assert latecomer.sleep is time.sleep


def test_another_thread_can_neither_disturb_nor_end_it() -> None:
    with many_runs():
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_asleep, 5.0).result().seconds == 5.0
        assert _asleep(6.0).seconds == 6.0


def test_two_runs_at_once_are_still_refused() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def workflow() -> None:
        inside.set()
        while not go_on.is_set():
            pass

    with many_runs():
        thread = threading.Thread(target=lambda: run(workflow, store=None))
        thread.start()
        inside.wait()
        try:
            with pytest.raises(BusyError, match="another run is going on"):
                _asleep(1)
        finally:
            go_on.set()
            thread.join()


def test_the_environment_is_quiet_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)  # a probe's process keeps it for good
    with many_runs():
        assert run(lambda: Anthropic().api_key, store=None).result == "simulated"
        assert os.environ["OTEL_SDK_DISABLED"] == "true"
        assert "ANTHROPIC_API_KEY" not in os.environ
    assert os.environ.get("OTEL_SDK_DISABLED") is None
