"""``dissonance serve``: the simulated API at a socket, until a signal or the end of the parent process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dissonance.faults import FaultPlan
from dissonance.harness import Limits, Run
from dissonance.harness.errors import BadInput
from dissonance.harness.store import DEFAULT_STORE

from .catalogue import checks
from .inputs import check_out, named_checks, read_limits
from .models import read_model
from .results import Findings
from .show import show_findings
from .stored import judged

if TYPE_CHECKING:
    from dissonance.harness.serve import Server

__all__ = ["Service", "serve_until_told"]

_UNKNOWN = 3


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the command line says; None is what it leaves out."""

    plan: Path | None = None
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    speed: float = 1.0
    checks: str | None = None
    store: Path | None = None
    seed: int | None = None
    limits: Sequence[str] = ()


def serve_until_told(given: Service) -> int:
    """Serve; then judge each run that there was. The exit code is that of the worst verdict."""
    names = named_checks(given.checks)
    server = _server(given)
    with _signals(server):
        print(_opening(server, given), flush=True)
        _run(server, os.getppid())
    runs = server.end_all()
    if not runs:
        print("No request came, so that there is nothing to judge.")
        return _UNKNOWN
    findings = Findings(tried=[judged(run, names) for run in runs if _spoke(run)])
    show_findings(findings)
    return findings.exit_code


def _run(server: Server, parent: int) -> None:
    from dissonance.harness.serve.server import run_loop

    run_loop(server, parent=parent)


def _server(given: Service) -> Server:
    try:
        from dissonance.harness.serve.server import server_for
    except ImportError as error:
        raise BadInput(
            f"`dissonance serve` needs the package {error.name!r}: pip install 'dissonance[server]'"
        ) from None
    return server_for(
        plan=None if given.plan is None else _plan(given.plan),
        model=read_model(given.model).load(),
        seed=given.seed or 0,
        limits=read_limits(given.limits, Limits()),
        store=check_out(given.store or DEFAULT_STORE),
        speed=given.speed,
        checks=checks(),
        host=given.host,
        port=given.port,
        token=given.token,
    )


def _plan(file: Path) -> FaultPlan:
    """The plan, which must not be for what the server has no part in."""
    plan = FaultPlan.load(file)
    for rule in plan.rules:
        if rule.fault.family in ("human", "process"):
            raise BadInput(
                f"--plan {str(file)!r}: rule {rule.id!r} is for the workflow's {rule.fault.family}, which a server cannot "
                "reach: leave it out, or play the plan with `dissonance probe`"
            )
    return plan


def _spoke(run: Run) -> bool:
    return len(run.history) > 1


def _opening(server: Server, given: Service) -> str:
    """What there is to know; a token that was given is known already, and is not shown."""
    key = "simulated" if server.token is None else "TOKEN" if given.token is not None else server.token
    lines = [
        f"The simulated Messages API is at {server.url} (Ctrl-C ends it, and judges its runs).",
        f"  export ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY={key}",
        f"  runs: {server.url}/dissonance; each path {server.url}/runs/NAME, and each key {key}:NAME, is a run of its own",
    ]
    if server.token is not None and not server.local:
        lines.append("Warning: other machines reach this server. Whoever has the token can use it, and read its runs.")
    return "\n".join(lines)


@contextmanager
def _signals(server: Server) -> Iterator[None]:
    """Both ways in which a server is usually ended let it end its runs first."""
    before = {each: signal.signal(each, lambda *_: server.stop()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
