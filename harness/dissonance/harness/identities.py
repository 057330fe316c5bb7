"""Identities that repeat: ``uuid4`` and its like give the same ids in each run of the same seed.

Frameworks put random ids into their results and states. Each place in the code draws a sequence of its own, so that
what is drawn elsewhere, such as by an import that only the first run of a process makes, shifts no other's.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from types import FrameType
from typing import final

from .world import Patches, current_world

__all__ = ["Identities"]

_entropy = os.urandom
_PASSED = ("uuid", "uuid_utils.compat", "langchain_core.utils.uuid", __name__)
"""Modules that draw for others."""
_UUID7 = (
    ("uuid_utils.compat", "uuid7"),
    ("langchain_core.utils.uuid", "_uuid_utils_uuid7"),
    ("langsmith._internal._uuid", "_uuid_utils_uuid7"),
)


@final
class Identities:
    """The random bytes of one run; of code outside of any run they are the system's."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: Counter[str] = Counter()

    def install(self, patches: Patches) -> None:
        """Take the place of ``os.urandom``, of which ``uuid4`` is made, and of the ``uuid7`` that is written in Rust."""
        patches.set(os, "urandom", self.urandom)
        for module, name in _UUID7:
            if module in sys.modules:
                patches.set(sys.modules[module], name, self._instead_of(getattr(sys.modules[module], name)))

    def urandom(self, size: int, /) -> bytes:
        """As ``os.urandom``."""
        return self._bytes(size, sys._getframe(1)) if _inside() else _entropy(size)

    def _instead_of(self, uuid7: Callable[..., uuid.UUID]) -> Callable[..., uuid.UUID]:
        return lambda *args, **kwargs: self._uuid7() if _inside() else uuid7(*args, **kwargs)

    def _uuid7(self) -> uuid.UUID:
        """48 bits of milliseconds, then random ones (RFC 9562, section 5.7)."""
        drawn = int.from_bytes(self._bytes(16, sys._getframe(1)), "big")
        stamp = time.time_ns() // 1_000_000
        number = (stamp & (1 << 48) - 1) << 80 | drawn & (1 << 80) - 1
        return uuid.UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)

    def _bytes(self, size: int, frame: FrameType | None) -> bytes:
        while frame is not None and frame.f_globals.get("__name__") in _PASSED:
            frame = frame.f_back
        place = "" if frame is None else f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"
        self._drawn[place] += 1
        begin = f"{self._seed}:{place}:{self._drawn[place]}"
        parts = (blake2b(f"{begin}:{part}".encode()).digest() for part in range(size // 64 + 1))
        return b"".join(parts)[:size]


def _inside() -> bool:
    return current_world() is not None
