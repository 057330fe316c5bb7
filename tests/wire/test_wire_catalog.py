"""Models: limits, prices, life cycle, /v1/models."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from anthropic.types import ModelInfo as SdkModelInfo
from anthropic.types.model import Model

from dissonance.harness.call import ApiError, Reply, Usage
from dissonance.harness.wire.catalog import Prices, cost, info, model_card, models_page, models_reply
from dissonance.harness.wire.request import Request

SDK_MODELS = get_args(get_args(Model)[0])


@pytest.mark.parametrize("id", SDK_MODELS)
def test_every_model_of_the_sdk_is_in_the_catalogue(id: str) -> None:
    assert model_card(id) is not None and info(id).lifecycle != "retired"


@pytest.mark.parametrize(
    ("id", "window", "max_output", "tokenizer", "prefill", "thinking"),
    [
        ("claude-haiku-4-5", 200_000, 64_000, "old", True, {"enabled", "disabled"}),
        ("claude-sonnet-4-6", 1_000_000, 128_000, "old", False, {"enabled", "adaptive", "disabled"}),
        ("claude-opus-4-7", 1_000_000, 128_000, "new", False, {"adaptive", "disabled", "between_tools"}),
        ("claude-opus-5-5", 1_000_000, 128_000, "new", False, {"adaptive"}),
        ("claude-mythos-preview", 1_000_000, 128_000, "new", False, {"adaptive", "disabled", "between_tools"}),
    ],
)
def test_generations_differ(
    id: str, window: int, max_output: int, tokenizer: str, prefill: bool, thinking: set[str]
) -> None:
    model = info(id)
    assert (model.window, model.max_output) == (window, max_output)
    assert (str(model.tokenizer), model.prefill, set(model.thinking)) == (tokenizer, prefill, thinking)


@pytest.mark.parametrize(
    ("id", "lifecycle", "known", "prices"),
    [
        pytest.param("claude-opus-4-6-20260205", "active", True, Prices(5, 25, 6.25, 0.5), id="dated alias"),
        pytest.param("claude-haiku-9", "active", False, Prices(0.1, 0.5, 0.125, 0.01), id="newest of its line"),
        pytest.param("claude-sonata-6", "active", False, Prices(4, 20, 5, 0.2), id="unknown line"),
        pytest.param("claude-fable-5-2", "active", False, Prices(10, 50, 12.5, 0.25), id="no page found"),
        pytest.param("claude-sonnet-4-5", "deprecated", True, Prices(3, 15, 3.75, 0.3), id="deprecated"),
        pytest.param("claude-opus-4-1-20250805", "retired", False, Prices(4, 20, 5, 0.2), id="retired"),
        pytest.param("claude-3-5-sonnet-20240620", "retired", False, Prices(4, 20, 5, 0.2), id="retired family"),
    ],
)
def test_ids_that_are_not_listed(id: str, lifecycle: str, known: bool, prices: Prices) -> None:
    model = info(id)
    assert (model.id, model.lifecycle, model.known, model.prices) == (id, lifecycle, known, prices)


@pytest.mark.parametrize(
    ("usage", "model", "usd"),
    [
        pytest.param(Usage(1_000_000, 1_000_000), "claude-opus-5-5", 24.0, id="in and out"),
        pytest.param(Usage(0, 0, 1_000_000, 1_000_000), "claude-opus-5", 6.75, id="cache"),
        pytest.param(Usage(100_000, 0), "claude-haiku-5-5", 0.01, id="small prompt"),
        pytest.param(Usage(100_001, 0), "claude-haiku-5-5", 0.0500005, id="large prompt"),
        pytest.param(Usage(1, 1_000_000, 0, 100_000), "claude-haiku-5-5", 2.5050005, id="cache counts as prompt"),
    ],
)
def test_costs(usage: Usage, model: str, usd: float) -> None:
    assert cost(usage, model) == pytest.approx(usd, rel=1e-12)


def models(**query: Any) -> Reply:
    return models_reply(Request("models", query, {}, 0, "2026-10-21"))


def ids(page: Any) -> list[str]:
    return [model["id"] for model in page["data"]]


def test_every_card_parses_with_the_sdks_type() -> None:
    page = models_page(1000, lifecycle=["active", "deprecated", "retired"])
    cards = [SdkModelInfo.model_validate(card) for card in page["data"]]
    assert [card.id for card in cards][:1] == ["claude-fable-5-2"] and len(cards) == len(SDK_MODELS) + 17


def test_a_card_says_what_the_model_takes() -> None:
    assert model_card("claude-haiku-4-5-20251001") == {
        "type": "model",
        "id": "claude-haiku-4-5-20251001",
        "display_name": "Claude Haiku 4.5",
        "created_at": "2025-10-01T00:00:00Z",
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": "haiku",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "capabilities": None,
    }


def test_pages_follow_one_another() -> None:
    whole = ids(models_page(1000))
    first = models_page(5)
    second = models_page(5, after=first["last_id"])
    back = models_page(5, before=second["first_id"])
    assert ids(first) + ids(second) == whole[:10]
    assert back == {**first, "has_more": False}
    assert (first["has_more"], models_page(1000)["has_more"]) == (True, False)


def test_retired_models_are_listed_on_request_only() -> None:
    assert "claude-opus-4-1" not in ids(models_page(1000))
    assert "claude-opus-4-1" in ids(models(limit="1000", lifecycle=["retired"]).body)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"id": "gpt-9"}, 404, "model: gpt-9"),
        ({"id": "claude-next-1"}, 404, "model: claude-next-1"),
        ({"limit": "0"}, 400, "limit: Input should be an integer from 1 to 1000"),
        ({"limit": "ten"}, 400, "limit: Input should be an integer from 1 to 1000"),
    ],
)
def test_bad_model_requests(query: dict[str, str], status: int, message: str) -> None:
    reply = models(**query)
    assert isinstance(reply.body, ApiError)
    assert (reply.status, reply.body.message) == (status, message)
