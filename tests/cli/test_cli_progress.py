"""Progress: a bar on a terminal, elsewhere a line now and then, and none at all when told so."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest

from dissonance.cli.progress import metering


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def clock_of(times: list[float]) -> Callable[[], float]:
    """A clock that shows these seconds, one after the other."""
    iterator = iter(times)
    return lambda: next(iterator)


def test_lines_come_after_two_seconds_and_every_ten_from_then_on() -> None:
    stream = StringIO()
    with metering("runs", stream=stream, clock=clock_of([0.0, 1.0, 3.0, 5.0, 13.0, 14.0])) as meter:
        for done in (1, 2, 3, 4, 5):
            meter.at(done, 10)
    assert stream.getvalue() == "runs: 2 of 10, about 12 s left\nruns: 4 of 10, about 20 s left\n"


def test_what_was_done_before_does_not_count_into_the_time_that_is_left() -> None:
    stream = StringIO()
    with metering("runs", stream=stream, clock=clock_of([0.0, 0.0, 4.0])) as meter:
        meter.at(81, 100)
        meter.at(84, 100)
    assert stream.getvalue() == "runs: 84 of 100, about 16 s left\n"


def test_a_line_names_what_comes_next() -> None:
    stream = StringIO()
    with metering("runs", stream=stream, clock=clock_of([0.0, 4.0])) as meter:
        meter.at(1, 2, "cut-stream")
    assert stream.getvalue() == "cut-stream: 1 of 2, about 4 s left\n"


def test_a_job_that_is_done_has_nothing_left_to_tell() -> None:
    stream = StringIO()
    with metering("runs", stream=stream, clock=clock_of([0.0, 4.0])) as meter:
        meter.at(2, 2)
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_what_is_said_stands_above_it() -> None:
    stream = Terminal()
    with metering("baseline", stream=stream) as meter:
        meter.at(1, 4, "cut-stream")
        meter.say("the workflow [said] this")
    assert "the workflow [said] this\n" in stream.getvalue()
    assert "cut-stream" in stream.getvalue()


def test_a_quiet_meter_only_passes_on_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with metering("runs", quiet=True) as meter:
        meter.at(1, 2)
        meter.say("printed")
    assert capsys.readouterr() == ("", "printed\n")
