"""Workflows of many kinds, each with the virtual seconds that it takes by construction."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

from anthropic import Anthropic, AsyncAnthropic
from doubles import request

from dissonance.harness import agent

_client, _async_client = Anthropic(api_key="k"), AsyncAnthropic(api_key="k")
SECONDS = {"a": 3.0, "b": 2.0, "c": 1.0}
"""What each of three parallel branches sleeps; each then makes a call, which takes no time."""


def _say(name: str) -> str:
    with agent(name):
        return str(_client.messages.create(**request(name)).content[0].text)


async def _async_say(name: str) -> str:
    with agent(name):
        message = await _async_client.messages.create(**request(name))
    return str(message.content[0].text)


def _node(name: str) -> str:
    time.sleep(SECONDS[name])
    return _say(name)


async def pure_asyncio(task: str) -> list[str]:
    async def branch(name: str) -> str:
        await asyncio.sleep(SECONDS[name])
        return await _async_say(name)

    return await asyncio.gather(*map(branch, SECONDS))


async def run_in_executor(task: str) -> list[str]:
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(None, _node, name) for name in SECONDS])


def pool_with_timeouts(task: str) -> list[str]:
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(_node, name) for name in SECONDS]
        try:
            futures[0].result(timeout=0.5)
        except TimeoutError:
            return [future.result(timeout=60) for future in futures]
    raise AssertionError("0.5 s were enough for 3")


def raw_threads_with_queues(task: str) -> list[str]:
    jobs: queue.Queue[str] = queue.Queue()
    done: queue.SimpleQueue[str] = queue.SimpleQueue()

    def worker() -> None:
        while (name := jobs.get()) != "end":
            done.put(_node(name))

    threads = [threading.Thread(target=worker) for _ in SECONDS]
    for thread in threads:
        thread.start()
    for name in SECONDS:
        jobs.put(name)
    found = [done.get() for _ in SECONDS]
    for _ in threads:
        jobs.put("end")
    for thread in threads:
        thread.join()
    return found


async def call_soon_threadsafe(task: str) -> str:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()

    def outside() -> None:
        said = _node("a")
        loop.call_soon_threadsafe(answered.set_result, said)

    threading.Thread(target=outside).start()
    return await asyncio.wait_for(answered, 30)


def sync_client_in_a_pool(task: str) -> list[str]:
    with ThreadPoolExecutor(2) as pool:  # two at a time: c waits for b
        return list(pool.map(_node, SECONDS))


class _State(TypedDict, total=False):
    a: str
    b: str
    c: str
    joined: str


def _graph() -> Any:
    from langgraph.graph import END, START, StateGraph

    graph: Any = StateGraph(_State)
    for name in SECONDS:
        graph.add_node(f"node_{name}", _graph_node(name))
        graph.add_edge(START, f"node_{name}")
    graph.add_node("join", lambda state: {"joined": " ".join(state[name] for name in SECONDS)})
    graph.add_edge([f"node_{name}" for name in SECONDS], "join")
    graph.add_edge("join", END)
    return graph.compile()


def _graph_node(name: str) -> Callable[[_State], _State]:
    return lambda state: {name: _node(name)}  # type: ignore[misc]


def langgraph_sync(task: str) -> str:
    return str(_graph().invoke({})["joined"])


async def langgraph_async_with_sync_nodes(task: str) -> str:
    return str((await _graph().ainvoke({}))["joined"])


WORKFLOWS: dict[str, tuple[Callable[[str], Any], float, str]] = {
    workflow.__name__: (workflow, seconds, tier)
    for workflow, seconds, tier in [
        (pure_asyncio, 3.0, "T1"),
        (run_in_executor, 3.0, "T2"),
        (pool_with_timeouts, 3.0, "T2"),
        (raw_threads_with_queues, 3.0, "T2"),
        (call_soon_threadsafe, 3.0, "T2"),
        (sync_client_in_a_pool, 3.0, "T2"),
        (langgraph_sync, 3.0, "T2"),
        (langgraph_async_with_sync_nodes, 3.0, "T2"),
    ]
}
"""Each with its exact makespan (the longest branch; in the pool of two, 2 + 1 beside 3) and its tier."""
