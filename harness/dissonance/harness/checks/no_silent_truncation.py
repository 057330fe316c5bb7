"""``no_silent_truncation``: what was to reach the model reached it, or somebody said that it did not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dissonance.harness.claims import Claim
from dissonance.harness.errors import BadInput
from dissonance.harness.history import RunEnded

from .losses import Canaries, losses
from .verdict import Verdict, verdict
from .wording import listed, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Instructions", "no_silent_truncation"]

Instructions: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
"""Canary instructions: of whichever agents get them, or by agent (globs)."""


@dataclass(frozen=True, slots=True)
class no_silent_truncation:
    """Every request reached the model whole, with its instructions and facts; or the workflow raised.

    ``instructions`` are texts that an agent must see in each of its calls, from the first one that has
    them (given by agent: in every call; an agent that gets them only once without faults must see them
    once). ``facts`` are texts, or claims in their true form, that a model must see; and again in an
    agent's last call, where that has them without faults. White space and case do not count.

    * *pass*: nothing is missing; or the workflow raised, was stopped by a guard of its own, paused for a
      human, or its result says so (``flagged(result)``).
    * *fail*: an instruction or a fact did not reach the model; a request lost its head (the system
      prompt), or messages, on its way; fewer input tokens were reported than sent; or a reply broke off
      at the window's end: and the workflow delivered as though nothing had happened.
    * *unknown*: no request reached a model, or the run ended before it could deliver.

    Without labels only the requests themselves are looked at: what the workflow leaves out before it
    sends is then not missed. BadInput for labels that are no texts.
    """

    instructions: Instructions = ()
    facts: Sequence[str | Claim] = ()
    flagged: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        groups = self.instructions.values() if isinstance(self.instructions, Mapping) else [self.instructions]
        texts = [text for group in groups for text in _several("instructions", group)]
        for text in [*texts, *_several("facts", self.facts)]:
            if not isinstance(text, Claim) and (not isinstance(text, str) or not text.strip()):
                raise BadInput(
                    f"no_silent_truncation: {text!r} is no text that could be found; give a str with words in it"
                )

    @property
    def name(self) -> str:
        """``no_silent_truncation``."""
        return "no_silent_truncation"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        found = losses(run, Canaries(self.instructions, tuple(self.facts)))
        if not found.reached:
            advice = "Look at a run in which the workflow calls a model that answers."
            reason = "no request reached a model: there was nothing to look at"
            return verdict(run, self.name, "unknown", reason, (), advice)
        if not found.losses:
            return verdict(run, self.name, "pass", self._whole(found.reached), [run.history[-1].id])
        told = f"lost: {listed(found.losses)}"
        evidence = [each.event for each in found.losses]
        noticed = self._noticed(run)
        if noticed is not None:
            return verdict(run, self.name, "pass", f"{told}; {noticed}", evidence)
        if run.outcome != "completed":
            reason = f"{told}; the run was over before the workflow delivered ({run.error_text})"
            return verdict(run, self.name, "unknown", reason, evidence, "Look at terminates() first.")
        reason = f"{told}; the workflow delivered as though nothing had happened"
        return verdict(run, self.name, "fail", reason, evidence)

    def _whole(self, reached: int) -> str:
        told = "the only request arrived whole" if reached == 1 else f"all {plural(reached, 'request')} arrived whole"
        missing = [name for name in ("instructions", "facts") if not getattr(self, name)]
        if not missing:
            return f"{told}, with every instruction and fact"
        return f"{told}; what the workflow itself left out was not looked for (no {' and no '.join(missing)} given)"

    def _noticed(self, run: Run) -> str | None:
        if run.outcome == "stopped_by_harness" or not isinstance(run.history[-1], RunEnded):
            return None
        if run.stopped_by:
            return f"stopped by its own guard ({run.stopped_by})"
        if run.outcome in ("failed", "crashed"):
            return f"the workflow raised ({run.error_text})"
        if run.outcome == "paused":
            return "the workflow paused for a human"
        return "the result says so" if self.flagged is not None and self.flagged(run.result) else None


def _several(name: str, texts: object) -> Sequence[Any]:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise BadInput(f"no_silent_truncation({name}={texts!r}): give a list of texts")
    return texts
