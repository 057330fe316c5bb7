"""The runs that an experiment keeps: stored in the report's folder, shown in its section, and replayable.

The mass of runs leaves rows and nothing else. Of a few, most often the worst, an experiment's ``worst``
gives the piece; it is played once more, into ``runs/<experiment>-<name>`` beside the page. The folder says
which experiment, which parameters and which piece made it, so that ``dissonance replay`` of it makes the
same run from nothing else, and compares the two event by event.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Protocol

from dissonance.harness import Run, load_run
from dissonance.harness.errors import BadInput
from dissonance.harness.store import shown
from dissonance.reports import Block, Note, diagrams, plan_in_short
from dissonance.reports.words import slug

if TYPE_CHECKING:
    from .experiment import Experiment, Params

__all__ = ["NOTE", "Playable", "Worst", "again", "blocks_of", "folder_of", "keep"]

NOTE = "experiment"
"""The key, in a stored run's notes, of what made it."""


class Playable(Protocol):
    """A piece of which one run can be made again."""

    def played(self, **how: Any) -> Run:
        """The run, made by ``run(…, **how)``: ``how`` gives ``store`` and ``notes``, and wins over the piece's own."""


@dataclass(frozen=True, kw_only=True)
class Worst:
    """A run to keep. ``name`` tells it from the experiment's others; ``title`` stands above its diagram.

    ``shown``: whether it has a diagram in the page; of very many, most are only kept.
    """

    name: str
    title: str
    piece: Playable
    shown: bool = True


def keep(one: Experiment[Any, Any], params: Params, worst: Worst, store: Path) -> Run:
    """Play this piece into its folder below ``store``, in place of what an earlier call put there."""
    place = _place(one, params, worst.piece)
    path = store / folder_of(one.name, worst.name)
    _refuse_what_is_not_ours(path)
    made = {"name": one.name, "params": params.model_dump(mode="json"), "piece": place}
    beside = store / f".{path.name}"
    shutil.rmtree(beside, ignore_errors=True)  # of a call that was killed
    alone = {} if worst.shown else {"baseline": False}  # it stands beside nothing
    run = worst.piece.played(store=beside, notes={NOTE: made}, **alone)
    assert run.path is not None, f"{worst.piece!r} does not hand on `store`"
    shutil.rmtree(path, ignore_errors=True)
    run.path.rename(path)
    shutil.rmtree(beside)
    run.path, run.replay_line = path, f"dissonance replay {quote(shown(path))}"
    return run


def folder_of(experiment: str, name: str) -> str:
    """The name of the folder in which the run of this name is kept."""
    return f"{slug(experiment)}-{slug(name)}"


def again(folder: Path) -> tuple[Run, Run]:
    """The kept run, and the same piece played again, in memory.

    :raises BadInput: the folder is none that :func:`keep` made, or another version of the experiment made it.
    """
    from .registry import find

    kept = load_run(folder)
    made = kept.notes.get(NOTE)
    if not isinstance(made, dict):
        raise BadInput(f"{str(folder)!r} was not kept by an experiment; give the folder of a run that a report names")
    one = find(str(made.get("name")))
    pieces = one.pieces(one.params(**made.get("params", {})))
    place = made.get("piece")
    if not isinstance(place, int) or not 0 <= place < len(pieces):
        raise BadInput(f"{str(folder)!r}: {one.name} has no piece {place!r}; another version made it: run it again")
    piece: Any = pieces[place]
    return kept, piece.played(store=None)


def blocks_of(one: Experiment[Any, Any], worst: Worst, run: Run) -> list[Block]:
    """A kept run in its experiment's section: the plan in words, the replay line, the space-time diagram."""
    told = plan_in_short(run.plan) if run.plan else "No fault was injected."
    note = Note(heading=worst.title, text=told, replay=run.replay_line or "")
    return [note, *diagrams(f"{slug(one.name)}-{slug(worst.name)}", run)]


def _place(one: Experiment[Any, Any], params: Params, piece: Playable) -> int:
    pieces: list[object] = list(one.pieces(params))
    assert piece in pieces, f"{piece!r} is not among the pieces of {one.name}"
    return pieces.index(piece)


def _refuse_what_is_not_ours(path: Path) -> None:
    if not path.exists():
        return
    try:
        ours = NOTE in json.loads((path / "run.json").read_bytes())["notes"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise BadInput(f"{str(path)!r} is there and holds no run of an experiment; move it, or choose another --out")
