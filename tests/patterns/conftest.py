"""A scripted Messages API behind the SDK's own client, for the patterns' tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

Scripted = str | Mapping[str, Any] | httpx2.Response
"""A reply: a text, a message's fields, or a whole response."""


class RanAway(BaseException):
    """A loop made more calls than its test allows. No ``except Exception`` stops it."""


class Wire:
    """Calls are answered by each agent's own script; ``requests`` records their bodies, ``counted`` what was only counted.

    A script that runs out, and the call after ``limit``, raise :class:`RanAway`.
    """

    RanAway = RanAway

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.counted: list[dict[str, Any]] = []
        self._scripts: dict[str, Iterator[Scripted]] = {}
        self._ids = count(1)
        self._limit = 0

    def __call__(self, scripts: Mapping[str, Iterable[Scripted]], limit: int = 200) -> anthropic.AsyncAnthropic:
        self._scripts = {agent: iter(script) for agent, script in scripts.items()}
        self._limit = limit
        transport = httpx2.MockTransport(self._handle)
        http_client = anthropic.DefaultAsyncHttpxClient(transport=transport)
        return anthropic.AsyncAnthropic(api_key="k", max_retries=0, http_client=http_client)

    @property
    def agents(self) -> list[str]:
        """Who called, in order."""
        return [_agent(request) for request in self.requests]

    def prompts(self, agent: str) -> list[str]:
        """The first message of each of an agent's calls."""
        return [request["messages"][0]["content"] for request in self.requests if _agent(request) == agent]

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        if request.url.path.endswith("/count_tokens"):
            self.counted.append(body)
            return httpx2.Response(200, json={"input_tokens": tokens_of(body)})
        self.requests.append(body)
        if len(self.requests) > self._limit:
            raise RanAway(f"{len(self.requests)} calls")
        for reply in self._scripts[_agent(body)]:
            return self._response(reply)
        raise RanAway(f"the script of {_agent(body)} ran out")

    def _response(self, reply: Scripted) -> httpx2.Response:
        if isinstance(reply, httpx2.Response):
            return reply
        fields = self.say(reply) if isinstance(reply, str) else reply
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 2},
            **fields,
        }
        return httpx2.Response(200, json=message)

    def say(self, text: str, stop_reason: str | None = "end_turn") -> Mapping[str, Any]:
        """A text."""
        return {"content": [{"type": "text", "text": text}], "stop_reason": stop_reason}

    def use(self, *calls: tuple[str, Any], text: str = "") -> Mapping[str, Any]:
        """Tool calls, each with its name and its arguments."""
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        for name, arguments in calls:
            content.append({"type": "tool_use", "id": f"toolu_{next(self._ids)}", "name": name, "input": arguments})
        return {"content": content, "stop_reason": "tool_use"}

    def rule(self, decision: str, feedback: str = "because") -> Mapping[str, Any]:
        """A ruling of the judge."""
        return self.say(json.dumps({"decision": decision, "feedback": feedback}))

    def stream(self, *events: Mapping[str, Any]) -> httpx2.Response:
        """A streamed reply of exactly these events."""
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=text)


def tokens_of(body: Mapping[str, Any]) -> int:
    """What this API counts for a request: a token for four bytes."""
    return len(json.dumps([body["system"], body["messages"], body.get("tools")], ensure_ascii=False).encode()) // 4


def _agent(body: Mapping[str, Any]) -> str:
    named = re.match(r"You are the ([\w-]+)\.", body["system"])
    assert named, body["system"]
    return named[1]


@pytest.fixture
def wire() -> Wire:
    """A scripted Messages API."""
    return Wire()


# --- durable state ----------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Durable state of a test's own, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgres_url"))
