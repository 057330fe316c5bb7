"""The human of a workflow: what is asked, what is answered, and a reviewer who follows a script.

A human is anything with ``async ask(request) -> answer``. A request has ``id``, ``summary``, ``action``
(JSON), ``reason`` and ``deadline`` (seconds from the ask, or None); an answer has ``decision``, ``value``,
``comment`` and ``by``. :class:`Ask` and :class:`Answer` are such; a workflow may use classes of its own. Where a
request has ``async submit(answer)``, that is the door through which further answers arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, final

from .errors import BadInput, ScriptExhausted

__all__ = ["After", "Answer", "Ask", "Entry", "ScriptedHuman", "Seen", "ask_of", "never"]

Decision: TypeAlias = Literal["approve", "edit", "reject"]
_DECISIONS = ("approve", "edit", "reject")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a human. ``ordinal`` counts requests from 1; one asked again has the same and another ``attempt``."""

    id: str
    summary: str = ""
    action: Any = None
    reason: str = ""
    deadline: float | None = None
    ordinal: int = 1
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A human's answer; ``value`` is the edited action. Raises BadInput for a decision that is none."""

    decision: Decision
    value: Any = None
    comment: str = ""
    by: str = "reviewer"

    def __post_init__(self) -> None:
        if self.decision not in _DECISIONS:
            raise BadInput(f"Answer(decision={self.decision!r}): give one of {', '.join(_DECISIONS)}")


class After(NamedTuple):
    """An answer, and when it comes: so many seconds after the ask."""

    seconds: float
    answer: Any


Entry: TypeAlias = "Answer | After | tuple[Answer | After, ...] | None"
"""What becomes of one request: an answer, several of them in a tuple, or None, which is never."""

Script: TypeAlias = "Entry | list[Entry] | Callable[[Ask], Entry]"


@final
class ScriptedHuman:
    """A reviewer who answers by a script, each time ``seconds`` after the ask where the script says no time.

    ``script`` is one entry, for every request; a list, whose n-th entry is for the n-th request; or a
    function of the :class:`Ask`. An entry is an :class:`Answer`; ``After(90, Answer(…))``, 90 s after the ask; a
    tuple of these, which are all given to the one request, the first by ``ask()`` and the others through its
    ``submit()``; or None: never. A request that is asked again under its id gets its entry again.

    In a run all of it is virtual time. Raises :class:`BadInput` for what is no script, :class:`ScriptExhausted`
    where a list is too short.

    >>> reviewer = ScriptedHuman([Answer("approve"), After(1200, Answer("reject")), None])
    >>> reviewer.respond(Ask(id="refund-7", ordinal=2))
    (After(seconds=1200, answer=Answer(decision='reject', value=None, comment='', by='reviewer')),)
    """

    def __init__(self, script: Script = Answer("approve"), *, seconds: float = 60.0) -> None:  # frozen
        self._seconds = _checked_seconds("ScriptedHuman(seconds)", seconds)
        if not callable(script):
            for number, entry in enumerate(script if isinstance(script, list) else [script], 1):
                _answers(entry, self._seconds, f"ScriptedHuman, entry {number}")
        self._script = script
        self._seen = Seen()

    def respond(self, ask: Ask) -> tuple[After, ...]:
        """All answers to this request, in the order of their times. Pure."""
        script = self._script
        if callable(script):
            return _answers(script(ask), self._seconds, f"ScriptedHuman: its function, for {ask.id!r},")
        if not isinstance(script, list):
            return _answers(script, self._seconds, "ScriptedHuman")
        if ask.ordinal > len(script):
            raise ScriptExhausted(
                f"ScriptedHuman: request {ask.ordinal} ({ask.id!r}): the script has {len(script)} entries. "
                "Add one, or give a single entry, which serves every request."
            )
        return _answers(script[ask.ordinal - 1], self._seconds, "ScriptedHuman")

    async def ask(self, request: Any) -> Answer:
        """The first answer, when its time has come; the others are submitted. Of use outside of a run, too."""
        answers = self.respond(ask_of(request, *self._seen.place(request)))
        if not answers:
            await never()
        first, *others = answers
        await asyncio.sleep(first.seconds)
        for later in others:
            if hasattr(request, "submit"):
                await asyncio.sleep(later.seconds - first.seconds)
                await request.submit(later.answer)
        return first.answer  # type: ignore[no-any-return]


class Seen:
    """Which request is the n-th, and how often it has been asked."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[int, int]] = {}

    def place(self, request: Any) -> tuple[int, int]:
        """``(ordinal, attempt)`` of a request that now is asked."""
        name = str(getattr(request, "id", ""))
        ordinal, attempt = self._places.get(name, (len(self._places) + 1, 0))
        self._places[name] = ordinal, attempt + 1
        return self._places[name]


def ask_of(request: Any, ordinal: int, attempt: int) -> Ask:
    """A request of any class as data. Raises BadInput where it has no ``id``."""
    if not isinstance(getattr(request, "id", None), str):
        raise BadInput(
            f"human.ask({request!r}): give a request with an id (a str), summary, action, reason and deadline, "
            "such as dissonance.harness.Ask(id=…)"
        )
    return Ask(
        id=request.id,
        summary=str(getattr(request, "summary", "")),
        action=getattr(request, "action", None),
        reason=str(getattr(request, "reason", "")),
        deadline=getattr(request, "deadline", None),
        ordinal=ordinal,
        attempt=attempt,
    )


async def never() -> None:
    """Wait for an answer that nobody gives."""
    await asyncio.get_running_loop().create_future()


def _answers(entry: object, seconds: float, where: str) -> tuple[After, ...]:
    if entry is None:
        return ()
    parts = entry if isinstance(entry, tuple) and not isinstance(entry, After) else (entry,)
    found = [each if isinstance(each, After) else After(seconds, each) for each in parts]
    for each in found:
        _checked_seconds(f"{where}: After(seconds)", each.seconds)
        if not isinstance(each.answer, Answer):
            raise BadInput(
                f"{where}: {each.answer!r} is no answer; give Answer(…), After(seconds, Answer(…)), a tuple of these, "
                "or None for never"
            )
    return tuple(sorted(found, key=lambda each: each.seconds))


def _checked_seconds(where: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise BadInput(f"{where}={seconds!r}: give a number of seconds, 0 or more")
    return seconds
