"""A tool that is a function, and a runner that calls it, as the page *Tool runner* of Claude's documentation has them.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-runner, in other words.
"""

from __future__ import annotations

from anthropic import Anthropic, beta_tool

client = Anthropic()


@beta_tool
def get_weather(location: str, unit: str = "celsius") -> str:
    """Look up the weather of a place.

    Args:
        location: The city and its country.
        unit: celsius or fahrenheit.
    """
    return f"{location}: 9 degrees {unit}, rain since 14:00"


runner = client.beta.messages.tool_runner(
    model="claude-sonnet-4-6",
    max_tokens=1024,
    tools=[get_weather],
    messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
)
