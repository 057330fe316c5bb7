"""The models: limits, prices, life cycle, and the JSON of ``/v1/models``.

Sources, all read in November 2026: ids from the literals of the SDK (``anthropic.types.model``,
2.12); windows, maximum outputs and prices from the public pages *models overview* and *pricing*
and from LiteLLM's price file (1.109.1), which agree; retirement dates from the SDK's
``DEPRECATED_MODELS`` and the public page *model deprecations*. The state of things is that of
22 November 2026, whatever the date of the run.

An id that is not listed is taken as its dated alias (``claude-opus-4-6-20260205``) where it is one.
Any other ``claude-…`` gets the figures of the newest listed model of its line (else those of
``claude-opus-5-5``) and ``known=False``: the SDK takes any string, and a newer model must not break
a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from dissonance.harness.call import JsonObject, Reply, Usage

from .request import Request
from .table import error_reply, invalid_request

__all__ = ["Lifecycle", "ModelInfo", "Prices", "cost", "info", "model_card", "models_page", "models_reply"]

Lifecycle = Literal["active", "deprecated", "retired"]
Tokenizer = Literal["old", "new"]

_UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # what the API gives where a release date is not known


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens: input, output, written to the five-minute cache, read from the cache."""

    input: float
    output: float
    cache_write: float
    cache_read: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What the simulator knows of a model.

    ``window`` and ``max_output`` are in tokens. ``large`` are the prices of prompts of more than
    100,000 tokens, where they differ. ``version`` is the model's generation, ``(4, 6)`` for
    ``claude-opus-4-6``. ``known`` is False where no published figures were found.
    """

    id: str
    name: str
    window: int
    max_output: int
    prices: Prices
    large: Prices | None = None
    version: tuple[int, int]
    line: str | None
    tools_overhead: tuple[int, int]
    lifecycle: Lifecycle = "active"
    created: str = _UNKNOWN_DATE
    retires: str | None = None
    known: bool = True

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer's generation: Claude 4.7 brought a new one, which counts about 30 % more (public docs)."""
        return "old" if self.version <= (4, 6) else "new"

    @property
    def prefill(self) -> bool:
        """Whether the conversation may end with an assistant message: up to Claude 4.5 (public error reference)."""
        return self.version < (4, 6)

    @property
    def thinking(self) -> frozenset[str]:
        """The values of ``thinking.type`` that the model takes.

        A token budget (``enabled``) works up to 4.6, ``adaptive`` from 4.6; Opus 5.5 thinks always.
        That every model from 4.7 on refuses ``enabled`` is an inference from the docs' wording.
        """
        if self.line == "opus" and self.version >= (5, 5):
            return frozenset({"adaptive"})
        if self.version < (4, 6):
            return frozenset({"enabled", "disabled"})
        if self.version == (4, 6):
            return frozenset({"enabled", "adaptive", "disabled"})
        return frozenset({"adaptive", "disabled", "between_tools"})


_LARGE_PROMPT = 100_000  # tokens; only Haiku 5.5 has a second price tier
_M = 1_000_000
_MYTHOS = Prices(10, 50, 12.5, 1.0)
_OPUS = Prices(5, 25, 6.25, 0.5)
_SONNET = Prices(3, 15, 3.75, 0.3)

# System-prompt tokens that tools add, for tool_choice auto/none and for any/tool (public pricing page, August
# 2026). Those of Fable, Mythos and the 5.5 models were not found: they get those of Opus 5.
_OPUS_5 = (286, 406)
_OPUS_4_8 = (290, 410)
_OPUS_4_7 = (675, 804)
_SONNET_5 = (354, 474)
_FOUR_6 = (497, 589)
_FOUR_5 = (496, 588)


def _model(
    id: str,
    prices: Prices,
    overhead: tuple[int, int] = _OPUS_5,
    *,
    window: int = 1_000_000,
    max_output: int = 128_000,
    **more: Any,
) -> ModelInfo:
    line, version = _parse(id)
    return ModelInfo(
        id=id,
        name=_display(id),
        window=window,
        max_output=max_output,
        prices=prices,
        version=version,
        line=line,
        tools_overhead=overhead,
        **more,
    )


def _parse(id: str) -> tuple[str | None, tuple[int, int]]:
    """The line and the generation in an id; what names no generation counts as the newest."""
    found = re.match(r"claude-(haiku|sonnet|opus|fable|mythos)(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:-|$)", id)
    if found is None:
        return None, (5, 5)
    line, major, minor = found.groups()
    return line, (int(major or 5), int(minor or 0))


def _display(id: str) -> str:
    words = [word for word in id.split("-") if not re.fullmatch(r"\d{8}", word)]
    name = " ".join(word.capitalize() for word in words)
    return re.sub(r"(\d) (\d)", r"\1.\2", name)


def _four_five(id: str, prices: Prices, **more: Any) -> ModelInfo:
    return _model(id, prices, _FOUR_5, window=200_000, max_output=64_000, **more)


_SONNET_4_5: dict[str, Any] = {
    "lifecycle": "deprecated",
    "created": "2025-09-29T00:00:00Z",
    "retires": "2026-11-30T00:00:00Z",
}

# Newest first in each line: the first of a line stands in for its unlisted members.
_LISTED: tuple[ModelInfo, ...] = (
    _model("claude-fable-5-2", Prices(10, 50, 12.5, 0.25), known=False),
    _model("claude-mythos-5-2", Prices(10, 50, 12.5, 0.25), known=False),
    _model("claude-opus-5-5", Prices(4, 20, 5, 0.2)),
    _model("claude-sonnet-5-5", Prices(2, 10, 2.5, 0.1)),
    _model(
        "claude-haiku-5-5",
        Prices(0.1, 0.5, 0.125, 0.01),
        large=Prices(0.5, 2.5, 0.625, 0.05),
        created="2026-10-07T00:00:00Z",
    ),
    _model("claude-fable-5-1", Prices(10, 50, 12.5, 0.25), created="2026-09-01T00:00:00Z"),
    _model("claude-mythos-5-1", Prices(10, 50, 12.5, 0.25), created="2026-09-01T00:00:00Z"),
    _model("claude-opus-5", _OPUS, created="2026-07-24T00:00:00Z"),
    _model("claude-sonnet-5", Prices(2, 10, 2.5, 0.2), _SONNET_5, created="2026-06-30T00:00:00Z"),
    _model("claude-fable-5", _MYTHOS, created="2026-06-09T00:00:00Z"),
    _model("claude-mythos-5", _MYTHOS, created="2026-06-09T00:00:00Z"),
    _model("claude-mythos-preview", _MYTHOS, lifecycle="deprecated", retires="2026-06-30T00:00:00Z"),
    _model("claude-opus-4-8", _OPUS, _OPUS_4_8),
    _model("claude-opus-4-7", _OPUS, _OPUS_4_7),
    _model("claude-opus-4-6", _OPUS, _FOUR_6),
    _model("claude-sonnet-4-6", _SONNET, _FOUR_6),
    _four_five("claude-opus-4-5", _OPUS, created="2025-11-01T00:00:00Z"),
    _four_five("claude-opus-4-5-20251101", _OPUS, created="2025-11-01T00:00:00Z"),
    _four_five("claude-haiku-4-5", Prices(1, 5, 1.25, 0.1), created="2025-10-01T00:00:00Z"),
    _four_five("claude-haiku-4-5-20251001", Prices(1, 5, 1.25, 0.1), created="2025-10-01T00:00:00Z"),
    _four_five("claude-sonnet-4-5", _SONNET, **_SONNET_4_5),
    _four_five("claude-sonnet-4-5-20250929", _SONNET, **_SONNET_4_5),
)
_BY_ID = {model.id: model for model in _LISTED}

_RETIRED: tuple[tuple[str, str], ...] = (
    ("claude-opus-4-1", "2026-08-05"),
    ("claude-opus-4-1-20250805", "2026-08-05"),
    ("claude-opus-4-0", "2026-06-15"),
    ("claude-opus-4-20250514", "2026-06-15"),
    ("claude-sonnet-4-0", "2026-06-15"),
    ("claude-sonnet-4-20250514", "2026-06-15"),
    ("claude-3-haiku-20240307", "2026-04-20"),
    ("claude-3-7-sonnet-20250219", "2026-02-19"),
    ("claude-3-7-sonnet-latest", "2026-02-19"),
    ("claude-3-5-haiku-20241022", "2026-02-19"),
    ("claude-3-5-haiku-latest", "2026-02-19"),
    ("claude-3-opus-20240229", "2026-01-05"),
    ("claude-3-sonnet-20240229", "2025-07-21"),
    ("claude-2.1", "2025-07-21"),
    ("claude-2.0", "2025-07-21"),
    ("claude-1.3", "2024-11-06"),
    ("claude-instant-1.2", "2024-11-06"),
)
_RETIRED_FAMILY = re.compile(r"claude-(?:instant|1|2|3)(?:[-.]|$)")


@lru_cache(maxsize=1024)
def info(model: str) -> ModelInfo:
    """What is known of this model; see the module's docstring for ids that are not listed.

    >>> info("claude-haiku-4-5").window, info("claude-opus-4-6-20260205").known, info("claude-haiku-9").known
    (200000, True, False)
    """
    listed = _BY_ID.get(model) or _BY_ID.get(re.sub(r"-\d{8}$", "", model))
    if listed is not None:
        return listed if listed.id == model else replace(listed, id=model)
    retired = dict(_RETIRED).get(model)
    line, version = _parse(model)
    newest = next((known for known in _LISTED if known.line == line), _BY_ID["claude-opus-5-5"])
    guess = replace(newest, id=model, name=_display(model), version=version, line=line, created=_UNKNOWN_DATE)
    if retired is not None or _RETIRED_FAMILY.match(model):
        day = None if retired is None else f"{retired}T00:00:00Z"
        return replace(guess, lifecycle="retired", retires=day, known=False)
    return replace(guess, lifecycle="active", retires=None, known=False)


def cost(usage: Usage, model: str) -> float:
    """What this usage is billed at, in US dollars (standard tier, five-minute cache, no batch discount).

    >>> cost(Usage(input_tokens=1_000_000, output_tokens=100_000), "claude-sonnet-4-6")
    4.5
    """
    known = info(model)
    prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    prices = known.large if known.large is not None and prompt > _LARGE_PROMPT else known.prices
    dollars = (
        usage.input_tokens * prices.input
        + usage.output_tokens * prices.output
        + usage.cache_creation_input_tokens * prices.cache_write
        + usage.cache_read_input_tokens * prices.cache_read
    )
    return dollars / _M


# --- /v1/models -------------------------------------------------------------------------------


def models_reply(request: Request) -> Reply:
    """The answer to a request of the endpoint ``models``: a page, or one model's card (404 for an unknown id)."""
    query = request.body
    if "id" in query:
        card = model_card(str(query["id"]))
        return Reply(body=card) if card else error_reply(404, message=f"model: {query['id']}")
    limit = str(query.get("limit", "20"))
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        return invalid_request("limit: Input should be an integer from 1 to 1000")
    stages = query.get("lifecycle", ("active", "deprecated"))
    page = models_page(int(limit), after=query.get("after_id"), before=query.get("before_id"), lifecycle=stages)
    return Reply(body=page)


def models_page(
    limit: int = 20,
    *,
    after: str | None = None,
    before: str | None = None,
    lifecycle: Iterable[str] = ("active", "deprecated"),
) -> JsonObject:
    """A page of the catalogue, newest first; ``after`` and ``before`` are model ids that bound it, themselves excluded."""
    stages = set(lifecycle)
    ids = [model.id for model in _LISTED] + [id for id, _ in _RETIRED]
    ids = [id for id in ids if info(id).lifecycle in stages]
    if after in ids:
        ids = ids[ids.index(after) + 1 :]
    if before in ids:
        ids = ids[: ids.index(before)]
        page, more = ids[-limit:], len(ids) > limit
    else:
        page, more = ids[:limit], len(ids) > limit
    return {
        "data": [_card(info(id)) for id in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def model_card(id: str) -> JsonObject | None:
    """One model as the API describes it; None for an id that is not in the catalogue."""
    model = info(id)
    return _card(model) if id in _BY_ID or id in dict(_RETIRED) or model.known else None


def _card(model: ModelInfo) -> dict[str, Any]:
    figures = model.known or model.lifecycle != "retired"
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": model.created,
        "lifecycle": model.lifecycle,
        "deprecated_at": None,
        "retires_at": model.retires,
        "line": model.line,
        "max_input_tokens": model.window if figures else None,
        "max_tokens": model.max_output if figures else None,
        "capabilities": None,
    }
