"""Random numbers that are functions of their address, so that no draw depends on another."""

from __future__ import annotations

import json
from hashlib import blake2b

__all__ = ["uniform"]


def uniform(*key: str | int) -> float:
    """A number in (0, 1), uniform over keys: the same key gives the same number, in every process.

    >>> uniform("r1", "judge", 1) == uniform("r1", "judge", 1) != uniform("r1", "judge", 2)
    True
    """
    data = json.dumps(key).encode()  # JSON keeps ("a", "b") and ("ab",) apart, and 1 and "1"
    bits = int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 12
    return (bits + 0.5) / 2**52
