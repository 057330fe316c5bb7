"""What to set in each runtime against each family: the short text that stands in the matrix's cells."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["what_to_set"]

_SOURCE = "check claims against a source at each boundary; no setting of a framework does"

_ADVICE: Mapping[str, Mapping[str, str]] = {
    "plain": {
        "loops": "guards=[StepBudget(n)]; with CycleDetector and MonotonicProgress it stops earlier",
        "context": "TokenLedger compacts before the window is full",
        "hallucination": "CitationGate, or CrossCheck with evidence",
        "latency": "AsyncAnthropic(timeout=60), and TimeBox on each branch",
        "transport": "Agent(tries=2): a damaged reply is asked for again, then raises",
        "judgement": "checks in code before the judge",
        "tools": "StepBudget; Retry of the stage",
        "human": "human_gate(deadline=900)",
        "process": "chain(store=…), human_gate(store=…) in a file; put other patterns into a stage of a chain",
    },
    "langgraph": {
        "loops": "config recursion_limit near what the graph needs, and a count of rounds in the state that ends well",
        "context": "catch AnthropicContextOverflowError; trim_messages with include_system=True",
        "hallucination": _SOURCE,
        "latency": "ChatAnthropic(timeout=60), add_node(timeout=…)",
        "transport": "raise where stop_reason is not end_turn, under RetryPolicy(retry_on=…)",
        "judgement": "a count of rounds in the state",
        "tools": "ToolNode(handle_tool_errors=…) and a recursion_limit",
        "human": "interrupt() has no deadline: whoever resumes the graph must keep one",
        "process": "a durable checkpointer with durability='sync'; what cannot be undone in a node of its own, with an idempotency key",
    },
    "crewai": {
        "loops": "a count of rounds in the flow's state; Agent(max_iter=5)",
        "context": "max_retry_limit=0: Claude's 'prompt is too long' is not recognised, so it is sent again as it was",
        "hallucination": _SOURCE,
        "latency": "LLM(timeout=60)",
        "transport": "Task(guardrail=…) on the text: CrewAI keeps no stop reason",
        "judgement": "a count of rounds in the flow's state",
        "tools": "Agent(max_iter=5)",
        "human": "ask in a flow's step of your own, under asyncio.wait_for",
        "process": "@persist on the flow, or Crew(checkpoint=…); an idempotency key for what cannot be undone",
    },
    "autogen": {
        "loops": "max_turns, and TimeoutTermination: a termination by a word is up to the model",
        "context": "a TokenLimitedChatCompletionContext for each agent",
        "hallucination": _SOURCE,
        "latency": "AnthropicChatCompletionClient(timeout=60)",
        "transport": "a client that raises where finish_reason is not stop or function_calls",
        "judgement": "max_turns",
        "tools": "max_tool_iterations, max_turns",
        "human": "hand-off and save_state(), with a deadline in whoever resumes it",
        "process": "save_state() after each turn, outside of the process; an idempotency key for what cannot be undone",
    },
    "claude_tools": {
        "loops": "tool_runner(max_iterations=8); nested runners multiply, so count over all of them",
        "context": "context_management, or count_tokens before the call",
        "hallucination": _SOURCE,
        "latency": "AsyncAnthropic(timeout=60)",
        "transport": "look at stop_reason of the last message: until_done() does not",
        "judgement": "a count of rounds",
        "tools": "max_iterations",
        "human": "asyncio.wait_for around the question in the tool",
        "process": "keep each finished answer; an idempotency key for what cannot be undone",
    },
}  # fmt: skip


def what_to_set(runtime: str, family: str) -> str:
    """What helps in this runtime against this family."""
    return _ADVICE[runtime][family]
