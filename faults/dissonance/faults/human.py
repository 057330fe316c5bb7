"""The family ``human``: the reviewer does not answer, answers late, answers twice, or says two things.

A rule of this family stands at a request to the human that ``run(…, human=)`` gives: ``When(call=2)`` is the
second request of the run, ``attempt`` counts how often the same request was asked, and ``At(text=…)`` looks
into its summary, reason and action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dissonance.harness.human import After, Answer

from .fault import Family, Fault
from .spec import Seconds

if TYPE_CHECKING:
    from dissonance.harness.history import History
    from dissonance.harness.moment import Moment

__all__ = ["ContradictoryAnswers", "DuplicateAnswer", "LateAnswer", "NeverAnswers"]

_Later = Annotated[float, Field(ge=0)]


class NeverAnswers(Fault):
    """The human never answers: the request was overlooked, or the shift has ended."""

    family: ClassVar[Family] = "human"

    @property
    def noun(self) -> str:
        return "request"

    def sentence(self) -> str:
        return "the human never answers"

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History, rule: str) -> Sequence[After] | None:
        return ()


class LateAnswer(Fault):
    """The human's answers come so many virtual ``seconds`` later than they would have."""

    family: ClassVar[Family] = "human"
    seconds: Seconds

    @property
    def noun(self) -> str:
        return "request"

    def sentence(self) -> str:
        return f"the human answers {self.seconds:g} s late"

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History, rule: str) -> Sequence[After] | None:
        return [After(each.seconds + self.seconds, each.answer) for each in answers] or None


class DuplicateAnswer(Fault):
    """The human's first answer comes a second time, ``after`` virtual seconds: a double click, a webhook sent again.

    It reaches only a workflow whose requests have a ``submit()``.
    """

    family: ClassVar[Family] = "human"
    after: _Later = 1.0

    @property
    def noun(self) -> str:
        return "request"

    def sentence(self) -> str:
        return f"the human's answer comes again {self.after:g} s later"

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History, rule: str) -> Sequence[After] | None:
        return _with_second(answers, answers[0].answer, self.after) if answers else None


class ContradictoryAnswers(Fault):
    """A second answer comes, ``after`` virtual seconds, that says the opposite: approved and then rejected, or the reverse.

    It reaches only a workflow whose requests have a ``submit()``.
    """

    family: ClassVar[Family] = "human"
    after: _Later = 1.0

    @property
    def noun(self) -> str:
        return "request"

    def sentence(self) -> str:
        return f"the human says the opposite {self.after:g} s after the answer"

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History, rule: str) -> Sequence[After] | None:
        if not answers:
            return None
        rejected = getattr(answers[0].answer, "decision", None) == "reject"
        opposite = Answer("approve" if rejected else "reject", by="second reviewer")
        return _with_second(answers, opposite, self.after)


def _with_second(answers: Sequence[After], answer: object, after: float) -> Sequence[After]:
    second = After(answers[0].seconds + after, answer)
    place = next((n for n, each in enumerate(answers) if each.seconds > second.seconds), len(answers))
    return (*answers[:place], second, *answers[place:])
