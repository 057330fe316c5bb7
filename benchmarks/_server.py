"""The process that ``benchmarks.server`` measures: ``python -m benchmarks._server harness|bare``; prints its port."""

from __future__ import annotations

import asyncio
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dissonance.harness import Limits, Pace, Scripted
from dissonance.harness.call import Call, Reply
from dissonance.harness.serve.server import run_loop, server_for
from dissonance.harness.wire.complete import complete
from dissonance.harness.wire.render import render

ANSWER = "ACME sold 1,200 units in May 2024, 4 % more than in April; the north grew, and the south did not. " * 4
NO_LIMITS = Limits(calls=10**9, tokens=10**15, usd=10**9)


def harness() -> None:
    """The server with a model that has nothing to think about, and no folder."""
    server = server_for(model=Scripted(ANSWER, pace=Pace(0.0, None)), limits=NO_LIMITS, store=None)  # type: ignore[arg-type]
    print(server.port, flush=True)
    run_loop(server)


def bare() -> None:
    """Starlette with the same answers, written down beforehand."""
    call = Call(id=0, model="claude-sonnet-4-6", max_tokens=300, stream=True)
    reply = complete(Reply.say(ANSWER), call, 0)
    events = [chunk.data for chunk in render(reply, call).chunks]

    async def answer(request: Request) -> Response:
        body = await request.json()
        if not body.get("stream"):
            return JSONResponse(
                {"type": "message", "content": [{"type": "text", "text": ANSWER}], "model": body["model"]}
            )

        async def stream() -> object:
            for event in events:
                yield event

        return StreamingResponse(stream(), media_type="text/event-stream")  # type: ignore[arg-type]

    app = Starlette(routes=[Route("/v1/messages", answer, methods=["POST"])])
    config = uvicorn.Config(app, port=0, access_log=False, log_config=None, lifespan="off")
    sock = config.bind_socket()
    print(sock.getsockname()[1], flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    {"harness": harness, "bare": bare}[sys.argv[1]]()
