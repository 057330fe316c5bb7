"""A generator and an evaluator in a loop, as the page *Workflows and agents* of LangGraph's documentation has them.

https://docs.langchain.com/oss/python/langgraph/workflows-agents, in other words, with the model id of Claude.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from langchain_anthropic import ChatAnthropic
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field

llm: Any = ChatAnthropic(model="claude-sonnet-4-6")  # type: ignore[call-arg,unused-ignore]


class State(TypedDict):
    slogan: str
    topic: str
    feedback: str
    grade: str


class Feedback(BaseModel):
    grade: Literal["good", "bad"] = Field(description="Whether the slogan can be printed.")
    feedback: str = Field(description="What would make a bad slogan better.")


evaluator = llm.with_structured_output(Feedback)


def llm_call_generator(state: State) -> Any:
    request = f"Write a slogan for {state['topic']}."
    if state.get("feedback"):
        request += f" Take this into account: {state['feedback']}"
    return {"slogan": llm.invoke(request).content}


def llm_call_evaluator(state: State) -> Any:
    grade = evaluator.invoke(f"Grade this slogan: {state['slogan']}")
    return {"grade": grade.grade, "feedback": grade.feedback}


def route_slogan(state: State) -> str:
    return "Accepted" if state["grade"] == "good" else "Rejected"


builder: Any = StateGraph(State)
builder.add_node("llm_call_generator", llm_call_generator)
builder.add_node("llm_call_evaluator", llm_call_evaluator)
builder.add_edge(START, "llm_call_generator")
builder.add_edge("llm_call_generator", "llm_call_evaluator")
builder.add_conditional_edges("llm_call_evaluator", route_slogan, {"Accepted": END, "Rejected": "llm_call_generator"})
workflow = builder.compile()
