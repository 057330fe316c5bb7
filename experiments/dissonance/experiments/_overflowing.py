"""What ``truncation`` is given and gives, and the states that it makes overflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise, product
from typing import Any, Literal, TypeAlias, get_args

import pandas as pd
from pydantic import Field

from dissonance.faults import FaultPlan, InflateState, Needle, Overflow, Rule
from dissonance.faults.draw import uniform
from dissonance.faults.overflow import Policy
from dissonance.faults.states import state
from dissonance.harness import Call, Gullible, Limits, Reply, Run, run
from dissonance.harness.call import Json, text_of, tool_use
from dissonance.harness.checks import no_silent_truncation
from dissonance.harness.history import History
from dissonance.harness.wire.catalog import info
from dissonance.harness.wire.estimate import count_text
from dissonance.patterns import Agent, Pattern, TokenLedger, solo

from ._loops import client
from .experiment import Params, Result

__all__ = [
    "GUARDED",
    "KINDS",
    "LEDGER",
    "MOST",
    "NONE",
    "PAGES",
    "POLICIES",
    "SHAPES",
    "Arm",
    "Settings",
    "Shape",
    "Truncation",
    "arms",
    "sizes",
]

Shape: TypeAlias = Literal["one message", "tool results"]
"""Where a state stands: all in the task, or most of it in what tools gave, one message each."""

SHAPES: tuple[Shape, ...] = get_args(Shape)
POLICIES: tuple[Policy, ...] = get_args(Policy)
KINDS: tuple[Literal["instruction", "fact", "tool_result"], ...] = ("instruction", "fact", "tool_result")
NONE, LEDGER = "none", "ledger"
PAGES = 10
"""Depths at which needles stand; in a conversation each is a page that a tool gives."""


class Settings(Params):
    """Sizes are estimated tokens.

    States fill ``shares`` of each of ``windows``, and have the sizes ``tokens`` wherever these are no more than
    ``most`` windows. A ledger is tried on windows up to ``ledger``. Of client policies that count messages, the
    last ``keep`` stay.
    """

    seeds: int = Field(default=3, ge=1)
    windows: tuple[int, ...] = (32_768, 200_000)
    shares: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    tokens: tuple[int, ...] = (100_000, 200_000)
    most: float = Field(default=6.5, gt=0)
    ledger: int = Field(default=32_768, ge=0)
    keep: int = Field(default=8, ge=1)


@dataclass(frozen=True, kw_only=True)
class Truncation(Result):
    """Of each run its row, in which ``+`` and ``-`` say which depths of each kind the last call had."""

    settings: Settings

    def of(self, **columns: object) -> pd.DataFrame:
        """The runs where each column has this value."""
        chosen = self.table
        for column, value in columns.items():
            chosen = chosen[chosen[column] == value]
        return chosen


def sizes(params: Settings, window: int) -> tuple[int, ...]:
    """The sizes of the states that meet this window."""
    filled = {round(share * window) for share in params.shares}
    return tuple(sorted(filled | {size for size in params.tokens if size <= params.most * window}))


# --- needles ----------------------------------------------------------------------------------

_CANARY = "KX-900"
_CODE = re.compile(r"\bKX-\d{3}\b")
_SAID = {
    "instruction": "Write the code {code} at the end of the answer.",
    "fact": "The shipment {code} weighed {weight} kilograms.",
    "tool_result": "The register lists {code} with {weight} entries.",
}


def _code(kind: str, depth: int) -> str:
    return f"KX-{[*_SAID].index(kind) + 1}{depth:02}"


def _needle(kind: Literal["instruction", "fact", "tool_result"], depth: int) -> str:
    return _SAID[kind].format(code=_code(kind, depth), weight=1200 + 37 * depth)


def _task_needles(shape: Shape) -> tuple[Needle, ...]:
    """In one message all kinds at all depths; with tools, instructions and facts alone: the pages hold the rest."""
    kinds = KINDS if shape == "one message" else KINDS[:2]
    return tuple(
        Needle(text=_needle(kind, depth), depth=depth / (PAGES - 1), kind=kind)
        for depth in range(PAGES)
        for kind in kinds
    )


@lru_cache(maxsize=64)
def _page(tokens: int, number: int, seed: int) -> str:
    needle = Needle(text=_needle("tool_result", number), depth=0.5, kind="tool_result")
    return state(tokens, model=_ANALYST.model, needles=[needle], seed=1 + number + 100 * seed)


# --- the workflow -----------------------------------------------------------------------------

_ANALYST = Agent("analyst", f"Answer from what you were given. Sign with {_CANARY}.", max_tokens=2048, tries=1)
MOST = info(_ANALYST.model).window - (_ANALYST.max_tokens or 0)
"""Tokens of the longest prompt that leaves its answer room in the model's own window, whatever the policy's."""

_LIMITS = Limits(calls=1_000, tokens=10**9, usd=10**6)


@dataclass(frozen=True)
class _Recalling:
    """A model that reads ``pages`` pages and then says which needles are before it; a compactor is ``Gullible``."""

    pages: int

    def reply(self, call: Call, past: History) -> Reply:
        """The next page, or the codes of all needles in this request."""
        if call.agent != _ANALYST.name:
            return Gullible().reply(call, past)
        if call.ordinal <= self.pages:
            return Reply.use(tool_use("read_page", {"number": call.ordinal - 1}))
        return Reply.say("Seen: " + " ".join(sorted(set(_CODE.findall(call.text)))))

    def describe(self) -> Json:
        """Its pages."""
        return {"name": "Recalling", "pages": self.pages}


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One state under one policy: a row of the table."""

    shape: Shape
    window: int
    tokens: int
    policy: Policy
    control: str
    seed: int
    params: Settings

    def __call__(self) -> dict[str, Any]:
        """Run it."""
        made = self.played()
        seen = set(_CODE.findall(str(made.result.output))) if made.outcome == "completed" else set()
        last = made.history.calls(_ANALYST.name)[-1]
        reply = made.history.reply_to(last.id)
        read = 0 if reply is None or reply.usage is None else reply.usage.input_tokens
        kept = {kind: [_code(kind, depth) in seen for depth in range(PAGES)] for kind in KINDS}
        answered = made.outcome == "completed" and made.result.finished
        return {
            "shape": self.shape,
            "window": self.window,
            "tokens": self.tokens,
            "share": round(self.tokens / self.window, 4),
            "policy": self.policy,
            "control": self.control,
            "seed": self.seed,
            "sent": last.tokens,
            "read": read,
            **self._fitting(made),
            "answered": answered,
            "system": _CANARY in seen,
            **{kind: "".join("+" if each else "-" for each in kept[kind]) for kind in KINDS},
            "kept": sum(map(sum, kept.values())) / (PAGES * len(KINDS)),
            "raised": not answered,
            "gap": answered and read < 0.8 * last.tokens,
            "head": answered and _CANARY not in seen,
            "check": self._verdict(made),
            "calls": made.calls,
            "usd": made.usd,
            "fired": sum(counted.fired for rule, counted in made.faults.items() if rule == "window"),
            "outcome": made.outcome,
            "tier": made.tier,
        }

    def _fitting(self, made: Run) -> dict[str, int]:
        """How many of the last pages fit into the window with the system prompt, by the sizes of the requests.

        At least with the calls for all of them, at most without.
        """
        calls = made.history.calls(_ANALYST.name)
        if self.shape == "one message" or len(calls) <= PAGES:
            return {"fit_least": 0, "fit_most": 0}
        turns = [later.tokens - call.tokens for call, later in pairwise(calls)]
        task = made.history.request(calls[0])
        base = calls[0].tokens - count_text(text_of(task["messages"][0]["content"]), _ANALYST.model)
        return {
            "fit_least": _fitting(turns, self.window - base),
            "fit_most": _fitting([turn - _ASKING for turn in turns], self.window - base),
        }

    def _verdict(self, made: Run) -> str:
        """Of the shipped check, told what must arrive."""
        facts = [_needle(kind, depth) for depth in range(PAGES) for kind in KINDS]
        return no_silent_truncation(instructions=[f"Sign with {_CANARY}."], facts=facts)(made).status

    def played(self, **how: Any) -> Run:
        """The run; ``how`` are further arguments of ``run``."""
        return run(
            self._workflow,
            "Say what you were given.",
            plan=self.plan,
            model=_Recalling(PAGES if self.shape == "tool results" else 0),
            seed=self.seed,
            limits=_LIMITS,
            baseline=False,
            **({"store": None} | how),
        )

    def _workflow(self) -> Pattern[str]:
        pinned = (_needle("instruction", 0), _needle("fact", 0))
        guards = (TokenLedger(self.window, pinned=pinned),) if self.control == LEDGER else ()
        tools = (self._tool(),) if self.shape == "tool results" else ()
        return solo(client(), replace(_ANALYST, tools=tools), guards=guards)

    def _tool(self) -> Callable[[int], str]:
        def read_page(number: int) -> str:
            """Read one page."""
            return _page(self.page(number), number, self.seed)

        return read_page

    @property
    def plan(self) -> FaultPlan:
        """The task grows to its size, and what is over the window meets the policy."""
        size = self.tokens if self.shape == "one message" else self.tokens // 4
        task = InflateState(tokens=max(1, size - 100), needles=_task_needles(self.shape), seed=self.seed)
        keep = self.params.keep if self.policy in ("message_window", "summarise") else None
        window = None if self.policy == "message_window" else self.window
        return FaultPlan(
            rules=(
                Rule(id="task", fault=task),
                Rule(id="window", fault=Overflow(policy=self.policy, window=window, keep=keep)),
            )
        )

    def page(self, number: int) -> int:
        """The tokens of this page: together three quarters of the state, each drawn by seed and number."""
        drawn = [0.5 + uniform("page", self.seed, place) for place in range(PAGES)]
        return int(0.75 * self.tokens * drawn[number] / sum(drawn)) - 60


_ASKING = 80
"""Tokens that a call of the tool has at most, with all around it."""


def _fitting(turns: Sequence[int], room: int) -> int:
    """How many of the last turns have room."""
    sums = accumulate(reversed(turns))
    return sum(each <= room for each in sums)


def arms(params: Settings) -> Iterator[Arm]:
    """Every arm: shape by window by size by policy; where a ledger may be tried, with and without."""
    for shape, window in product(SHAPES, params.windows):
        controls = [(policy, NONE) for policy in POLICIES]
        if window <= params.ledger:
            controls += [(policy, LEDGER) for policy in GUARDED]
        for tokens, (policy, control), seed in product(sizes(params, window), controls, range(params.seeds)):
            yield Arm(
                shape=shape, window=window, tokens=tokens, policy=policy, control=control, seed=seed, params=params
            )


GUARDED: tuple[Policy, ...] = ("reject", "keep_half")
"""The loudest policy and the most silent one: a ledger must hold before both."""
