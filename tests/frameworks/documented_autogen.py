"""A writer and a critic who talk until the critic approves, as the tutorial on teams of AutoGen's documentation has them.

https://microsoft.github.io/autogen/stable/user-guide/agentchat-user-guide/tutorial/teams.html, in other words, with a
client for Claude.
"""

from __future__ import annotations

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.anthropic import AnthropicChatCompletionClient

model_client = AnthropicChatCompletionClient(
    model="claude-sonnet-4-6",
    model_info=ModelInfo(
        vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
    ),
)
primary = AssistantAgent("primary", model_client=model_client, system_message="You write what the user asks for.")
critic = AssistantAgent(
    "critic",
    model_client=model_client,
    system_message="Say what is to be better. Respond with 'APPROVE' once it is.",
)
team = RoundRobinGroupChat([primary, critic], termination_condition=TextMentionTermination("APPROVE"))
