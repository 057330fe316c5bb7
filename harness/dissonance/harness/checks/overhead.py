"""``overhead``: what each layer of a hierarchy adds, and what it loses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from dissonance.harness.claims import Claim
from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent

from .finder import Finder
from .reading import Reading, good
from .verdict import Verdict, lacking, verdict
from .wording import listed, number, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Layer", "Layers", "measure_layers", "overhead"]

Layers: TypeAlias = Sequence[str | Sequence[str]]
"""The agents of each layer (globs), the top first, the workers last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one layer of a hierarchy spent.

    ``calls`` are requests to ``messages``, ``tokens`` input and output, ``usd`` dollars. ``added`` are the
    virtual seconds in which this layer was at work and none below it: what it adds to the run's time.
    ``fidelity`` is the share of the facts said by the layer below (of the workers: of all facts) that
    this one says as well; None without facts, or where none came.
    """

    agents: tuple[str, ...]
    calls: int
    tokens: int
    usd: float
    added: float
    fidelity: float | None


def measure_layers(run: Run, layers: Layers, facts: Iterable[str | Claim] = ()) -> tuple[Layer, ...]:
    """What each layer spent, in the order given. An agent belongs to the first layer that names it."""
    globs = [(each,) if isinstance(each, str) else tuple(each) for each in layers]
    by_layer: list[list[CallSent]] = [[] for _ in globs]
    for call in run.history.calls():
        place = next((n for n, names in enumerate(globs) if any(fnmatchcase(call.agent, g) for g in names)), None)
        if place is not None:
            by_layer[place].append(call)
    reading = Reading(run.history)
    spans = [[_span(call, reading, run) for call in calls] for calls in by_layer]
    held = [_facts(calls, reading, facts) for calls in by_layer]
    wanted = [*held[1:], set(map(_key, facts))]
    return tuple(
        _layer(
            calls,
            reading,
            _added(spans[n], spans[n + 1 :]),
            len(held[n] & wanted[n]) / len(wanted[n]) if wanted[n] else None,
        )
        for n, calls in enumerate(by_layer)
    )


def _layer(calls: Sequence[CallSent], reading: Reading, added: float, fidelity: float | None) -> Layer:
    replies = [reply for call in calls if (reply := reading.reply_to(call.id)) is not None]
    return Layer(
        agents=tuple(dict.fromkeys(call.agent for call in calls)),
        calls=len(calls),
        tokens=sum(reply.usage.total for reply in replies if reply.usage is not None),
        usd=sum(reply.usd for reply in replies),
        added=added,
        fidelity=fidelity,
    )


def _span(call: CallSent, reading: Reading, run: Run) -> tuple[float, float]:
    reply = reading.reply_to(call.id)
    return call.at, run.history[-1].at if reply is None else reply.at


def _added(own: Sequence[tuple[float, float]], below: Sequence[Sequence[tuple[float, float]]]) -> float:
    """Seconds covered by the own spans and by none of those below."""
    lower = [span for spans in below for span in spans]
    return _covered([*own, *lower]) - _covered(lower)


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def _facts(calls: Sequence[CallSent], reading: Reading, facts: Iterable[str | Claim]) -> set[str]:
    said = [reading.said(reply) for call in calls if good(reply := reading.reply_to(call.id))]
    folded = [" ".join(text.split()).casefold() for text in said]
    return {_key(fact) for fact in facts if any(_says(fact, said, folded))}


def _says(fact: str | Claim, said: Sequence[str], folded: Sequence[str]) -> Iterator[bool]:
    if isinstance(fact, Claim):
        finder = Finder(fact, "true")
        return (text in finder for text in said)
    wanted = " ".join(fact.split()).casefold()
    return (wanted in text for text in folded)


def _key(fact: str | Claim) -> str:
    return fact.id if isinstance(fact, Claim) else fact


@dataclass(frozen=True, slots=True)
class overhead:
    """The layers above the workers spend at most ``at_most`` tokens for each token of the workers.

    ``layers`` names the agents of each layer (globs), the top first, the workers last; ``facts``, if
    given, are texts or claims in their true form, of which the reason says how many each layer passes on.

    * *pass* and *fail*: by that ratio.
    * *unknown*: a label is missing; a layer made no call; or the harness stopped the run.

    BadInput for fewer than two layers, or a bound below 0.
    """

    at_most: float | None = None
    layers: Layers = ()
    facts: Sequence[str | Claim] = ()

    def __post_init__(self) -> None:
        if self.at_most is not None and not self.at_most >= 0:
            raise BadInput(f"overhead(at_most={self.at_most!r}): give a ratio, 0 or more")
        if isinstance(self.layers, str) or len(self.layers) == 1:
            raise BadInput(f"overhead(layers={self.layers!r}): give at least two layers, such as ['lead', 'worker-*']")

    @property
    def name(self) -> str:
        """``overhead``."""
        return "overhead"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        if not self.layers:
            return lacking(run, self.name, "layers", "Give the agents of each layer: layers=['lead', 'worker-*'].")
        if self.at_most is None:
            return lacking(
                run, self.name, "at_most", "Give the tokens that managers may spend for each of the workers'."
            )
        found = measure_layers(run, self.layers, self.facts)
        idle = [layer for layer, spent in zip(self.layers, found, strict=True) if not spent.tokens]
        if idle:
            agents = ", ".join(dict.fromkeys(call.agent for call in run.history.calls())) or "none called"
            reason = f"the layer {idle[0]!r} spent nothing: there was nothing to compare"
            return verdict(run, self.name, "unknown", reason, (), f"The agents of this run: {agents}.")
        return self._judged(run, found)

    def _judged(self, run: Run, found: Sequence[Layer]) -> Verdict:
        above, below = sum(layer.tokens for layer in found[:-1]), found[-1].tokens
        told = f"{number(above / below)} tokens above for each of the workers': {listed(map(_told, found), len(found))}"
        managers = {agent for layer in found[:-1] for agent in layer.agents}
        evidence = [call.id for call in run.history.calls() if call.agent in managers]
        if self.at_most is not None and above / below > self.at_most:
            return verdict(run, self.name, "fail", f"{told}; at most {number(self.at_most)} is allowed", evidence)
        if run.outcome == "stopped_by_harness":
            return verdict(run, self.name, "unknown", f"the run was stopped: {told}", (), "Look at terminates() first.")
        return verdict(run, self.name, "pass", told, evidence)


def _told(layer: Layer) -> str:
    kept = "" if layer.fidelity is None else f", {100 * layer.fidelity:.0f} % of the facts kept"
    names = "/".join(layer.agents)
    return f"{names} {plural(layer.calls, 'call')}, {layer.tokens:,} tokens, {number(layer.added)} s{kept}"
