"""Who answers."""

from __future__ import annotations

from .cassette import Cassette, save_cassette
from .gullible import Gullible
from .live import Live
from .recorded import Recorded
from .scripted import Scripted
from .skeptical import Skeptical

__all__ = ["Cassette", "Gullible", "Live", "Recorded", "Scripted", "Skeptical", "save_cassette"]
