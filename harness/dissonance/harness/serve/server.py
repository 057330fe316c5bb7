"""Listening: :class:`Server`, and :func:`serving`, which has one for the length of a ``with`` block."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from dissonance.harness.agents import Agents
from dissonance.harness.arguments import order_of
from dissonance.harness.call import Interceptor, LiveModel, Model, Plan
from dissonance.harness.checks.terminates import terminates
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History
from dissonance.harness.limits import Limits
from dissonance.harness.result import Run
from dissonance.harness.store import DEFAULT_STORE

from .admin import Checks, admin_app
from .app import App
from .protocol import Protocol
from .session import Session, Settings, elsewhere
from .sessions import Sessions, checked_run

__all__ = ["LOOPBACK", "Server", "serving"]

LOOPBACK = "127.0.0.1"
_PARENT_SECONDS = 0.5
"""How often the server looks whether its parent is still there."""

T = TypeVar("T")


class Server:
    """A server that is listening. ``url`` is its base URL; ``token`` what it asks for, None on loopback unless
    given; ``local``: only this machine reaches it.

    Its methods may be called from any thread but its own.
    """

    def __init__(self, settings: Settings, checks: Checks, host: str, port: int, token: str | None) -> None:
        self.local = local = is_loopback(host)
        self.token = checked_token(token) if token is not None or local else secrets.token_urlsafe(24)
        self._sessions = Sessions(settings, self.token)
        self._over = False
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        app = App(self._sessions, admin_app(self._sessions, checks, loopback=local))
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                proxy_headers=False,  # it would stand in front of the application, whose short way is the protocol's
                server_header=False,
                access_log=False,
                log_config=None,
            )
        )

    def run_url(self, name: str) -> str:
        """The base URL of the run of this name."""
        return f"{self.url}/runs/{checked_run(name)}"

    def history(self, name: str) -> History:
        """The history so far of the newest run of this name. Raises BadInput where there is none."""
        return self._call(lambda: self._found(name).history)

    def end(self, name: str, result: Any = None, error: str | None = None) -> Run:
        """End the newest run of this name; the run, to be judged. Raises BadInput where there is none."""
        return self._call(lambda: self._found(name).end(result, error))

    def names(self) -> list[str]:
        """The names of the runs, in the order in which they began."""
        return self._call(lambda: [session.name for session in self._sessions])

    def end_all(self) -> list[Run]:
        """End all runs; each, in the order in which they began."""
        return [session.end() for session in self._sessions.all]

    # --- running ------------------------------------------------------------------------------

    async def serve(self, *, parent: int | None = None) -> None:
        """Serve until :meth:`stop`, or until the process ``parent`` is no longer this one's parent."""
        self._loop = asyncio.get_running_loop()
        watch = None if parent is None else asyncio.create_task(self._outlive(parent))
        try:
            await self._uvicorn.serve(sockets=[self._socket])
        finally:
            if watch is not None:
                watch.cancel()
            self._socket.close()
            self.end_all()
            self._over = True

    def stop(self) -> None:
        """Stop serving; replies that are on their way are cut off. From any thread, or a signal handler."""
        self._uvicorn.should_exit = True
        self._loop.call_soon_threadsafe(self._uvicorn.abort)

    async def _outlive(self, parent: int) -> None:
        while os.getppid() == parent:
            await asyncio.sleep(_PARENT_SECONDS)
        self.stop()

    def _found(self, name: str) -> Session:
        session = self._sessions.find(name)
        if session is None:
            known = ", ".join(repr(each.name) for each in self._sessions) or "none"
            raise BadInput(f"run {name!r}: the server has no run of this name; it has {known}")
        return session

    def _call(self, action: Callable[[], T]) -> T:
        """Do it in the server's own thread, where nothing else happens meanwhile; after its end, at once."""
        if self._over:
            return action()

        async def done() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result()


class _Uvicorn(uvicorn.Server):
    """Leaves the signals alone, and waits for nobody when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def abort(self) -> None:
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def server_for(
    *,
    plan: Plan | Sequence[Interceptor] | None = None,
    model: Model | LiveModel | None = None,
    seed: int = 0,
    limits: Limits | None = None,
    agents: Agents | None = None,
    store: str | Path | None = DEFAULT_STORE,
    speed: float = 1.0,
    checks: Checks | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    token: str | None = None,
) -> Server:
    """A server with these settings, bound and not yet serving; see :func:`serving`."""
    order = order_of(
        elsewhere,
        None,
        plan=plan,
        model=model,
        seed=seed,
        limits=limits,
        agents=agents,
        human=None,
        allow_hosts=(),
    )
    settings = Settings(order=order, store=None if store is None else Path(store), speed=speed)
    return Server(settings, {"terminates": terminates} if checks is None else checks, host, port, token)


@contextlib.contextmanager
def serving(
    *,
    plan: Plan | Sequence[Interceptor] | None = None,
    model: Model | LiveModel | None = None,
    seed: int = 0,
    limits: Limits | None = None,
    agents: Agents | None = None,
    store: str | Path | None = DEFAULT_STORE,
    speed: float = 1.0,
    checks: Mapping[str, Callable[[], Any]] | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    token: str | None = None,
) -> Iterator[Server]:
    """The simulated API on a real socket, in a thread, for the length of a ``with`` block.

    * ``plan``, ``model``, ``seed``, ``limits``, ``agents``, ``store``: as of :func:`~dissonance.harness.run`, for each
      run; the limit on real time is not used.
    * ``speed``: simulated seconds to each real one: at 60, a wait of a minute takes a second.
    * ``checks``: those that the admin endpoint knows by name (default: ``terminates``).
    * ``host``, ``port``: where it listens (0: any free port). Beyond loopback it asks for a ``token``, which it makes
      where none is given.

    :raises BadInput: an argument cannot be used, or the address is taken.
    """
    server = server_for(
        plan=plan,
        model=model,
        seed=seed,
        limits=limits,
        agents=agents,
        store=store,
        speed=speed,
        checks=checks,
        host=host,
        port=port,
        token=token,
    )
    ready = threading.Event()
    thread = threading.Thread(target=run_loop, args=(server, ready), name="dissonance serve", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def run_loop(server: Server, ready: threading.Event | None = None, *, parent: int | None = None) -> None:
    """Serve in this thread, on the fastest event loop that is installed."""

    async def serve() -> None:
        task = asyncio.ensure_future(server.serve(parent=parent))
        await asyncio.sleep(0)
        if ready is not None:
            ready.set()
        await task

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def is_loopback(host: str) -> bool:
    """Whether nobody else reaches a server at this host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_token(token: str | None) -> str | None:
    """The token, if it can stand in a header before the name of a run; else :class:`BadInput`, which does not show it."""
    if token is None or (token.isascii() and token.isprintable() and len(token) >= 8 and not set(": ") & set(token)):
        return token
    raise BadInput("token: give 8 or more printable ASCII characters without blanks and colons, or leave it out")


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket. Its protocol is named, since asyncio sets TCP_NODELAY only where it is."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"host={host!r}, port={port}: cannot listen there: {reason}; give another one") from None
    sock.listen(2048)
    return sock
