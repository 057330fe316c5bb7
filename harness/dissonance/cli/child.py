"""The process in which the user's workflow runs: ``python -m dissonance.cli.child``, started by ``worker``.

It reads a JSON line from its standard input for each request and answers with one on its standard
output; before the answer to a search come lines of its progress. Both are taken away before the user's code is imported: what a workflow prints goes to
standard error, and what it reads is at its end. When the parent goes, standard input ends, and so
does this process, whatever the workflow is doing.
"""

from __future__ import annotations

import faulthandler
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any

from dissonance.faults import FaultPlan, find_minimal
from dissonance.harness import Limits, ScriptedHuman, run
from dissonance.harness.errors import BadInput, CassetteMiss, ScriptExhausted
from dissonance.harness.workflow import takes_human

from .catalogue import checks
from .models import Answering
from .target import load_target, read_target

__all__ = ["main"]

_Json = dict[str, Any]

_REVIEWER = ScriptedHuman()
"""Who answers a workflow that takes ``human``: approves everything after a virtual minute."""


class _Server:
    """Answers requests: first ``load``, then any number of ``run`` and ``search``."""

    def __init__(self, send: Callable[[_Json], None]) -> None:
        self._workflow: Callable[..., Any] | None = None
        self._send = send
        self._requests = {"load": self._load, "run": self._run, "search": self._search}

    def answer(self, request: _Json) -> _Json:
        faulthandler.dump_traceback_later(request["stack_after"], file=2)
        try:
            return self._requests[request["do"]](request)
        except BadInput as error:
            return {"bad_input": str(error)}
        except (CassetteMiss, ScriptExhausted) as error:
            return {"unanswered": str(error)}
        except Exception:
            return {"broken": traceback.format_exc()}
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _load(self, request: _Json) -> _Json:
        self._workflow = load_target(read_target(request["target"]))
        return {}

    def _run(self, request: _Json) -> _Json:
        given = request["parameters"]
        made = run(
            partial(self._workflow, **given) if given and self._workflow is not None else self._workflow,
            request["task"],
            plan=FaultPlan.from_data(request["plan"]),
            seed=request["seed"],
            limits=Limits(**request["limits"]),
            model=Answering(**request["model"]).load(),
            human=_REVIEWER if takes_human(self._workflow) else None,
            store=request["store"],
            notes=request["notes"],
        )
        verdicts = made.judge(*(checks()[name]() for name in request["checks"]))
        return {"run": str(made.path), "verdicts": [asdict(verdict) for verdict in verdicts]}

    def _search(self, request: _Json) -> _Json:
        """Sends a line of progress after each run, so that its parent sees a run that does not come back."""

        def told(made: int, most: int, what: str) -> None:
            faulthandler.dump_traceback_later(request["stack_after"], file=2)
            self._send({"progress": [made, most, what]})

        found = find_minimal(
            self._workflow,
            [checks()[name]() for name in request["checks"]],
            task=request["task"],
            runs=request["runs"],
            limits=Limits(**request["limits"]),
            store=request["store"],
            told=told,
            model=Answering(**request["model"]).load(),
            seed=request["seed"],
            human=_REVIEWER if takes_human(self._workflow) else None,
            notes=request["notes"],
        )
        return {
            "run": None if found.run is None else str(found.run.path),
            "verdicts": [asdict(verdict) for verdict in found.verdicts],
            "problem": found.problem,
            "told": str(found),
            "found": found.to_json(),
        }


def main() -> None:
    """Serve until standard input ends."""
    requests, answers = _private_pipes()
    sys.path.insert(0, str(Path.cwd()))
    sys.argv = ["dissonance"]
    _need_no_account()

    def send(answer: _Json) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")

    server = _Server(send)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    while True:
        send(server.answer(json.loads(waiting.get())))


def _need_no_account() -> None:
    """The SDK refuses to send without a key, and a gateway's address would lead past the simulated API."""
    if not any(os.environ.get(name) for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")):
        os.environ["ANTHROPIC_API_KEY"] = "none-is-needed"
    os.environ.pop("ANTHROPIC_BASE_URL", None)


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return requests, answers


def _listen(requests: IO[bytes], waiting: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    os._exit(1)


if __name__ == "__main__":
    main()
