"""Routes answer httpx and httpx2 clients alike, sync and async, and one run leaves nothing to the next."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeAlias

import httpx
import httpx2
import pytest

from dissonance.harness import routes
from dissonance.harness.errors import BadInput
from dissonance.harness.routes import Answer, Failed

URL = "https://api.example.com/rates"


class Unrouted(Exception):
    """No route matched."""


def ask(library: Any, found: Answer | Failed | None, request: Any) -> Any:
    """What a hook does with an answer, in the client's own classes."""
    if found is None:
        raise Unrouted(str(request.url))
    if isinstance(found, Failed):
        raise getattr(library, found.kind)(found.text, request=request)
    return library.Response(found.status, headers=found.headers, content=found.body)


def sync_get(library: Any, url: str = URL, **kwargs: Any) -> Any:
    def handle(request: Any) -> Any:
        body = request.read()
        return ask(library, routes.answer(request.method, str(request.url), request.headers.raw, body), request)

    with library.Client(transport=library.MockTransport(handle)) as client:
        return client.request(kwargs.pop("method", "GET"), url, **kwargs)


def async_get(library: Any, url: str = URL, **kwargs: Any) -> Any:
    async def handle(request: Any) -> Any:
        body = await request.aread()
        headers = request.headers.multi_items()
        return ask(library, await routes.answer_async(request.method, str(request.url), headers, body), request)

    async def main() -> Any:
        async with library.AsyncClient(transport=library.MockTransport(handle)) as client:
            return await client.request(kwargs.pop("method", "GET"), url, **kwargs)

    return asyncio.run(main())


Get: TypeAlias = Callable[..., Any]
each_library = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
each_client = pytest.mark.parametrize("get", [sync_get, async_get], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def no_routes() -> Iterator[None]:
    routes.clear()
    routes.reset()
    yield
    routes.clear()
    routes.reset()


@each_library
@each_client
def test_a_route_answers_in_the_clients_own_classes(get: Get, library: ModuleType) -> None:
    routes.get(URL, params={"base": "EUR"}).respond(json={"usd": 1.08}, headers=[("x-a", "1"), ("x-a", "2")])
    response = get(library, params={"base": "EUR"})
    assert type(response).__module__ == library.__name__
    assert (response.status_code, response.json(), response.headers.get_list("x-a")) == (200, {"usd": 1.08}, ["1", "2"])


@each_library
@each_client
def test_a_route_sees_method_headers_and_body(get: Get, library: ModuleType) -> None:
    route = routes.post(URL, headers={"x-key": "k"}, json={"q": "ä"}).respond(201)
    assert get(library, method="POST", json={"q": "ä"}, headers={"x-key": "k"}).status_code == 201
    assert [call.request.read() for call in route.calls] == ['{"q":"ä"}'.encode()]


@each_library
@each_client
def test_no_matching_route_is_no_answer_and_no_call(get: Get, library: ModuleType) -> None:
    routes.get(URL).respond(json=1)
    with pytest.raises(Unrouted):
        get(library, "https://elsewhere.example.com")
    assert list(routes.calls) == []


@each_library
@each_client
def test_a_route_that_lets_through_gives_no_answer(get: Get, library: ModuleType) -> None:
    route = routes.get(URL).pass_through()
    with pytest.raises(Unrouted):
        get(library)
    assert route.call_count == 1


@each_library
@each_client
@pytest.mark.parametrize(
    ("effect", "expected", "text"),
    [
        pytest.param(httpx.ConnectTimeout, "ConnectTimeout", "Mock Error", id="class of httpx"),
        pytest.param(httpx2.ConnectTimeout, "ConnectTimeout", "Mock Error", id="class of httpx2"),
        pytest.param(httpx.ReadError("gone"), "ReadError", "gone", id="instance of httpx"),
        pytest.param(httpx2.PoolTimeout("full"), "PoolTimeout", "full", id="instance of httpx2"),
        pytest.param(
            type("Proxied", (httpx.ProxyError,), {"__module__": "mine"})("no"), "ProxyError", "no", id="subclass"
        ),
    ],
)
def test_an_exception_arrives_as_the_clients_own(get: Get, library: Any, effect: Any, expected: str, text: str) -> None:
    route = routes.get(URL).mock(side_effect=effect)
    with pytest.raises(getattr(library, expected)) as caught:
        get(library)
    assert (type(caught.value).__name__, str(caught.value)) == (expected, text)
    assert [call.has_response for call in route.calls] == [False]


@each_client
def test_another_exception_of_a_side_effect_is_raised_as_it_is(get: Get) -> None:
    routes.get(URL).mock(side_effect=KeyError("order 7"))
    with pytest.raises(KeyError, match="order 7"):
        get(httpx2)


@each_client
def test_a_function_answers(get: Get) -> None:
    @routes.get(url__regex=r"/orders/(?P<number>\d+)")
    def order(request: httpx.Request, number: str) -> httpx.Response:
        return httpx.Response(200, json={"number": int(number), "agent": request.headers["user-agent"][:13]})

    response = get(httpx2, "https://api.example.com/orders/7", headers={"user-agent": "tool"})
    assert response.json() == {"number": 7, "agent": "tool"}


@each_client
def test_an_encoded_body_is_passed_on_as_it_is(get: Get) -> None:
    routes.get(URL).respond(headers={"content-encoding": "gzip"}, content=gzip.compress(b"a" * 500))
    assert get(httpx2).text == "a" * 500


class Chunks(httpx.AsyncByteStream):
    async def __aiter__(self) -> Any:
        yield b"a"
        yield b"b"


@each_client
def test_an_async_stream_is_read_whole(get: Get) -> None:
    routes.get(URL).respond(stream=Chunks())
    assert get(httpx2).content == b"ab"


async def slow(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(0)
    return httpx.Response(200, json="late")


async def slower(request: httpx.Request) -> httpx.Response:
    loop = asyncio.get_running_loop()
    soon = loop.create_future()
    loop.call_soon(soon.set_result, None)
    await soon
    return httpx.Response(200, json="late")


@each_library
@pytest.mark.parametrize("effect", [slow, slower])
def test_an_async_side_effect_serves_async_clients(library: ModuleType, effect: Any) -> None:
    routes.get(URL).mock(side_effect=effect)
    assert async_get(library).json() == "late"


@pytest.mark.parametrize("effect", [slow, slower])
def test_an_async_side_effect_is_refused_to_sync_clients(effect: Any) -> None:
    routes.get(URL).mock(side_effect=effect)
    with pytest.raises(BadInput) as caught:
        sync_get(httpx2)
    assert str(caught.value) == (
        f"the route of GET {URL} waits in an async side effect, but a sync client called: "
        "give the route a plain function (time.sleep() takes virtual time, too)"
    )


def test_a_runtime_error_of_a_side_effect_is_its_own() -> None:
    routes.get(URL).mock(side_effect=RuntimeError("mine"))
    with pytest.raises(RuntimeError, match="mine"):
        sync_get(httpx2)


@each_client
def test_a_route_without_a_side_effect_left_says_so(get: Get) -> None:
    routes.get(URL).mock(side_effect=[httpx.Response(503), httpx.Response(200)])
    assert [get(httpx2).status_code, get(httpx2).status_code] == [503, 200]
    with pytest.raises(BadInput, match=r"has no side effect left for its request 3: give it one for each request"):
        get(httpx2)


# --- one run and the next ---------------------------------------------------------------------


def test_calls_are_those_of_the_latest_run() -> None:
    route = routes.get(URL).respond(json=1)
    seen = []
    for times in (3, 2):
        with routes.routed():
            for _ in range(times):
                sync_get(httpx2)
        seen.append((route.call_count, routes.calls.call_count))
    assert seen == [(3, 3), (2, 2)]


def test_routes_of_a_run_end_with_it() -> None:
    routes.get(URL).respond(json="before")
    with routes.routed():
        inner = routes.get("https://inside.example.com").respond(json=2)
        assert sync_get(httpx2, "https://inside.example.com").json() == 2
    assert (sync_get(httpx2).json(), inner.call_count) == ("before", 1)
    with pytest.raises(Unrouted):
        sync_get(httpx2, "https://inside.example.com")


def test_a_route_changed_in_a_run_is_put_back() -> None:
    routes.get(URL).respond(json="before")
    with routes.routed():
        routes.get(URL).respond(json="inside")
        assert sync_get(httpx2).json() == "inside"
    assert sync_get(httpx2).json() == "before"


def test_routes_are_put_back_where_a_run_fails() -> None:
    with pytest.raises(KeyError), routes.routed():
        routes.get(URL).respond(json=1)
        raise KeyError
    with pytest.raises(Unrouted):
        sync_get(httpx2)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        pytest.param(lambda: [httpx.Response(503), httpx.Response(200)], [503, 200], id="list"),
        pytest.param(
            lambda: itertools.cycle([httpx.Response(503), httpx.Response(200)]), [503, 200, 503], id="endless"
        ),
    ],
)
def test_each_run_meets_the_same_side_effects(effects: Any, expected: list[int]) -> None:
    routes.get(URL).mock(side_effect=effects())
    for _ in range(3):
        with routes.routed():
            assert [sync_get(httpx2).status_code for _ in expected] == expected
