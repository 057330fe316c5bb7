"""``/dissonance``: what a test in another process asks the server about its runs, as JSON.

==============================================  =======================================================================
``GET /dissonance``                             the runs, each as below
``GET /dissonance/runs/NAME``                   how the newest run of this name stands: counts, faults, outcome, folder
``GET /dissonance/runs/NAME/history``           its events, a JSON line each
``GET /dissonance/runs/NAME/bodies/HASH``       a content that an event names
``POST /dissonance/runs/NAME/end``              end it; the body may be ``{"result": …}`` or ``{"error": "…"}``
``GET /dissonance/runs/NAME/verdicts?checks=…`` verdicts on one that has ended, by the names of checks
==============================================  =======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from ipaddress import ip_address
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dissonance.harness.checks.verdict import Check
from dissonance.harness.history import write_event

from .session import Session
from .sessions import Sessions, key_of

__all__ = ["Checks", "admin_app"]

Checks: TypeAlias = Mapping[str, Callable[[], Check]]
"""The checks that can be asked for, by name."""

_Answer = Callable[[Request, Session], Awaitable[Response]]


def admin_app(sessions: Sessions, checks: Checks, *, loopback: bool) -> Starlette:
    """The application. ``loopback``: a request must name this machine as its host, so that no web page gets here."""

    def guarded(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            if loopback and not _is_local(request.url.hostname):
                return _problem(403, "this server answers requests to localhost only")
            if not sessions.allows(key_of(request.headers.raw)):
                return _problem(401, "the server's token is missing: send it as Authorization: Bearer TOKEN")
            return await answer(request)

        return answered

    def of_run(answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            name = request.path_params["name"]
            session = sessions.find(name)
            if session is None:
                return _problem(404, f"there is no run {name!r}: a run begins with its first request")
            return await answer(request, session)

        return guarded(answered)

    async def index(request: Request) -> Response:
        return JSONResponse({"runs": [session.summary() for session in sessions]})

    async def verdicts(request: Request, session: Session) -> Response:
        return _verdicts(request.query_params.get("checks", "terminates"), session, checks)

    run = "/dissonance/runs/{name}"
    return Starlette(
        routes=[
            Route("/dissonance", guarded(index)),
            Route("/dissonance/runs", guarded(index)),
            Route(run, of_run(_summary)),
            Route(f"{run}/history", of_run(_history)),
            Route(f"{run}/bodies/{{key}}", of_run(_content)),
            Route(f"{run}/end", of_run(_end), methods=["POST"]),
            Route(f"{run}/verdicts", of_run(verdicts)),
        ]
    )


async def _summary(request: Request, session: Session) -> Response:
    return JSONResponse(session.summary())


async def _history(request: Request, session: Session) -> Response:
    return Response(b"".join(map(write_event, session.history)), media_type="application/x-ndjson")


async def _content(request: Request, session: Session) -> Response:
    key = request.path_params["key"]
    bodies = session.history.bodies
    return JSONResponse(bodies.get(key)) if key in bodies else _problem(404, f"no event names a content {key!r}")


async def _end(request: Request, session: Session) -> Response:
    body = await request.body()
    try:
        given = json.loads(body) if body else {}
        if not isinstance(given, dict) or not isinstance(given.get("error"), str | None):
            raise ValueError
    except ValueError:
        return _problem(400, 'the body is no JSON object such as {"result": 1} or {"error": "it failed"}')
    session.end(given.get("result"), given.get("error"))
    return JSONResponse(session.summary())


def _verdicts(names: str, session: Session, checks: Checks) -> Response:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in checks]
    if unknown or not wanted:
        return _problem(400, f"checks={names!r}: give some of {', '.join(checks)}")
    if session.run is None:
        return _problem(409, f"run {session.name!r} is still going on: POST {request_to_end(session)} first")
    judged = session.run.judge(*(checks[name]() for name in wanted))
    return JSONResponse({"verdicts": [asdict(verdict) for verdict in judged]})


def request_to_end(session: Session) -> str:
    """The path that ends a run."""
    return f"/dissonance/runs/{session.name}/end"


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
