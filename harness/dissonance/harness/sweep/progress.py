"""How far a sweep is, and what it gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Progress", "Swept", "Told", "quiet"]


@dataclass(slots=True)
class Progress:
    """``done`` of ``total`` runs are acknowledged; ``verdicts`` counts them by their verdict, as far as they have one."""

    done: int
    total: int
    verdicts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.verdicts[name]} {name}" for name in sorted(self.verdicts))
        return counts or f"{self.done} done"


Told: TypeAlias = Callable[[Progress], None]


def quiet(progress: Progress) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A complete sweep. ``played`` of its ``runs`` were played now, the others were there; ``path`` is the table."""

    folder: Path
    path: Path
    runs: int
    played: int
    verdicts: dict[str, int]

    def table(self) -> pd.DataFrame:
        """All results, a row a run, in the order of their cases."""
        import pandas as pd

        return pd.read_parquet(self.path)
