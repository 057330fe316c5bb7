"""Who answers."""

from __future__ import annotations

from .gullible import Gullible
from .scripted import Scripted

__all__ = ["Gullible", "Scripted"]
