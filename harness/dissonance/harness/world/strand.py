"""A strand: one line of execution inside a world, and which one the calling thread is."""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kernel import World

__all__ = [
    "CLEANUP_PARKS",
    "NANOSECONDS",
    "Strand",
    "become",
    "current_strand",
    "current_world",
    "stepping_out",
    "to_ticks",
]

NANOSECONDS = 1_000_000_000
CLEANUP_PARKS = 1000
"""How often a strand may park after the world has ended, so that ``finally`` blocks can finish."""

_allocate_lock = _thread.allocate_lock
_local = threading.local()


def to_ticks(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * NANOSECONDS)


def current_strand() -> Strand | None:
    """The strand that the calling thread is, or None outside any world."""
    return getattr(_local, "strand", None)


def current_world() -> World | None:
    """The world that the calling thread is in, or None."""
    strand = current_strand()
    return None if strand is None else strand.world


def become(strand: Strand | None) -> None:
    """From now on the calling thread is this strand, or none."""
    _local.strand = strand
    if strand is not None:
        strand.ident = _thread.get_ident()
        strand.native = _thread.get_native_id()


@contextlib.contextmanager
def stepping_out() -> Iterator[None]:
    """For the block, the calling strand is no part of any world: what it starts is real. It must not wait."""
    strand = current_strand()
    _local.strand = None
    try:
        yield
    finally:
        _local.strand = strand


@dataclass(eq=False, slots=True)
class Strand:
    """A line of execution: its thread waits on ``go`` whenever another strand has the baton.

    ``waits_for`` says on what a parked strand waits: a text, or an object that describes itself
    by ``describe_wait(strand)``. A ``doomed`` one is being unwound; an ``outside`` one blocks where
    the world cannot see it, and has lost the baton until it comes back.
    """

    world: World
    name: str
    go: Any = field(default_factory=_allocate_lock)
    generation: int = 0
    parked: bool = False
    woken: bool = False
    done: bool = False
    doomed: bool = False
    outside: bool = False
    parks_left: int = CLEANUP_PARKS
    waits_for: Any = ""
    joiners: list[Strand] = field(default_factory=list)
    thread: threading.Thread | None = None
    ident: int = 0
    native: int = 0

    def __post_init__(self) -> None:
        self.go.acquire()

    def claim_wake(self, woken: bool) -> bool:
        """Whether it was parked, and is now to be made ready."""
        was_parked, self.parked = self.parked, False
        if was_parked:
            self.woken = woken
        return was_parked
