"""Causes and contexts of what a workflow raises."""

from __future__ import annotations

import sys

from dissonance.harness import run


def test_a_run_that_raises_an_error_from_itself_ends() -> None:
    def play(task: str) -> None:
        error = ValueError("no")
        raise error from error

    made = run(play, "Say hello.", store=None)
    assert (made.outcome, made.stopped_by, str(made.error)) == ("failed", None, "no")


def test_no_exception_is_being_handled_as_a_run_is_made_again() -> None:
    """AutoGen, for one, puts the context of an error into its text."""
    handled: list[BaseException | None] = []

    def play(task: str) -> None:
        handled.append(sys.exception())

    made = run(play, "Say hello.", store=None)
    assert (made.same_twice, handled) == (None, [None, None])
