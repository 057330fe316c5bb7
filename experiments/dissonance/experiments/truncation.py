"""What is lost when a state outgrows its window, and who notices?

A real agent answers from a state with needles (instructions, facts, results of tools) at ten depths: all in one
message, or most of it in the results of its tools. The state fills a quarter to twice the window, under each policy
that real systems have. The model answers with the needles that are before it, so that what was lost is read off the
answer; and with a token ledger, what compaction keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pandas as pd

from dissonance.harness.checks.verdict import worst
from dissonance.reports import Finding, Note, Section

from ._overflow_page import ADVICE, by_depth, by_size, kept_table, ledger, noticed, silent, who_notices
from ._overflowing import MOST, NONE, PAGES, Settings, Truncation, arms
from ._telling import closed_forms, tier_of, trusted
from .experiment import Experiment, Size
from .oracles import Held, held_exact
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "Settings", "Truncation", "TruncationLoss"]

_BY_INPUT = (
    "reject",
    "drop_oldest",
    "drop_oldest_and_system",
    "drop_middle",
    "keep_half",
    "keep_tail",
    "clear_tool_results",
)
"""The policies that leave a prompt alone as long as it fits, whatever its answer's size and its number of messages."""

_LAWS = (
    "Ollama's runner keeps all of a prompt that fits, else W - (W - k)/2 tokens of a window W: the first k = 4 and the rest "
    "from the end (160,689 tokens sent to a window of 32,768 were read as 16,387: ollama/ollama issues 17427, 3839 and 10980). "
    "Sizes here are estimates in whole tokens: each of the two cut ends may be up to two tokens short. Where whole messages are dropped, "
    "the pages that stay are the last ones that have room."
)


class TruncationLoss(Experiment[Settings, Truncation]):
    """States by size and shape, under each policy, without and with a ledger."""

    name: ClassVar[str] = "truncation"
    question: ClassVar[str] = "What is lost when a state outgrows the context window, and who notices?"

    def preset(self, size: Size) -> Settings:
        """``quick``: one window, four fills, one seed; ``full``: a window of a million tokens too, five seeds."""
        if size == "quick":
            return Settings(seeds=1, windows=(32_768,), shares=(0.5, 1.0, 1.5, 2.0), tokens=(100_000,))
        return Settings(seeds=5, windows=(32_768, 200_000, 1_000_000)) if size == "full" else Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The arms."""
        return list(arms(params))

    def gather(self, params: Settings, measured: Sequence[Any]) -> Truncation:
        """A row an arm, and the laws of what is dropped."""
        table = pd.DataFrame(measured)
        return Truncation(table=table, settings=params, held=list(_held(table)))

    def findings(self, result: Truncation) -> list[Finding]:
        """How silent losses are, who notices, what a ledger keeps, and whether to trust it."""
        trust = trusted(result.held, tier_of(result.table), of="overflowing states")
        return [silent(result), noticed(result), ledger(result), trust]

    def section(self, result: Truncation) -> Section:
        """Policy by size, what is lost by depth, who notices, the table, and the closed forms."""
        needed = [noticed(result), ledger(result), trusted(result.held)]
        return Section(
            name="truncation",
            title="Silent truncation",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=f"{ledger(result).sentence} {silent(result).sentence}",
                tier=tier_of(result.table),
                replay=self.replay(result.settings),
            ),
            blocks=[
                by_size(result),
                by_depth(result),
                who_notices(result),
                kept_table(result),
                Note(heading="Against what real systems drop", text=_LAWS),
                closed_forms("truncation-closed-forms", result.held, "Overflowing states"),
            ],
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Truncation) -> list[Worst]:
        """The silent run that lost most."""
        places = result.table[result.table["answered"] & (result.table["control"] == NONE)].sort_values(
            ["kept", "tokens"], kind="stable"
        )
        if places.empty or places["kept"].iloc[0] == 1:
            return []
        piece = list(arms(params))[int(places.index[0])]
        return [Worst(name="silent", title="An answer without most of what it had to know", piece=piece)]


# --- laws -------------------------------------------------------------------------------------


def _held(table: pd.DataFrame) -> Iterator[Held]:
    bare = table[table["control"] == NONE]
    fits = bare[(bare["sent"] <= bare["window"]) & (bare["tokens"] <= bare["window"]) & bare["policy"].isin(_BY_INPUT)]
    fits = fits[fits["sent"] <= MOST]
    if len(fits):
        yield held_exact("needles kept where the state fits", "all of it", fits["kept"].tolist(), 1)
    for window in sorted(set(bare["window"])):
        half = bare[(bare["policy"] == "keep_half") & (bare["window"] == window) & (bare["sent"] > window)]
        law = window - (window - 4) // 2
        if len(half):
            yield _within(f"tokens read of a window of {window:,}: keep half", "W - (W - 4)/2", half["read"], law, 4)
        tail = bare[(bare["policy"] == "keep_tail") & (bare["window"] == window) & (bare["sent"] > window)]
        if len(tail):
            yield _within(f"tokens read of a window of {window:,}: keep tail", "W", tail["read"], window, 4)
    over = bare[(bare["policy"] == "reject") & (bare["tokens"] > bare["window"])]
    if len(over):
        yield held_exact("answers to prompts over the window: reject", "none", over["answered"].astype(int).tolist(), 0)
    yield from _dropped(bare)


def _within(figure: str, formula: str, read: Any, law: int, short: int) -> Held:
    """The figure furthest from the law, which may be as many tokens short as its ends are rounded."""
    worst = max(read.tolist(), key=lambda each: abs(each - law))
    return Held(figure=figure, formula=formula, expected=law, simulated=worst, low=law - short, high=law, n=len(read))


def _dropped(bare: pd.DataFrame) -> Iterator[Held]:
    runs = bare[(bare["policy"] == "drop_oldest") & (bare["shape"] == "tool results") & (bare["sent"] > bare["window"])]
    for _, run in runs.iterrows():
        yield Held(
            figure=f"pages left of {PAGES}: {run['share']:.0%} of a window of {run['window']:,}, seed {run['seed']}".replace(
                "%", " %"
            ),
            formula="the last that have room",
            expected=run["fit_least"],
            simulated=run["tool_result"].count("+"),
            low=run["fit_least"],
            high=run["fit_most"],
            n=1,
        )


EXPERIMENT = TruncationLoss()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
