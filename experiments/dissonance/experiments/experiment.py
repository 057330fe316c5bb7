"""What an experiment is: a question, typed parameters, a run, and a section of the report.

An experiment's module holds one instance called ``EXPERIMENT``; ``registry`` finds it by the module's
name, and ``script`` runs it from the command line.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dissonance.harness.errors import BadInput
from dissonance.reports import Download, Finding, Section

from .journal import Journal
from .oracles import Held
from .pieces import Piece, Progress, play, quiet
from .worst import Worst

__all__ = ["Experiment", "Params", "Progress", "Result", "Size", "quiet"]

Size: TypeAlias = Literal["quick", "default", "full"]


class Params(BaseModel):
    """An experiment's parameters: frozen, no unknown field. ``seeds`` (from 1) is the number of runs of each arm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(default=5, ge=1)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured: ``table``, tidy, a row a run; ``held``, the figures that have a closed form, beside it.

    ``sampled`` counts the runs that stand in ``held`` alone.
    """

    table: pd.DataFrame
    sampled: int = 0
    held: Sequence[Held] = ()


P = TypeVar("P", bound=Params)
R = TypeVar("R", bound=Result)


class Experiment(ABC, Generic[P, R]):
    """One question, answered by runs. Pure: equal parameters give equal results."""

    name: ClassVar[str]
    """The module's name, by which ``dissonance run`` knows it."""
    question: ClassVar[str]
    asked: ClassVar[bool] = False
    """Whether it is run only when it is named, or with ``--full``: it takes longer than the others together."""

    @abstractmethod
    def preset(self, size: Size) -> P:
        """The parameters of this size."""

    @abstractmethod
    def pieces(self, params: P) -> Sequence[Piece]:
        """All runs, in pieces that are independent of each other (see ``pieces``)."""

    @abstractmethod
    def gather(self, params: P, measured: Sequence[Any]) -> R:
        """The result, from what each piece measured, in their order."""

    def run(self, params: P, progress: Progress = quiet, *, workers: int = 1, journal: Journal | None = None) -> R:
        """Make all runs: equal parameters give equal results, whatever the number of ``workers`` (processes)."""
        return self.gather(params, play(self.pieces(params), progress=progress, workers=workers, journal=journal))

    @abstractmethod
    def section(self, result: R) -> Section:
        """The result as a section of the report."""

    @abstractmethod
    def findings(self, result: R) -> Sequence[Finding]:
        """One sentence a finding, the worst first."""

    def worst(self, params: P, result: R) -> Sequence[Worst]:
        """The runs that are kept: stored beside the page, shown in the section, replayable (see ``worst``)."""
        return ()

    def downloads(self, result: R) -> Sequence[Download]:
        """Files that stand in the page, as plans to replay."""
        return ()

    def replay(self, params: P) -> str:
        """The command line that makes the same runs: the size that is nearest, and what differs from it."""
        presets: dict[Size, P] = {size: self.preset(size) for size in ("default", "quick", "full")}
        changed = {
            size: {name: value for name, value in params if value != getattr(preset, name)}
            for size, preset in presets.items()
        }
        nearest = min(changed, key=lambda size: len(changed[size].keys() - {"seeds"}))
        line = f"dissonance run {self.name}{'' if nearest == 'default' else ' --' + nearest}"
        for name, value in changed[nearest].items():
            line += f" --seeds {value}" if name == "seeds" else f" --set {quote(f'{name}={json.dumps(value)}')}"
        return line

    def params(self, size: Size = "default", **changes: Any) -> P:
        """The parameters of a size with some of them changed; None means unchanged.

        :raises BadInput: a parameter is unknown or out of range.
        """
        base = self.preset(size)
        given = {name: value for name, value in changes.items() if value is not None}
        try:
            return type(base).model_validate(base.model_dump() | given)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            known = ", ".join(type(base).model_fields)
            raise BadInput(
                f"{self.name}: {where}={problem['input']!r}: {problem['msg']}; its parameters are {known}"
            ) from None
