"""An experiment's runs in pieces: independent of each other, played in order on one core or on several.

A :class:`Piece` is a frozen dataclass that can be called and pickled; its ``repr`` says all that its
figures depend on. So the same pieces give the same figures whatever the number of workers, and what a
:class:`~.journal.Journal` holds of an interrupted run need not be played again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dissonance.harness.sweep.engines import played

from .journal import Journal

__all__ = ["Piece", "Progress", "play", "quiet"]

Piece: TypeAlias = Callable[[], Any]
"""One or more runs, and what is measured of them. Pure: equal pieces give equal figures."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with ``(done, total)`` after each piece."""


def quiet(done: int, total: int) -> None:
    """A progress that tells nobody."""


def play(
    pieces: Sequence[Piece], *, progress: Progress = quiet, workers: int = 1, journal: Journal | None = None
) -> list[Any]:
    """What each piece measures, in their order.

    ``workers`` (from 1) is the number of processes; one works in this process. ``progress`` is told after
    each piece. What the ``journal`` holds is taken from it; the rest is added to it as soon as it is there.
    What a worker was at when it died is played again.
    """
    done: dict[int, Any] = {} if journal is None else journal.of(pieces)
    missing = [place for place in range(len(pieces)) if place not in done]
    if done:
        progress(len(done), len(pieces))
    jobs = max(1, min(workers, len(missing)))
    for number, measured in played(_measured, [pieces[place] for place in missing], jobs=jobs):
        place = missing[number]
        done[place] = measured
        if journal is not None:
            journal.add(pieces[place], measured)
        progress(len(done), len(pieces))
    return [done[place] for place in range(len(pieces))]


def _measured(piece: Piece) -> Any:
    return piece()
