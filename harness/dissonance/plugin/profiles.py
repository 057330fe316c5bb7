"""``--dissonance-profile``: how thoroughly a session looks, and what may differ from one to the next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["PROFILES", "Profile", "load_settings", "seed_of"]


@dataclass(frozen=True)
class Profile:
    """``runs`` of each test that takes the fixture; ``examples`` of each test under ``@given``; ``varied``: a new seed each time."""

    runs: int
    examples: int
    varied: bool


PROFILES = {
    "ci": Profile(runs=1, examples=100, varied=False),
    "staging": Profile(runs=3, examples=300, varied=True),
    "soak": Profile(runs=25, examples=5000, varied=True),
}


def load_settings(name: str, examples: int, varied: bool) -> None:
    """Make these Hypothesis's settings: without a deadline, because the time that counts is virtual.

    A test's own ``@settings`` go first.
    """
    import hypothesis

    hypothesis.settings.register_profile(
        f"dissonance-{name}",
        max_examples=examples,
        deadline=None,
        derandomize=not varied,
        print_blob=varied,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        **({} if varied else {"database": None}),
    )
    hypothesis.settings.load_profile(f"dissonance-{name}")


def seed_of(base: int, test: str, repetition: int) -> int:
    """The seed of a test: a function of the session's seed and the test's name, whichever worker runs it."""
    data = f"{base}\n{test}\n{repetition}".encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=4).digest(), "big")
