"""Small workflows with a bug each, and the smallest plan that shows it."""

from .falsehoods import FALSEHOODS
from .flows import TASK, Planted
from .loops import LOOPS
from .losses import LOSSES

__all__ = ["PLANTED", "TASK", "Planted"]

PLANTED = (*LOOPS, *LOSSES, *FALSEHOODS)
