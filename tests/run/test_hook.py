"""Inside a run nothing reaches the network, and every kind of client reaches the simulated API."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import Says, request

from dissonance.harness import Reply, Run, routes, run, tool_use

HEADERS = {"anthropic-version": "2026-10-21", "authorization": "Bearer k"}
API = "https://api.anthropic.com/v1/messages"


def made(workflow: Any, **options: Any) -> Run:
    return run(lambda: workflow(), model=Says(), store=None, **options)


# --- who reaches the API ----------------------------------------------------------------------


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {"anthropic-version": "2023-06-01", "x-api-key": "k"},
        {"anthropic-version": "2023-06-01", "x-api-key": "k", "authorization": "Bearer k"},
    ],
    ids=["bearer, 2026", "x-api-key, 2023", "both"],
)
def test_clients_of_both_libraries_and_all_headers(library: Any, headers: dict[str, str]) -> None:
    def post() -> Any:
        with library.Client() as client:
            return client.post(API, headers=headers, json=request()).json()

    async def async_post() -> Any:
        async with library.AsyncClient() as client:
            return (await client.post(API, headers=headers, json=request())).json()

    for workflow in (post, async_post):
        done = made(workflow)
        assert done.error is None
        assert done.result["content"] == [{"type": "text", "text": "writer says 1"}]
        assert (done.calls, done.tier) == (1, "T1")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_that_was_made_before_the_run(library: Any) -> None:
    with library.Client(base_url="https://api.anthropic.com", headers=HEADERS) as client:
        done = made(lambda: client.post("/v1/messages", json=request()).status_code)
    assert (done.result, done.calls) == (200, 1)


def test_another_base_url_is_the_api_too() -> None:
    def ask() -> Any:
        client = Anthropic(api_key="k", base_url="https://gateway.internal/proxy")
        return client.messages.create(**request()).content[0].text

    assert made(ask).result == "writer says 1"


def test_count_tokens_and_models_answer() -> None:
    def ask() -> Any:
        client = Anthropic(api_key="k")
        asked = {key: value for key, value in request().items() if key != "max_tokens"}
        counted = client.messages.count_tokens(**asked).input_tokens
        used = client.messages.create(**request()).usage.input_tokens
        return counted, used, client.models.retrieve("claude-sonnet-4-6").max_input_tokens

    done = made(ask)
    assert done.error is None
    counted, used, window = done.result
    assert counted == used > 0
    assert window == 1_000_000
    assert [call.endpoint for call in done.history.calls(endpoint=None)] == ["count_tokens", "messages", "models"]
    assert done.calls == 1


def test_an_unknown_path_is_a_404_that_names_it() -> None:
    done = made(lambda: httpx2.get("https://api.anthropic.com/v1/files", headers=HEADERS).json())
    assert done.result["error"] == {
        "type": "not_found_error",
        "message": "Not found: GET /v1/files is not simulated; POST /v1/messages, POST /v1/messages/count_tokens, "
        "GET /v1/models and GET /v1/models/{id} are.",
    }


def search(query: str) -> str:
    """Search the handbook."""
    return f"nothing about {query}"


async def search_later(query: str) -> str:
    """Search the handbook."""
    return search(query)


class UsesTheToolTwiceAtOnce(Says):
    def reply(self, call: Any, past: Any) -> Reply:
        results = [block for block in call.messages[-1]["content"] if isinstance(block, dict)]
        if results:
            return Reply.say(" ".join(str(block["content"]) for block in results))
        return Reply.use(*(tool_use(call.tools[0]["name"], {"query": metal}) for metal in ("tin", "zinc")))


def run_tools() -> Any:
    runner = Anthropic(api_key="k").beta.messages.tool_runner(**request(tools=[anthropic.beta_tool(search)]))
    return runner.until_done()


def run_tools_streamed() -> Any:
    tools = [anthropic.beta_tool(search)]
    runner = Anthropic(api_key="k").beta.messages.tool_runner(**request(tools=tools), stream=True)
    return [stream.get_final_message() for stream in runner][-1]


async def run_tools_async() -> Any:
    tools = [anthropic.beta_async_tool(search_later)]
    return await AsyncAnthropic(api_key="k").beta.messages.tool_runner(**request(tools=tools)).until_done()


@pytest.mark.parametrize("ask", [run_tools, run_tools_streamed, run_tools_async])
def test_tool_runner_falls_back_from_message_threads(ask: Any) -> None:
    """It asks for a thread first; the refusal costs no ordinal, and the whole conversation follows."""
    done = run(lambda: ask(), model=UsesTheToolTwiceAtOnce(), store=None)
    assert (done.error_text, done.result.content[0].text) == (None, "nothing about tin nothing about zinc")
    assert [(call.ordinal, len(call.messages)) for call in done.history.calls()] == [(1, 1), (2, 3)]


# --- all else ---------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_another_host_is_refused_by_the_librarys_own_error(library: Any) -> None:
    def fetch() -> None:
        library.get("https://example.com/x")

    async def async_fetch() -> None:
        async with library.AsyncClient() as client:
            await client.get("https://example.com/x")

    for workflow in (fetch, async_fetch):
        done = made(workflow)
        assert type(done.error) is library.ConnectError
        assert str(done.error) == (
            "'example.com' is not simulated, and no request leaves a run. Mock it with dissonance.harness.routes, "
            "or let it through with run(..., allow_hosts=['example.com'])."
        )
        assert (done.refused_hosts, done.tier) == (("example.com",), "T1")


def test_a_socket_is_refused_too() -> None:
    def fetch() -> None:
        urllib.request.urlopen("https://example.com/x")

    done = made(fetch)
    assert isinstance(done.error, urllib.error.URLError)
    assert "'example.com' is not simulated" in str(done.error)
    assert done.refused_hosts == ("example.com",)


def test_an_address_is_refused_too() -> None:
    done = made(lambda: socket.create_connection(("127.0.0.1", 9)))
    assert isinstance(done.error, ConnectionRefusedError)
    assert "'127.0.0.1' is not simulated" in str(done.error)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_transport_of_the_users_own_is_left_alone(library: Any) -> None:
    def fetch() -> Any:
        transport = library.MockTransport(lambda request: library.Response(200, text="mine"))
        return library.Client(transport=transport).get("https://example.com").text

    done = made(fetch)
    assert (done.result, done.tier) == ("mine", "T1")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_route_answers_for_another_api(library: Any) -> None:
    def fetch() -> Any:
        routes.get("https://rates.example.com/usd").respond(json={"usd": 1.08})
        with library.Client() as client:
            return client.get("https://rates.example.com/usd").json()

    async def async_fetch() -> Any:
        routes.get("https://rates.example.com/usd").respond(json={"usd": 1.08})
        async with library.AsyncClient() as client:
            return (await client.get("https://rates.example.com/usd")).json()

    for workflow in (fetch, async_fetch):
        done = made(workflow)
        assert (done.error, done.result, done.tier) == (None, {"usd": 1.08}, "T1")
    assert type(made(lambda: library.get("https://rates.example.com/usd")).error) is library.ConnectError


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_route_fails_with_the_clients_own_class(library: Any) -> None:
    def fetch() -> Any:
        routes.get("https://rates.example.com/usd").mock(side_effect=httpx.ConnectTimeout("slow"))
        library.get("https://rates.example.com/usd")

    assert type(made(fetch).error) is library.ConnectTimeout


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"hello": self.path}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Any:
    served = HTTPServer(("127.0.0.1", 0), Hello)
    thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served.server_port
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_an_allowed_host_is_really_reached_and_demotes_the_run(library: Any, server: int) -> None:
    url = f"http://127.0.0.1:{server}/x"

    async def async_fetch() -> Any:
        async with library.AsyncClient() as client:
            return (await client.get(url)).json()

    for workflow in (lambda: library.get(url).json(), async_fetch):
        done = made(workflow, allow_hosts=["127.0.0.1"])
        assert (done.error, done.result) == (None, {"hello": "/x"})
        assert done.tier == "T3"
        assert done.demoted_by[0] == "real connection to '127.0.0.1'"


def test_the_first_async_call_starts_no_thread() -> None:
    async def ask() -> Any:
        return (await AsyncAnthropic(api_key="k").messages.create(**request())).model

    assert made(ask).tier == "T1"
