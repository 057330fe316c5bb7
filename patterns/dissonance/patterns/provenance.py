"""What an output rests on: sources outside the workflow, outputs of other agents, and who verified it.

Another agent's output is evidence, not truth. So each :class:`~.outcome.Outcome` says where it comes from,
and what was verified is told from what was only passed on. The orchestrator writes this down, never the
agent: a tool's result is a source because the orchestrator ran the tool, an upstream output is one because
the orchestrator put it into the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = ["Provenance", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Something outside the workflow: a tool's result, a cited document, a row of a table.

    ``ref`` says which; ``verified``: the orchestrator has seen it itself, or a guard has looked it up.
    """

    ref: str
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where an output comes from: ``by`` whom, from which ``sources`` and from which ``upstream`` outputs.

    ``verified_by`` names the guards that looked at this very output and let it pass. A judge's opinion
    is no verification.

    >>> found = Provenance(by="researcher", sources=(Source("search('ACME')", verified=True),))
    >>> written = Provenance(by="writer", upstream=(found,)).confirmed("citation_gate")
    >>> (written.verified, found.verified, written.unverified())
    (True, False, ('researcher',))
    """

    by: str
    sources: tuple[Source, ...] = ()
    upstream: tuple[Provenance, ...] = ()
    verified_by: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether a guard verified this output. It says nothing of what is upstream: see :meth:`unverified`."""
        return bool(self.verified_by)

    def walk(self) -> Iterator[Provenance]:
        """This output's provenance and all upstream, depth first, as often as it was used."""
        yield self
        for each in self.upstream:
            yield from each.walk()

    def unverified(self) -> tuple[str, ...]:
        """The outputs (by their makers' names) and sources in the whole tree that nobody verified, each once."""
        names = [
            name
            for each in self.walk()
            for name in [
                *([] if each.verified else [each.by]),
                *(source.ref for source in each.sources if not source.verified),
            ]
        ]
        return tuple(dict.fromkeys(names))

    def confirmed(self, guard: str, sources: tuple[Source, ...] = ()) -> Provenance:
        """The same, verified by ``guard``, which found these sources."""
        return replace(self, sources=self.sources + sources, verified_by=(*self.verified_by, guard))

    def resting_on(self, *upstream: Provenance) -> Provenance:
        """The same, resting on these outputs too."""
        return replace(self, upstream=self.upstream + upstream)
