"""Checks: pure functions of a run that give a verdict. What they measure can be had without one, too."""

from __future__ import annotations

from .actions import Action, actions_of
from .branches import Branch, branches_of
from .cascade import cascade
from .context_growth import Growth, context_growth, measure_growth
from .costs import Costs, costs, measure_costs
from .degrades_gracefully import degrades_gracefully, lost_branches
from .escalates import Escalations, escalates, measure_escalations
from .false_acceptance import Gate, false_acceptance, measure_gate
from .independence import Ballot, Independence, ballots, independence, measure_independence
from .losses import Canaries, Loss, Losses, losses
from .makespan import Makespan, makespan, measure_makespan
from .no_silent_damage import no_silent_damage
from .no_silent_truncation import no_silent_truncation
from .overhead import Layer, measure_layers, overhead
from .recovers import Recovery, measure_recovery, recovers
from .taint import Cascade, Tainted, planted, trace_cascade
from .terminates import terminates
from .verdict import Check, Status, Tier, Verdict, worst

__all__ = [
    "Action",
    "Ballot",
    "Branch",
    "Canaries",
    "Cascade",
    "Check",
    "Costs",
    "Escalations",
    "Gate",
    "Growth",
    "Independence",
    "Layer",
    "Loss",
    "Losses",
    "Makespan",
    "Recovery",
    "Status",
    "Tainted",
    "Tier",
    "Verdict",
    "actions_of",
    "ballots",
    "branches_of",
    "cascade",
    "context_growth",
    "costs",
    "degrades_gracefully",
    "escalates",
    "false_acceptance",
    "independence",
    "losses",
    "lost_branches",
    "makespan",
    "measure_costs",
    "measure_escalations",
    "measure_gate",
    "measure_growth",
    "measure_independence",
    "measure_layers",
    "measure_makespan",
    "measure_recovery",
    "no_silent_damage",
    "no_silent_truncation",
    "overhead",
    "planted",
    "recovers",
    "terminates",
    "trace_cascade",
    "worst",
]
