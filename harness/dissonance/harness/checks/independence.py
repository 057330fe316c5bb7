"""``independence``: how many independent voters a panel is worth."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

from dissonance.harness.claims import normal
from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent

from .reading import Reading, good
from .verdict import Verdict, lacking, verdict
from .wording import number, plural, share

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Ballot", "Independence", "ballots", "independence", "measure_independence"]

Z = 1.96
"""Standard errors on either side of an interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One question's votes: who voted, the ``answers`` (normalised), which are ``right``; ``calls`` are event ids."""

    voters: tuple[str, ...]
    answers: tuple[str, ...]
    right: tuple[bool, ...]
    calls: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """What a panel of ``voters`` (mean number a question) is worth, over ``questions``.

    * ``accuracy``: the share of right votes. ``correlation``: of two voters' being right, the mean over all
      pairs, between -1 and 1, with its standard error by the jackknife over questions.
    * ``effective``: the number of independent voters, n / (1 + (n - 1) correlation), at most n; ``low`` and
      ``high`` are its 95 % interval. That holds the correlations from which the found one lies within 1.96
      standard errors of a panel which, with that probability, gives one answer with all its voices (the
      way of Wilson's interval: the error is that of the supposed figure, not of the found one, and so is
      honest where few questions show no correlation by chance).
    * ``agreement_when_wrong``: the share of pairs with the same answer among those that are both wrong;
      None where there is none. ``wrong_pairs`` is their number.
    """

    voters: float
    questions: int
    accuracy: float
    correlation: float
    error: float
    effective: float
    low: float
    high: float
    agreement_when_wrong: float | None
    wrong_pairs: int


# --- votes ------------------------------------------------------------------------------------


def ballots(run: Run, voters: str, correct: Callable[[str, str], bool]) -> list[Ballot]:
    """The questions on which two or more voters (a glob) voted.

    A question is what several voters were asked in the same words; where no two were, it is the n-th
    call of each. Retries and calls without a whole answer are no votes.
    """
    reading = Reading(run.history)
    calls = [
        call for call in run.history.calls() if fnmatchcase(call.agent, voters) and good(reading.reply_to(call.id))
    ]
    asked = _several(calls, lambda call: call.messages) or _several(calls, lambda call: call.ordinal)
    return [_ballot(group, reading, correct) for group in asked]


def _several(calls: Sequence[CallSent], key: Callable[[CallSent], Hashable]) -> list[list[CallSent]]:
    groups: dict[Hashable, list[CallSent]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return [group for group in groups.values() if len(group) > 1]


def _ballot(calls: Sequence[CallSent], reading: Reading, correct: Callable[[str, str], bool]) -> Ballot:
    said = [reading.said(reading.reply_to(call.id)) for call in calls]
    questions = [parts[-1].text if (parts := reading.sent(call)) else "" for call in calls]
    return Ballot(
        voters=tuple(call.agent for call in calls),
        answers=tuple(map(normal, said)),
        right=tuple(bool(correct(question, answer)) for question, answer in zip(questions, said, strict=True)),
        calls=tuple(call.id for call in calls),
    )


# --- figures ----------------------------------------------------------------------------------


def measure_independence(found: Sequence[Ballot]) -> Independence | None:
    """What a panel is worth; None for fewer than three questions, or where all votes are right or all wrong."""
    votes = [vote for ballot in found for vote in ballot.right]
    if len(found) < 3 or len(set(votes)) < 2:
        return None
    whole = _sums(found)
    correlation = _correlation(whole)
    error = _jackknife([_correlation(_minus(whole, _sums([ballot]))) for ballot in found])
    panel, accuracy = len(votes) / len(found), sum(votes) / len(votes)
    least, most = _bounds(correlation, accuracy, whole[2] / len(found), len(found))
    wrong, same = _both_wrong(found)
    return Independence(
        voters=panel,
        questions=len(found),
        accuracy=accuracy,
        correlation=correlation,
        error=error,
        effective=_effective(panel, correlation),
        low=_effective(panel, most),
        high=_effective(panel, least),
        agreement_when_wrong=same / wrong if wrong else None,
        wrong_pairs=wrong,
    )


_Sums = tuple[int, int, int, int, int]
"""Votes, right votes, pairs of votes on one question, pairs both right, right votes over all pairs' members."""


def _sums(found: Sequence[Ballot]) -> _Sums:
    votes = right = pairs = both = ends = 0
    for ballot in found:
        n, k = len(ballot.right), sum(ballot.right)
        votes, right = votes + n, right + k
        pairs, both, ends = pairs + n * (n - 1) // 2, both + k * (k - 1) // 2, ends + k * (n - 1)
    return votes, right, pairs, both, ends


def _minus(whole: _Sums, part: _Sums) -> _Sums:
    a, b, c, d, e = (one - other for one, other in zip(whole, part, strict=True))
    return a, b, c, d, e


def _correlation(sums: _Sums) -> float:
    """Mean of (x - p)(y - p) over all pairs, divided by p (1 - p); 0 where all votes are alike."""
    votes, right, pairs, both, ends = sums
    p = right / votes if votes else 0.0
    if not 0 < p < 1 or not pairs:
        return 0.0
    return (both - p * ends + p * p * pairs) / pairs / (p * (1 - p))


def _jackknife(values: Sequence[float]) -> float:
    n, mean = len(values), sum(values) / len(values)
    return sqrt((n - 1) / n * sum((value - mean) ** 2 for value in values))


def _bounds(found: float, accuracy: float, pairs: float, questions: int) -> tuple[float, float]:
    """The 95 % interval of the correlation.

    Of one question's mean product of deviations, divided by p (1 - p), the variance under a correlation r is
    a r + (1 - r) / pairs - r², a = (1 - p)² / p + p² / (1 - p): with probability r all votes are one vote, else
    they are independent. So (found - r)² <= 1.96² variance / questions has its ends at the roots of a parabola.
    """
    a = (1 - accuracy) ** 2 / accuracy + accuracy**2 / (1 - accuracy)
    k, b = Z * Z / questions, 1 / pairs
    half = found + k * (a - b) / 2
    root = sqrt(max(0.0, half * half - (1 + k) * (found * found - k * b)))
    return (half - root) / (1 + k), (half + root) / (1 + k)


def _effective(n: float, correlation: float) -> float:
    return n / (1 + (n - 1) * min(1.0, max(0.0, correlation)))


def _both_wrong(found: Sequence[Ballot]) -> tuple[int, int]:
    pairs = [
        ballot.answers[i] == ballot.answers[j]
        for ballot in found
        for i, j in combinations(range(len(ballot.right)), 2)
        if not ballot.right[i] and not ballot.right[j]
    ]
    return len(pairs), sum(pairs)


@dataclass(frozen=True, slots=True)
class independence:
    """The panel is worth at least ``at_least`` independent voters.

    ``voters`` names them (a glob); ``correct(question, answer)`` says whether an answer is right, of the
    last message of the request and the text of the reply. Questions are counted over this run and
    ``others``, runs of the same panel. For the figures see :class:`Independence`.

    * *pass*: the whole 95 % interval of the effective number is at or above ``at_least``; *fail*: it is
      below.
    * *unknown*: a label is missing; there are fewer than three questions; all votes are right, or all
      wrong, so that nothing can be correlated; or the interval has ``at_least`` within.

    BadInput for a number that is not above 0.
    """

    at_least: float | None = None
    voters: str = ""
    correct: Callable[[str, str], bool] | None = None
    others: Sequence[Run] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.at_least is not None and not self.at_least > 0:
            raise BadInput(f"independence(at_least={self.at_least!r}): give a number of voters above 0")

    @property
    def name(self) -> str:
        """``independence``."""
        return "independence"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run, and the others."""
        if self.at_least is None:
            return lacking(run, self.name, "at_least", "Give the effective number of voters that you need.")
        if not self.voters:
            return lacking(run, self.name, "voters", "Give the voters' name, or a glob of their names.")
        if self.correct is None:
            return lacking(run, self.name, "correct", "Give a function of question and answer that says what is right.")
        own = ballots(run, self.voters, self.correct)
        found = [*own, *self._more()]
        figures = measure_independence(found)
        if figures is None:
            return self._too_little(run, found)
        return self._judged(run, figures, [call for ballot in own for call in ballot.calls])

    def _more(self) -> Iterator[Ballot]:
        for run in self.others:
            if self.correct is not None:
                yield from ballots(run, self.voters, self.correct)

    def _too_little(self, run: Run, found: Sequence[Ballot]) -> Verdict:
        asked = plural(len(found), "question")
        if len(found) < 3:
            reason = f"{asked} on which two or more of {self.voters!r} voted: that tells nothing of independence"
        else:
            sort = "right" if found[0].right[0] else "wrong"
            reason = f"all votes on {asked} are {sort}: nothing can be correlated"
        return verdict(run, self.name, "unknown", reason, (), "Give more runs: independence(others=[…]).")

    def _judged(self, run: Run, figures: Independence, evidence: Sequence[int]) -> Verdict:
        told = (
            f"{number(figures.voters)} voters are worth {figures.effective:.2f} independent ones ({figures.low:.2f} to "
            f"{figures.high:.2f}) over {plural(figures.questions, 'question')}: their being right correlates by "
            f"{figures.correlation:.2f}"
        )
        if figures.agreement_when_wrong is not None:
            same = round(figures.agreement_when_wrong * figures.wrong_pairs)
            told += f"; of pairs that are both wrong {share(same, figures.wrong_pairs)} agree"
        wanted = self.at_least or 0.0
        if figures.low >= wanted:
            return verdict(run, self.name, "pass", told, evidence)
        if figures.high < wanted:
            return verdict(run, self.name, "fail", f"{told}; at least {number(wanted)} are wanted", evidence)
        reason = f"{told}; whether that is {number(wanted)} or more cannot be told from so few"
        return verdict(run, self.name, "unknown", reason, evidence, "Give more runs: independence(others=[…]).")
