"""Checks: pure functions of a run that give a verdict."""

from __future__ import annotations

from .no_silent_damage import no_silent_damage
from .terminates import terminates
from .verdict import Check, Status, Tier, Verdict, worst

__all__ = ["Check", "Status", "Tier", "Verdict", "no_silent_damage", "terminates", "worst"]
