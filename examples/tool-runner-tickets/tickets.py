"""Support tickets: Claude looks the customer up, searches the articles, and answers or passes the ticket on.

The loop of calls and tools is the SDK's own (``tool_runner``). Run it on a ticket, with ``ANTHROPIC_API_KEY`` set:
``python tickets.py "I was charged twice for order A-17."``
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from anthropic import Anthropic, beta_tool
from anthropic.types.beta import BetaMessage

MODEL = "claude-sonnet-4-6"
TOKENS = 600
SYSTEM = (
    "You are the clerk. Look the customer's order up and search the articles, then answer the ticket from what you found "
    "and name the article. Promise nothing that no article says."
)
ORDERS: Mapping[str, str] = {
    "A-17": "order A-17: 2 chairs, paid 180 dollars twice on 3 May, delivered 9 May",
    "A-18": "order A-18: 1 lamp, paid 45 dollars on 4 May, not delivered yet",
}
ARTICLES: Mapping[str, str] = {
    "refunds": "Article 12: what was charged twice is refunded within 5 days.",
    "delivery": "Article 7: a delivery takes 10 days at most.",
}


@dataclass
class Answer:
    """What the customer is sent; ``passed_on`` says why a colleague has to look at the ticket first."""

    text: str
    passed_on: str | None = None


@beta_tool
def look_up_order(order: str) -> str:
    """Look an order up. order: its number, such as A-17."""
    return next((said for number, said in ORDERS.items() if number in order), f"no order {order}")


@beta_tool
def search_articles(words: str) -> str:
    """Search the help articles. words: what to search for."""
    return "\n".join(ARTICLES.values())


class SupportDesk:
    """Answers tickets.

    ``rounds``: how many calls one ticket may take (None: as many as the model likes, as the SDK has it). ``timeout``, in
    seconds, is that of one attempt at a call. ``careful``: whether an answer that is not whole is passed on.
    """

    def __init__(self, *, rounds: int | None = 6, timeout: float = 120, careful: bool = True) -> None:
        self._client = Anthropic(timeout=timeout, max_retries=4)
        self._bounds = {} if rounds is None else {"max_iterations": rounds}
        self._careful = careful

    def answer(self, ticket: str) -> Answer:
        """The answer to a ticket."""
        runner = self._client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=TOKENS,
            system=SYSTEM,
            tools=[look_up_order, search_articles],
            messages=[{"role": "user", "content": ticket}],
            stream=True,
            **self._bounds,
        )
        last = runner.until_done()
        text = "".join(block.text for block in last.content if block.type == "text")
        return Answer(text, self._doubts(last, text))

    def _doubts(self, last: BetaMessage, text: str) -> str | None:
        if not self._careful:
            return None
        if last.stop_reason != "end_turn":
            return f"the answer is not whole: stop_reason={last.stop_reason!r}"
        return None if "Article" in text else "the answer names no article"


if __name__ == "__main__":
    print(SupportDesk().answer(sys.argv[1]))
