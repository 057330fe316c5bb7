"""The family ``process``: the process dies, and is started again some time later.

What a run starts again is a ``Restartable(start, resume)``; any other workflow ends as *crashed*. In one run
a checkpoint, an action and a request to the human are counted over all agents: ``When(call=2)`` is then the
second of them. For a real ``kill -9`` see ``dissonance.harness.crashes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from dissonance.harness.call import Call

from .at import At
from .fault import Family, Fault
from .spec import Seconds

if TYPE_CHECKING:
    from dissonance.harness.history import History
    from dissonance.harness.moment import Moment, Place

__all__ = ["Crash", "RestartWhilePaused"]

_Place: TypeAlias = Literal["call", "reply", "checkpoint", "action"]


class Crash(Fault):
    """The process dies at ``place`` of the rule's slot, and is started again ``down`` virtual seconds later.

    * ``reply``: as the reply to the call has arrived; ``call``: while the call is under way, so that its reply is lost.
    * ``checkpoint``: as a state has been saved; ``action``: as an action has taken effect, before anything notes it.

    Without a ``when`` it strikes at each such place, those of the resumed workflow too: a crash loop.
    """

    family: ClassVar[Family] = "process"
    place: _Place = "reply"
    down: Seconds = 60.0

    @property
    def noun(self) -> str:
        return "call" if self.place in ("call", "reply") else self.place

    def sentence(self) -> str:
        where = {
            "call": "while the call is under way",
            "reply": "as the reply has arrived",
            "checkpoint": "as it is saved",
            "action": "as it has taken effect",
        }[self.place]
        return f"the process dies {where} and is started again {self.down:g} s later"

    def objection(self, at: At) -> str | None:
        if self.place in ("checkpoint", "action") and (at.tool or at.endpoint != "messages"):
            return f"Crash(place={self.place!r}): at.tool and at.endpoint are those of calls; leave them out"
        return None

    def dies_at(self, slot: Call | Moment, place: Place, past: History, rule: str) -> float | None:
        return self.down if place == self.place else None


class RestartWhilePaused(Fault):
    """The process dies while a human is being asked, or while the workflow is paused, and comes back ``down``
    virtual seconds later: a deployment over lunch.

    A request that is asked again afterwards is left alone.
    """

    family: ClassVar[Family] = "process"
    down: Seconds = 3600.0

    @property
    def noun(self) -> str:
        return "request"

    def sentence(self) -> str:
        return f"the process is restarted while it waits for the human, and is away for {self.down:g} s"

    def objection(self, at: At) -> str | None:
        if at.tool or at.endpoint != "messages":
            return "RestartWhilePaused: at.tool and at.endpoint are those of calls; leave them out"
        return None

    def dies_at(self, slot: Call | Moment, place: Place, past: History, rule: str) -> float | None:
        return self.down if place in ("ask", "pause") and slot.attempt == 1 else None
