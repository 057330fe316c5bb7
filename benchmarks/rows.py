"""A measured figure and its target: :class:`Row`; and two sides measured in turns: :func:`ratio`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time

__all__ = ["Row", "ratio", "timed"]


@dataclass(frozen=True)
class Row:
    """``measured`` must not be over ``target``; ``detail`` says what it was made of."""

    name: str
    target: float
    measured: float
    unit: str
    detail: str

    @property
    def met(self) -> bool:
        return self.measured <= self.target


def timed(action: Callable[[], object]) -> float:
    """CPU seconds of this process while ``action`` runs. The collector begins with nothing to do, and stays on."""
    gc.collect()
    before = process_time()
    action()
    return process_time() - before


def ratio(
    name: str, target: float, harness: Callable[[], float], alone: Callable[[], float], *, calls: int, rounds: int
) -> Row:
    """The CPU seconds of ``harness`` over those of ``alone``, each for ``calls`` calls.

    The median over the rounds, in which each side runs once; a first round warms both up.
    """
    pairs = [(harness(), alone()) for _ in range(rounds + 1)][1:]
    one, other = (1000 * median(side) / calls for side in zip(*pairs, strict=True))
    detail = f"{one:.2f} ms a call against {other:.2f} ms, {rounds} rounds of {calls} calls"
    return Row(name, target, median(mine / bare for mine, bare in pairs), "times", detail)
