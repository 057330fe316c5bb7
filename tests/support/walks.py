"""The paths that patterns took, as they logged them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dissonance.patterns.diagrams import PATTERNS, machine_of

__all__ = ["Walks"]


class Walks(logging.Handler):
    """Each run of a pattern that logged a transition: its states in order, by the pattern's name and the run's number."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: dict[tuple[str, int], list[str]] = {}
        self.broken: list[str] = []
        self._pairs: dict[str, set[tuple[str, str]]] = {}

    def createLock(self) -> None:
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", {})
        if event.get("kind") == "transition":
            path = self.paths.setdefault((event["agent"], event["trace"]), [])
            if path and path[-1] != event["from"]:
                self.broken.append(f"{event}: it was in {path[-1]!r}")
            if not path:
                path.append(event["from"])
            path.append(event["to"])
            self._pairs.setdefault(event["agent"], set()).add((event["from"], event["to"]))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what is logged meanwhile."""
        logger = logging.getLogger("dissonance.patterns")
        level = logger.level
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.setLevel(level)

    def taken(self, pattern: str) -> set[tuple[str, str]]:
        """All transitions that were taken in runs of a pattern."""
        return self._pairs.get(pattern, set())

    def undeclared(self) -> list[str]:
        """What is wrong with the paths: they must begin in the first state and take declared transitions, each from
        where the last one led."""
        found = list(self.broken)
        for (pattern, number), path in self.paths.items():
            machine = machine_of(pattern)
            if path[0] != machine.start:
                found.append(f"{pattern} {number} begins in {path[0]!r}")
        for pattern in PATTERNS:
            if any(name == pattern for name, _ in self.paths):
                odd = self.taken(pattern) - set(machine_of(pattern).pairs())
                found += [f"{pattern}: {before} -> {after}" for before, after in sorted(odd)]
        return found

    def ends(self) -> dict[str, set[str]]:
        """The states in which runs of each pattern were last."""
        last: dict[str, set[str]] = {}
        for (pattern, _), path in self.paths.items():
            last.setdefault(pattern, set()).add(path[-1])
        return last
