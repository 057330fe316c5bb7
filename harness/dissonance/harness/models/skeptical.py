"""The curve between the bound and zero: :class:`Skeptical` corrects some false claims, and invents some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from dissonance.harness.call import Call, Json, Pace, Reply
from dissonance.harness.claims import Claim, Twin, occurs
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History, RunStarted

from .gullible import saying
from .reading import carried

__all__ = ["Skeptical"]


@dataclass(frozen=True)
class Skeptical:
    """Answers as :class:`Gullible` does, but knows these claims.

    Where the prompt holds a claim in its false form, it says the true one in its stead, with probability
    ``correction``; where it does not, it says the false form, in the true one's stead if that is
    there, with probability ``invention``. What it draws depends on the run's seed, the agent, its call
    and the claim, and on nothing else: a retry draws the same.

    In a chain, the share of tainted outputs after n hops is x_n = e / (e + c) (1 - (1 - e - c)^n), with
    c the correction and e the invention. BadInput for probabilities that are not from 0 to 1.
    """

    claims: Sequence[Claim]
    correction: float
    invention: float = 0.0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if isinstance(self.claims, Claim) or not all(isinstance(claim, Claim) for claim in self.claims):
            raise BadInput(f"Skeptical(claims={self.claims!r}): give a list of Claim(…)")
        for name in ("correction", "invention"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise BadInput(f"Skeptical({name}={value!r}): give a probability from 0 to 1")
        object.__setattr__(self, "claims", tuple(self.claims))

    def reply(self, call: Call, past: History) -> Reply:
        """What it says to this call."""
        strings: Sequence[str] = carried(call)
        for claim in self.claims:
            strings = self._passed_on(claim, strings, call, past)
        return saying(strings, call, past, self.pace)

    def describe(self) -> Json:
        """Its settings; the claims by their whole content."""
        return {
            "name": "Skeptical",
            "claims": [claim.model_dump(mode="json") for claim in self.claims],
            "correction": self.correction,
            "invention": self.invention,
            "pace": {"first_byte": self.pace.first_byte, "tokens_per_second": self.pace.tokens_per_second},
        }

    def _passed_on(self, claim: Claim, strings: Sequence[str], call: Call, past: History) -> Sequence[str]:
        """The strings with the claim as this call leaves it."""
        if any(occurs(claim, one) for one in strings):
            corrects = _drawn("correction", claim, call, past) < self.correction
            return _instead(strings, claim, "true") if corrects else strings
        invents = _drawn("invention", claim, call, past) < self.invention
        return _instead(strings, claim, "false") if invents else strings


def _instead(strings: Sequence[str], claim: Claim, twin: Twin) -> tuple[str, ...]:
    """The strings with this twin's statement once, where the other one stood first; else before them all."""
    other: Twin = "false" if twin == "true" else "true"
    statement = claim.text(twin)
    found: list[str] = []
    for one in strings:
        if occurs(claim, one, other):
            if statement not in found:
                found.append(statement)
        elif one != statement:
            found.append(one)
    return tuple(found) if statement in found else (statement, *found)


def _drawn(what: str, claim: Claim, call: Call, past: History) -> float:
    """A number from 0 to below 1, by hash."""
    first = past[0] if len(past) else None
    seed = first.seed if isinstance(first, RunStarted) else 0
    key = "\x1f".join((str(seed), what, claim.id, call.agent, str(call.ordinal)))
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) / 2**64
