"""What is told at the end of a session: lines for the terminal, and ``report.md`` for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .record import Told

__all__ = ["markdown", "summary", "test_lines"]

_ORDER = {"fail": 0, "unknown": 1, "expected": 2, "not judged": 3, "skipped": 4, "pass": 5}
_BAD = ("fail", "unknown")


def summary(records: Sequence[Told], seed: int) -> Iterator[str]:
    """Each test that did not hold, with its smallest plan and the line that replays it; then one line for all.

    A test that passed though a run did not hold, since it was written to show that, has a single line.
    """
    for told in _ordered(records):
        if told["status"] == "expected":
            yield f"expected ({told['tier']}) {told['test']}: {told['reason']}"
        if told["status"] in _BAD:
            yield f"{told['status'].upper()} ({told['tier']}) {told['test']}"
            yield from (f"    {line}" for line in test_lines(told))
        else:
            yield from (f"{told['test']}: {remark}" for remark in told["remarks"])
    yield _totals(records, seed)


def test_lines(told: Told) -> Iterator[str]:
    """What a test that did not hold has to say."""
    if told["reason"]:
        yield told["reason"]
    if told["plan"]:
        yield f"{'Smallest plan' if told['searched'] else 'Plan'}: {told['plan']}"
    if told["worst_calls"]:
        yield f"Worst seen: {told['worst_calls']:,} calls."
    yield from told["remarks"]
    if told["replay"]:
        yield f"Replay: {told['replay']}"


test_lines.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it


def markdown(records: Sequence[Told], seed: int) -> str:
    """The summary as Markdown, the worst first."""
    rows = [
        f"| {told['status']} | `{told['test']}` | {told['tier']} | {told['runs']} | {_cell(told['plan'])} |"
        for told in _ordered(records)
    ]
    lines = ["# Dissonance", "", _totals(records, seed), "", "| verdict | test | tier | runs | plan |"]
    lines += ["|---|---|---|---|---|", *rows, ""]
    for told in _ordered(records):
        if told["status"] in _BAD:
            lines += [f"## {told['status']}: `{told['test']}`", ""]
            lines += [*(f"    {line}" for line in test_lines(told)), ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _ordered(records: Sequence[Told]) -> list[Told]:
    return sorted(records, key=lambda told: (_ORDER[told["status"]], told["test"]))


def _totals(records: Sequence[Told], seed: int) -> str:
    count = Counter(told["status"] for told in records)
    runs = sum(told["runs"] for told in records)
    said = {"fail": "failed", "unknown": "unknown", "expected": "broke as expected"}
    said |= {"not judged": "not judged by any check", "skipped": "skipped", "pass": "held"}
    parts = ", ".join(f"{count[status]} {word}" for status, word in said.items() if count[status])
    tests = f"{len(records)} test{'s' * (len(records) != 1)}"
    return f"{tests} made {runs} run{'s' * (runs != 1)} (seed {seed}): {parts}."
