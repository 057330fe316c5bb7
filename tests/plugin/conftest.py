"""A project of a user's: a workflow whose loop has no end but the judge's word, and pytest settings that forgive nothing."""

from __future__ import annotations

import importlib

import anthropic  # noqa: F401  # pytester forgets what a run inside it imported; what is loaded before stays
import hypothesis  # noqa: F401
import pytest

import dissonance.faults
import dissonance.harness
import dissonance.reports  # noqa: F401

importlib.import_module("pandas.core.arrays.arrow.extension_types")  # which Arrow bears once a process

REVIEW = """
import asyncio

import anthropic

from dissonance.faults import At, RejectWork, Rule, When
from dissonance.harness import Limits

FEW = Limits(calls=30)
ENDLESS = [Rule(at=At(agent="judge"), fault=RejectWork())]
ONCE = [Rule(at=At(agent="judge"), when=When(call=1), fault=RejectWork())]
NOBODY = [Rule(at=At(agent="nobody"), fault=RejectWork())]


async def ask(client, system, text):
    message = await client.messages.create(
        model="claude-sonnet-4-6", max_tokens=200, system=system, messages=[{"role": "user", "content": text}]
    )
    return message.content[0].text


async def review(task):
    async with anthropic.AsyncAnthropic(api_key="none") as client:
        draft = await ask(client, "You are the writer.", task)
        while "APPROVE" not in await ask(client, "You are the judge. Respond with 'APPROVE' or 'REJECT'.", draft):
            await asyncio.sleep(5)
            draft = await ask(client, "You are the writer.", task + draft)
        return draft
"""

INI = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings =
    error
    # pytest takes the portions of the namespace package for modules of these names, which are here in `tests`
    ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning
pythonpath = .
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty folder with ``review.py`` and ``pytest.ini``."""
    pytester.makefile(".ini", pytest=INI)
    pytester.makepyfile(review=REVIEW)
    return pytester
