"""An exception that is its own cause."""

from __future__ import annotations

from dissonance.harness import run


def test_a_run_that_raises_an_error_from_itself_ends() -> None:
    def play(task: str) -> None:
        error = ValueError("no")
        raise error from error

    made = run(play, "Say hello.", store=None)
    assert (made.outcome, made.stopped_by, str(made.error)) == ("failed", None, "no")
