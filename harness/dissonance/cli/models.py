"""``--model``: who answers, named on the command line.

==============================  ======================================================================================
``gullible[:K]``                the default; adds K derived claims to each planted one
``skeptical:C[:I]``             corrects what the bank of facts knows to be false with probability C, invents with I
``recorded:PATH``               says again what is in a cassette's file, or in the folder of a run without faults
``live:USD[:MODEL]``            the real API, for so many US dollars in all; MODEL in place of the workflow's own
``PLACE:NAME``                  a model in Python, or what makes one: ``module:name`` or ``path/to/file.py:name``
==============================  ======================================================================================
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dissonance.faults.facts import facts
from dissonance.harness import Gullible, Live, LiveModel, Model, Recorded, Skeptical, load_run
from dissonance.harness.errors import BadInput
from dissonance.harness.models.cassette import Cassette
from dissonance.harness.models.live import API

from .target import load_named, read_target

__all__ = ["Answering", "new_ledger", "read_model"]

_FORMS = (
    "give gullible[:K], skeptical:CORRECTION, recorded:PATH, live:USD[:MODEL], or file.py:NAME of a model in Python"
)


@dataclass(frozen=True, kw_only=True)
class Answering:
    """A model by its words, made in each process that needs it: :meth:`load`.

    ``base_url`` is the real API's, ``ledger`` the file in which all these processes count what they spend there.
    """

    text: str = "gullible"
    base_url: str = API
    ledger: Path | None = None

    @property
    def live(self) -> bool:
        """Whether it costs money."""
        return self.text.partition(":")[0] == "live"

    def load(self) -> Model | LiveModel:
        """The model; in one process always the same. Raises BadInput."""
        return _loaded(self)

    def describe(self) -> dict[str, Any]:
        """Its words."""
        return {"name": self.text}


def read_model(text: str | None, ledger: Path | None = None) -> Answering:
    """What ``--model`` names, looked at but for a user's own code, which is not imported here. Raises BadInput."""
    answering = Answering(text=text or "gullible", base_url=os.environ.get("ANTHROPIC_BASE_URL") or API, ledger=ledger)
    kind, _, rest = answering.text.partition(":")
    if kind == "live":
        _live(answering, rest, ledger=None).close()
    elif kind in _MADE:
        _MADE[kind](rest, answering.text)
    else:
        _target(answering.text)
    return answering


def new_ledger(folder: Path) -> Path:
    """The file in this folder in which a command counts what it spends, once it spends anything; emptied."""
    ledger = folder / "spent"
    with suppress(OSError):  # what cannot be used is told when it is
        ledger.unlink(missing_ok=True)
    return ledger


@lru_cache(maxsize=8)
def _loaded(answering: Answering) -> Model | LiveModel:
    kind, _, rest = answering.text.partition(":")
    if kind == "live":
        return _live(answering, rest, answering.ledger)
    if kind in _MADE:
        return _MADE[kind](rest, answering.text)
    return _from_python(answering.text)


# --- by name ----------------------------------------------------------------------------------


def _gullible(rest: str, text: str) -> Model:
    if rest and not rest.isdigit():
        raise _refused(text, f"{rest!r} is no whole number of derived claims")
    return Gullible(elaborate=int(rest or 0))


def _skeptical(rest: str, text: str) -> Model:
    correction, _, invention = rest.partition(":")
    return Skeptical(facts(), _number(correction, text), _number(invention or "0", text))


def _recorded(rest: str, text: str) -> Model:
    if not rest:
        raise _refused(text, "recorded names no file")
    if not Path(rest).is_dir():
        return Recorded(rest)
    run = load_run(rest)
    if run.plan:
        raise BadInput(f"--model {text!r}: the replies of this run carry its faults; give a run without a plan")
    return Recorded(Cassette(Cassette.of(run.history).takes, rest))


def _live(answering: Answering, rest: str, ledger: Path | None) -> Live:
    usd, _, model = rest.partition(":")
    if not usd:
        raise _refused(answering.text, "live needs a spending limit in US dollars, as live:0.50")
    dollars = _number(usd, answering.text)
    return Live(usd=dollars, ledger=ledger, model=model or None, base_url=answering.base_url)


_MADE = {"gullible": _gullible, "skeptical": _skeptical, "recorded": _recorded}


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _refused(whole, f"{text!r} is no number") from None


def _refused(text: str, why: str) -> BadInput:
    return BadInput(f"--model {text!r}: {why}; {_FORMS}")


# --- in Python --------------------------------------------------------------------------------


def _target(text: str) -> Any:
    try:
        return read_target(text)
    except BadInput as error:
        if ":" not in text:
            raise _refused(text, "there is no model of this name") from None
        raise BadInput(f"--model: {error}") from None


def _from_python(text: str) -> Model | LiveModel:
    try:
        found = load_named(_target(text))
    except BadInput as error:
        raise BadInput(f"--model: {error}") from None
    made = found if isinstance(found, Model | LiveModel) and not isinstance(found, type) else _called(found, text)
    if not isinstance(made, Model | LiveModel):
        raise _refused(text, f"{made!r} has no reply() and describe()")
    return made


def _called(maker: Any, text: str) -> object:
    if not callable(maker):
        return maker
    try:
        return maker()
    except Exception as error:
        raise _refused(text, f"it cannot be made: {type(error).__name__}: {error}") from None
