"""Virtual time: everything that waits inside a world takes no real time and repeats exactly.

``kernel`` has the clock and the baton, ``strand`` what runs, ``outside`` the door for what escapes;
``loop`` puts asyncio on them, ``threads``, ``locks``, ``queues`` and ``pools`` capture threads,
``clocks`` the readings of time; ``watchdog`` watches from outside.
:func:`inside` puts a world on and takes it off; :func:`complete` runs a coroutine in it.
"""

from __future__ import annotations

from .clocks import EPOCH
from .insist import insist
from .kernel import World
from .loop import VirtualLoop
from .ordered import OrderedSet
from .patches import Patches, Standing
from .scope import STANDING, complete, inside, refuse_if_taken
from .strand import current_world

__all__ = [
    "EPOCH",
    "STANDING",
    "OrderedSet",
    "Patches",
    "Standing",
    "VirtualLoop",
    "World",
    "complete",
    "current_world",
    "inside",
    "insist",
    "refuse_if_taken",
]
