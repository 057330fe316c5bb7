"""The smallest plan that breaks a workflow, found without pytest: :func:`find_minimal`.

The search goes from the simple to the wild:

1. every single fault on every slot that the baseline has, the simplest first;
2. where one of them led to calls that the baseline does not make (a retry, a fallback), every fault
   on these, together with it;
3. plans sampled from the space, as long as the budget lasts.

What is found is shrunk (see :mod:`.shrink`) while the same check fails; the smallest plan is then
judged in full: a failure that does not repeat comes back as *unknown*. Everything is a function of the
arguments: there is no clock and no other randomness in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dissonance.harness import Limits, Run, many_runs
from dissonance.harness.call import JsonObject
from dissonance.harness.checks.verdict import Check, Verdict
from dissonance.harness.errors import BadInput

from .describe import as_python, sentence
from .plan import FaultPlan
from .rule import Rule
from .shrink import shrink
from .slots import Address, Scouted, Slot, scout
from .space import Space, Strike, strikes
from .trials import Spent, Trial, Trials

__all__ = ["Flip", "Minimal", "Worst", "find_minimal", "flip_test"]

_DRAWS = 20
"""Samples for each run of the budget: in a small space most of them are known already."""

Told = Callable[[int, int, str], None]
"""Told after each run: runs made, runs at most, and what is going on."""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A rule, and whether its absence alone ``saves`` the run."""

    rule: str
    saves: bool


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The highest value of a total that a failing run had, and the plan that led to it."""

    name: str
    value: float
    plan: FaultPlan


@dataclass(frozen=True, kw_only=True)
class Minimal:
    """What a search found.

    ``plan`` is the smallest one that breaks the workflow (None: none was found), ``run`` its run and
    ``verdicts`` the checks' verdicts on it. ``first`` is the plan as it was found, before shrinking,
    and ``unmatched`` those of its rules that matched no call. ``flips`` has an entry for each rule of
    ``first``. ``worst`` names the highest calls, virtual seconds and tokens of all failing runs: the
    smallest plan often looks harmless. ``runs`` counts what was run; ``complete``: every single fault
    was tried. ``problem`` says why nothing could be searched: the baseline itself is no good.
    """

    plan: FaultPlan | None = None
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    first: FaultPlan | None = None
    unmatched: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    worst: tuple[Worst, ...] = ()
    runs: int = 0
    complete: bool = False
    problem: str | None = None

    def to_json(self) -> JsonObject:
        """What was found, but for the run, as JSON data."""
        return {
            "plan": None if self.plan is None else self.plan.describe(),
            "sentence": None if self.plan is None else sentence(self.plan),
            "python": None if self.plan is None else as_python(self.plan),
            "first": None if self.first is None else self.first.describe(),
            "unmatched": list(self.unmatched),
            "flips": {flip.rule: flip.saves for flip in self.flips},
            "worst": {worst.name: {"value": worst.value, "plan": worst.plan.describe()} for worst in self.worst},
            "runs": self.runs,
            "complete": self.complete,
            "problem": self.problem,
        }

    def __str__(self) -> str:
        """For people: the sentence, the Python, the flip test, the worst values, and the line that replays it."""
        return "\n".join(_told(self))


def find_minimal(
    workflow: Any,
    checks: Sequence[Check],
    space: Space | None = None,
    *,
    task: Any = None,
    runs: int = 1000,
    limits: Limits | None = None,
    store: str | Path | None = None,
    told: Told | None = None,
    **options: Any,
) -> Minimal:
    """Search for the smallest plan under which one of the checks says *fail*.

    * ``space``: what may strike where (default: the whole repertoire on every call of the baseline).
    * ``runs``: so many runs at most; shrinking what was found may take as many again.
    * ``limits``: of each run; while searching, what would not end is stopped earlier, and then made sure of.
    * ``store``: where the smallest plan's run is kept (None: in memory); the others never are.
    * ``told``: called after each run.
    * ``options``: the others of :func:`dissonance.harness.run`.

    Raises BadInput for an argument that cannot be used.
    """
    _check(checks, runs, options)
    limits = Limits() if limits is None else limits
    known = None if space is None else space.faults
    scouted = scout(workflow, task, faults=known, **{**options, "limits": limits, "baseline": True})
    problem = _problem(scouted, checks)
    if problem is not None:
        return Minimal(problem=problem, runs=1)
    space = space or Space(slots=scouted.slots)
    trials = Trials(workflow, task, checks, options, limits, scouted.run.calls, runs)
    with many_runs():
        return _Search(trials, space, told or (lambda made, most, what: None)).result(
            None if store is None else Path(store)
        )


def flip_test(rules: Sequence[Rule], fails: Callable[[Sequence[Rule]], bool]) -> tuple[Flip, ...]:
    """For each rule of a plan that fails: whether the run is saved by taking away this rule alone."""
    return tuple(Flip(rule=rule.id, saves=not fails([other for other in rules if other is not rule])) for rule in rules)


# --- the search -------------------------------------------------------------------------------


@dataclass
class _Search:
    """One search. ``check`` is the one that failed first: the smallest plan must fail the same one."""

    trials: Trials
    space: Space
    told: Told
    check: str = ""
    complete: bool = False
    seen: dict[Address, Trial] = field(default_factory=dict)

    def result(self, store: Path | None) -> Minimal:
        found = self._found()
        made = self.trials.made
        if found is None:
            return Minimal(runs=made, complete=self.complete)
        first = self._trial(found)
        self.trials.budget += self.trials.budget
        smallest = self._shrunk(found)
        plan = self._trial(smallest).plan
        flips = flip_test(first.plan.rules, self._rules_fail)
        run = self.trials.run(plan, store)
        return Minimal(
            plan=plan,
            run=run,
            verdicts=run.judge(*self.trials.checks),
            first=first.plan,
            unmatched=first.unmatched,
            flips=flips,
            worst=self._worst(),
            runs=self.trials.made,
            complete=self.complete,
        )

    def _found(self) -> tuple[Strike, ...] | None:
        try:
            return next((some for some in self._candidates() if self._first_fails(some)), None)
        except Spent:
            return None

    def _candidates(self) -> Iterator[tuple[Strike, ...]]:
        singles = [(strike,) for strike in self.space.strikes()]
        if len(singles) <= self.trials.budget:
            yield from self._telling("single faults", singles)
            self.complete = True
            yield from self._telling("faults on what single faults led to", self._followers(singles))
        yield from self._telling(
            "sampled plans", (strikes(self.space, seed) for seed in range(_DRAWS * self.trials.budget))
        )

    def _telling(self, what: str, some: Iterator[tuple[Strike, ...]] | Sequence[tuple[Strike, ...]]) -> Any:
        self.trials.told = lambda made, plan: self.told(made, self.trials.budget, what)
        return (each for each in some if each)

    def _followers(self, singles: Sequence[tuple[Strike, ...]]) -> Iterator[tuple[Strike, ...]]:
        """The first single fault that led to a new call, with every fault on that call."""
        usual = {slot.address for slot in self.space.slots}
        new: dict[Address, Strike] = {}
        for (strike,) in singles:
            for address in self._trial((strike,)).slots:
                if address not in usual:
                    new.setdefault(address, strike)
        slots = [Slot(agent=agent, endpoint=endpoint, call=call) for agent, endpoint, call, _ in new]
        self.space = self.space.model_copy(update={"slots": (*self.space.slots, *slots)})
        for slot in slots:
            for follower in self.space.model_copy(update={"slots": (slot,)}).strikes():
                yield (new[slot.address], follower)

    def _first_fails(self, some: tuple[Strike, ...]) -> bool:
        trial = self._trial(some)
        self.check = trial.failed[0].check if trial.failed else ""
        return bool(trial.failed)

    def _shrunk(self, found: tuple[Strike, ...]) -> tuple[Strike, ...]:
        self.trials.told = lambda made, plan: self.told(made, self.trials.budget, "shrinking")
        best = [found]

        def fails(some: tuple[Strike, ...]) -> bool:
            failing = self._trial(some).fails(self.check)
            if failing:
                best.append(some)
            return failing

        try:
            return shrink(found, fails, self.space)
        except Spent:
            return best[-1]

    def _trial(self, some: Sequence[Strike]) -> Trial:
        return self.trials.of(strike.rule for strike in some)

    def _rules_fail(self, rules: Sequence[Rule]) -> bool:
        return bool(rules) and self.trials.of(rules).fails(self.check)

    def _worst(self) -> tuple[Worst, ...]:
        failing = [trial for trial in self.trials.trials.values() if trial.fails(self.check)]
        names = ("calls", "seconds", "tokens")
        tops = [(name, max(failing, key=lambda trial: getattr(trial, name))) for name in names]
        return tuple(Worst(name=name, value=getattr(top, name), plan=top.plan) for name, top in tops)


# --- before and after -------------------------------------------------------------------------


def _check(checks: Sequence[Check], runs: int, options: dict[str, Any]) -> None:
    if not isinstance(checks, Sequence) or not checks or not all(callable(each) for each in checks):
        raise BadInput(f"find_minimal(checks={checks!r}): give a list of checks, such as [terminates()]")
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise BadInput(f"find_minimal(runs={runs!r}): give a whole number above 0")
    if "plan" in options or "baseline" in options:
        raise BadInput("find_minimal(plan=…, baseline=…): the search makes the plans and the baseline; leave them out")


def _problem(scouted: Scouted, checks: Sequence[Check]) -> str | None:
    """Why the workflow cannot be searched, in words; None where it can."""
    base = scouted.run.baseline
    assert base is not None
    if base.outcome not in ("completed", "paused"):
        how = f"{base.outcome.replace('_', ' ')} ({base.error_text or base.stopped_by})"
        return f"baseline broken: without any fault the workflow {how}"
    if scouted.run.baseline_problem is not None:
        return scouted.run.baseline_problem
    if all(slot.noun == "task" for slot in scouted.slots):
        return "nothing to strike: the workflow makes no call"
    failed = (verdict for verdict in base.judge(*checks) if verdict.status == "fail")
    return next((f"baseline broken: without any fault, too: {verdict.reason}" for verdict in failed), None)


def _told(found: Minimal) -> Iterator[str]:
    if found.problem is not None:
        yield f"nothing was searched: {found.problem}"
        return
    if found.plan is None:
        scope = "every single fault, and others" if found.complete else "a sample of the plans"
        yield f"no plan was found in {found.runs:,} runs ({scope})"
        return
    for verdict in found.verdicts:
        if verdict.status != "pass":
            yield f"{verdict.status} ({verdict.tier}): {verdict.reason}"
    yield f"Smallest plan ({found.runs:,} runs): {sentence(found.plan)}"
    yield as_python(found.plan)
    if found.first is not None and len(found.first.rules) > 1:
        yield f"As found: {sentence(found.first)}"
        saving = [flip.rule for flip in found.flips if flip.saves]
        yield f"Without {' or '.join(saving)} alone it holds." if saving else "No single rule, taken away, saves it."
    if found.unmatched:
        yield f"Rules that matched no call: {', '.join(found.unmatched)}."
    yield from (f"Worst {worst.name} seen: {worst.value:,.0f}{_by(worst, found)}" for worst in found.worst)
    if found.run is not None and found.run.replay_line:
        yield f"Replay: {found.run.replay_line}"


def _by(worst: Worst, found: Minimal) -> str:
    return "" if worst.plan == found.plan else f" ({sentence(worst.plan)})"
