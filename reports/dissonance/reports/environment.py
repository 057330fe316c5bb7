"""What a report was made with: versions, nothing that names a machine or a person."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

__all__ = ["environment"]

PACKAGES = ("dissonance", "anthropic", "httpx2", "httpx", "pydantic", "tiktoken", "pandas", "numpy", "matplotlib")


def environment(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Python, the operating system's name, and the version of each package that is installed."""
    found = {"python": platform.python_version(), "system": platform.system()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
