"""What each public package exports: a change here is a change that users see."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

EXPORTS = {
    "dissonance.experiments": """
        Changes Experiment NAMES Params Piece Progress Result Size Worst again changes experiments find play report_of run_experiments
    """,
    "dissonance.faults": """
        At BatteryPlan Contradict ContradictoryAnswers CorruptNumber Crash CutStream DelegateAgain Disconnect
        Dribble DropCitation DuplicateAnswer EmptyContent FabricateCitation FalseAccept FalseReject Family
        Fault FaultPlan Flip Groupthink HttpError InflateState LateAnswer MalformedBody Minimal Needle
        NeverAnswers Overconfident Overflow Overloaded Paraphrase PingPong Possible Range RateLimit Reenter
        Refusal RejectWork RepeatToolCall RestartWhilePaused Rule SCHEMA SeedClaim Slot SlowBranch SlowReply
        Space StaleToolResult Stall StreamError ToolError ToolTimeout TruncatedToolJson When Worst
        WrongToolResult as_plan as_python brownout control_arm fault_types find_minimal flap flip_test possible repertoire
        sample sentence single_faults slots_of standard_battery storm swizzle
    """,
    "dissonance.harness": """
        After Answer ApiError Ask BadInput BusyError Call CassetteMiss Check CheckFailed Claim DissonanceError FaultCount
        FaultMark Gullible History Interceptor Limits Live LiveModel Message Model OverBudget Pace Plan PlanError Recorded RecordedError Reply
        Restartable Run RunStopped ScriptExhausted Scripted ScriptedHuman Skeptical Usage Verdict agent
        cascade context_growth costs degrades_gracefully escalates false_acceptance independence load_run
        makespan many_runs no_silent_damage no_silent_truncation overhead record_action record_checkpoint recovers
        routes run save_cassette terminates text_block text_of tool_use worst
    """,
    "dissonance.patterns": """
        ARBITRATOR Agent Answer Attempt Branch CHECKER COMPACTOR CallGuard Case Chain Chained Check
        CircuitBreaker CitationGate Conflict CrossCheck CycleDetector Damage DamagedReply Debated Decision
        Delegated Diversity DollarBudget Effort Escalated EscalationPolicy Failure FannedOut GAP Gated
        Grounding Guard Halted Human HumanAnswer HumanGate HumanRequest InTransaction JUDGE Judgement Lead
        Meter MonotonicProgress Outcome OutputGuard Part Pattern PatternError Piece Position Price Proposal
        Provenance Quarantine Question Reduce Refused Retry Ruling SelfReportedBudget Served Signal Sink
        Source Split Stage Stance StateMachine Step StepBudget StepGuard Stop Supervised Termination
        Thresholds TimeBox TokenLedger ToolCall ToolFunction Trigger Unfinished Usage Watch Webhook Worker
        amount_over arriving chain conforms contains debate delegate diversity fan_out handoff human_gate
        irreversible length_outlier log_notice merger normalised progress_made schema_failures serve shown
        solo splitter state_of supervise table tool_error_rate tool_loop worker
    """,
    "dissonance.reports": """
        Block Case Cell Checks DEFAULT_FOLDER Download Events Finding Grid Interval Mark Note Picture Report Section
        Table at_least at_most bootstrap_mean bootstrap_quantile cascade_graph cost_curves diagrams environment for_ci latency matrix
        paired_difference plan_download plan_in_short plan_sentence probe_report replay_line run_blocks runs_for_margin
        runs_to_see runs_to_tell space_time wilson write_report
    """,
    "dissonance.pytest_plugin": "Dissonance dissonance",
}


@pytest.mark.parametrize("package", EXPORTS)
def test_the_exports_are_pinned(package: str) -> None:
    assert sorted(EXPORTS[package].split()) == sorted(import_module(package).__all__)


@pytest.mark.parametrize("package", EXPORTS)
def test_each_export_is_there(package: str) -> None:
    module = import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", [name for name in EXPORTS if name != "dissonance.pytest_plugin"])
def test_the_types_are_shipped(package: str) -> None:
    (folder,) = import_module(package).__path__
    assert Path(folder, "py.typed").is_file()
