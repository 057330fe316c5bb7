"""The queue of what waits for a human, at a terminal: ``python -m dissonance.patterns.pending``.

A web page does the same with ``Store.pending()`` and ``Store.answer()``. Whoever waits at a gate hears the answer;
a run that is paused goes on when its gate is called again (``HumanGate.resume``).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from .human import HumanAnswer
from .store import Ask, Store, StoreError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """List the queue or answer an ask. Exit codes: 0 done, 1 the answer came too late, 2 bad input."""
    options = _parser().parse_args(arguments)
    try:
        with Store(options.store) as store:
            return _list(store) if options.command == "list" else _answer(store, options)
    except StoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _list(store: Store) -> int:
    asks = store.pending()
    for ask in asks:
        print(_shown(ask, store.seconds_left(ask)))
    print(f"{len(asks)} waiting." if asks else "Nothing waits for a human.")
    return 0


def _shown(ask: Ask, left: float | None) -> str:
    request = ask.request
    time = "no deadline" if left is None else f"{int(left // 60)}:{int(left % 60):02} left"
    action = json.dumps(request.action, ensure_ascii=False, indent=2).replace("\n", "\n    ")
    lines = [f"{request.id}  {request.kind}, {time}", f"    {request.summary}", f"    because: {request.reason}"]
    return "\n".join([*lines, f"    {action}", ""])


def _answer(store: Store, options: argparse.Namespace) -> int:
    value = getattr(options, "value", None)
    answer = HumanAnswer(decision=options.command, value=value, comment=options.comment, by=options.by)
    submitted = store.answer(options.id, answer)
    if submitted.counts:
        print(f"{options.id}: {options.command}, by {options.by}.")
        return 0
    earlier = submitted.decided
    print(
        f"{options.id}: too late, it was decided: {earlier.decision}, by {earlier.by or 'somebody'}.", file=sys.stderr
    )
    return 1


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dissonance.patterns.pending", description="What waits for a human."
    )
    parser.add_argument("--store", default="sqlite:///dissonance.db", metavar="URL", help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the queue, the oldest first")
    for name, does in [("approve", "let it happen"), ("edit", "have another action done"), ("reject", "refuse it")]:
        command = commands.add_parser(name, help=does)
        command.add_argument("id", help="of the ask, as list shows it")
        command.add_argument("--by", required=True, metavar="NAME", help="who decides")
        command.add_argument("--comment", default="", metavar="TEXT")
        if name == "edit":
            command.add_argument(
                "--value", required=True, type=_json, metavar="JSON", help="the action in your version"
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
