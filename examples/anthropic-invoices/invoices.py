"""Invoices as they come by mail: read by a model, checked by code, approved by a human where they are large, paid once.

Run it on a mail, with ``ANTHROPIC_API_KEY`` set: ``python invoices.py mail.txt``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from anthropic import AsyncAnthropic
from anthropic.types import Message, ToolParam
from pydantic import BaseModel, Field, ValidationError

MODEL = "claude-sonnet-4-6"
TOKENS = 1000
APPROVAL_FROM = 500
DEADLINE = 900.0
"""Seconds in which an approval is expected; after them an invoice is kept for the next day."""


class Line(BaseModel):
    """A line of an invoice."""

    text: str
    amount: float = Field(gt=0)


class Invoice(BaseModel):
    """An invoice, as far as it matters to who pays it."""

    supplier: str
    number: str
    lines: list[Line] = Field(min_length=1)
    total: float = Field(gt=0)

    @property
    def adds_up(self) -> bool:
        """Whether the lines make the total."""
        return abs(sum(line.amount for line in self.lines) - self.total) < 0.01


RECORD: ToolParam = {
    "name": "record_invoice",
    "description": "Record what the invoice says.",
    "input_schema": Invoice.model_json_schema(),
}


@dataclass(frozen=True)
class Approval:
    """What an approver is asked."""

    id: str
    summary: str
    action: dict[str, Any]
    reason: str = f"invoices from {APPROVAL_FROM} dollars on are approved by hand"
    deadline: float = DEADLINE


class Approver(Protocol):
    """Whoever approves: the finance desk's queue, or a terminal. The answer's ``decision`` is approve, edit or reject."""

    async def ask(self, request: Approval) -> Any: ...


@dataclass
class Outcome:
    """What became of an invoice: ``paid``, ``rejected``, ``held`` (nobody answered) or ``returned`` (it cannot be read)."""

    status: str
    note: str


class Unreadable(Exception):
    """The model gave no whole invoice."""


def recorded(reply: Message) -> Invoice:
    """The invoice in a reply. Raises Unreadable where it is not whole."""
    if reply.stop_reason != "tool_use":
        raise Unreadable(f"the reply is not whole: stop_reason={reply.stop_reason!r}")
    for block in reply.content:
        if block.type == "tool_use":
            try:
                return Invoice.model_validate(block.input)
            except ValidationError as error:
                raise Unreadable(f"the reply is no invoice: {error.error_count()} fields are wrong") from error
    raise Unreadable("the reply has no invoice")


def doubts(invoice: Invoice, mail: str) -> str | None:
    """What speaks against paying: a model that misreads a number is as sure of it as one that does not."""
    amounts = [line.amount for line in invoice.lines]
    said = {"supplier": invoice.supplier, "number": invoice.number, "total": f"{invoice.total:.2f}"}
    said |= {f"line {number}": f"{amount:.2f}" for number, amount in enumerate(amounts, 1)}
    for name, text in said.items():
        if text not in mail:
            return f"its {name} does not stand in the mail"
    if not invoice.adds_up:
        return "its lines do not make its total"
    return None


class Desk:
    """Pays invoices.

    ``pay(number, dollars)`` moves the money. ``timeout`` is that of one attempt at a call, in seconds, and ``retries`` how
    many more there are. The client's own defaults, 600 and 2, let a call that hangs hang for half an hour, and give up
    an overloaded API after two seconds.
    """

    def __init__(self, pay: Callable[[str, float], None], *, timeout: float = 30, retries: int = 6) -> None:
        self._pay = pay
        self._client = AsyncAnthropic(timeout=timeout, max_retries=retries)

    async def handle(self, mail: str, approver: Approver) -> Outcome:
        """Read the mail, check what was read, have it approved, pay it."""
        try:
            invoice = await self._read(mail)
        except Unreadable as error:
            return Outcome("returned", str(error))
        doubt = doubts(invoice, mail)
        if doubt:
            return Outcome("returned", doubt)
        if invoice.total >= APPROVAL_FROM:
            refusal = await self._refused(invoice, approver)
            if refusal:
                return refusal
        self._pay(invoice.number, invoice.total)
        return Outcome("paid", f"{invoice.total:.2f} to {invoice.supplier}")

    async def _read(self, mail: str) -> Invoice:
        reply = await self._client.messages.create(
            model=MODEL,
            max_tokens=TOKENS,
            system="You are the clerk. Record the invoice in this mail.",
            messages=[{"role": "user", "content": mail}],
            tools=[RECORD],
            tool_choice={"type": "tool", "name": "record_invoice"},
        )
        return recorded(reply)

    async def _refused(self, invoice: Invoice, approver: Approver) -> Outcome | None:
        """What becomes of an invoice that is not approved; None for one that is."""
        request = Approval(
            id=invoice.number,
            summary=f"Pay {invoice.total:.2f} dollars to {invoice.supplier}?",
            action={"number": invoice.number, "dollars": invoice.total},
        )
        try:
            answer = await asyncio.wait_for(approver.ask(request), request.deadline)
        except TimeoutError:
            return Outcome("held", "nobody answered")
        if answer.decision != "approve":
            return Outcome("rejected", answer.comment)
        return None


class Terminal:
    """Asks whoever sits at the terminal."""

    async def ask(self, request: Approval) -> Any:
        said = await asyncio.to_thread(input, f"{request.summary} [y/N] ")
        decision = "approve" if said.strip().lower() == "y" else "reject"
        return SimpleNamespace(decision=decision, comment=f"said {said!r}")


if __name__ == "__main__":
    desk = Desk(lambda number, dollars: print(f"paying {dollars:.2f} for {number}"))
    print(asyncio.run(desk.handle(Path(sys.argv[1]).read_text(), Terminal())))
