"""Writing that a full disk cuts short is told, and never glued to what comes later."""

from __future__ import annotations

import os

__all__ = ["write_all"]


def write_all(file: int, data: bytes) -> None:
    """Write all of it to a file descriptor. Raises OSError where it cannot, when a part of it may be written."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])
