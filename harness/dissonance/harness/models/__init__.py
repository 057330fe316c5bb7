"""Who answers."""

from __future__ import annotations

from .gullible import Gullible
from .scripted import Scripted
from .skeptical import Skeptical

__all__ = ["Gullible", "Scripted", "Skeptical"]
