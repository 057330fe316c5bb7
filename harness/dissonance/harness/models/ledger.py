"""What a spending limit has left: kept in memory, or in a file that several processes share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissonance.harness.errors import BadInput

__all__ = ["Ledger"]


class Ledger:
    """US dollars that are spent of ``usd``. With a ``path``, whoever names the same file spends of the same money.

    A call's worst cost is booked before it is made and corrected when its bill is known, so that a process that is
    killed in between has spent at worst.

    :raises BadInput: the file holds something else, or cannot be written.
    """

    def __init__(self, usd: float, path: Path | None = None) -> None:
        self.usd = usd
        self._path = path
        self._spent = 0.0
        if path is not None:
            self.book(0.0)

    @property
    def spent(self) -> float:
        """US dollars so far, by all who share it."""
        with self._held() as (_, spent):
            return spent

    def book(self, usd: float) -> bool:
        """Spend so much, if as much is left; whether it was."""
        with self._held() as (file, spent):
            if spent + usd > self.usd:
                return False
            self._keep(file, spent + usd)
            return True

    def correct(self, booked: float, billed: float) -> None:
        """What was booked has cost so much."""
        with self._held() as (file, spent):
            self._keep(file, spent - booked + billed)

    @contextmanager
    def _held(self) -> Iterator[tuple[int | None, float]]:
        """The open file, which nobody else reads meanwhile, and what is spent."""
        if self._path is None:
            yield None, self._spent
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._cannot_be_counted(error) from None
        try:
            _lock(file)
            yield file, self._read(file)
        finally:
            os.close(file)

    def _read(self, file: int) -> float:
        text = os.pread(file, 64, 0).decode("ascii", "replace")
        try:
            return float(text or 0)
        except ValueError:
            raise BadInput(f"{str(self._path)!r} counts no spending; remove it, or give another folder") from None

    def _keep(self, file: int | None, spent: float) -> None:
        self._spent = spent
        if file is not None:
            try:
                os.pwrite(file, f"{spent:<63.17g}\n".encode(), 0)
            except OSError as error:
                raise self._cannot_be_counted(error) from None

    def _cannot_be_counted(self, error: OSError) -> BadInput:
        return BadInput(f"{str(self._path)!r}: spending cannot be counted there: {error.strerror}")


def _lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    fcntl.flock(file, fcntl.LOCK_EX)
