from __future__ import annotations

import pytest

from dissonance.harness.world import kernel
from dissonance.harness.world.outside import Outside


@pytest.fixture(autouse=True)
def short_real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The world waits in real time for threads outside it; here none of them needs long."""
    monkeypatch.setattr(kernel, "FOREIGN_GRACE", 0.02)
    monkeypatch.setattr(Outside, "PATIENCE", 0.05)
