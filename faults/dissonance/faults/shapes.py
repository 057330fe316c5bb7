"""Named shapes of trouble, as plans over virtual time: :func:`storm`, :func:`flap`, :func:`brownout`, :func:`swizzle`.

Where a space is drawn from, a shape is built: the same arguments give the same plan. Times are virtual
seconds since the run began; a rule is for the calls that are *sent* within its window.
"""

from __future__ import annotations

from collections.abc import Sequence

from dissonance.harness.errors import BadInput

from .at import At
from .draw import uniform
from .fault import Fault
from .latency import Overloaded, SlowReply
from .plan import FaultPlan
from .rule import Rule
from .transport import Disconnect
from .when import When

__all__ = ["brownout", "flap", "storm", "swizzle"]


def storm(*, after: float = 0, seconds: float = 60, fault: Fault | None = None) -> FaultPlan:
    """Every call of every agent fails for a while (default: 529), the clients' retries too.

    >>> from dissonance.faults import sentence
    >>> sentence(storm(seconds=20))
    'r1: on every call, sent before 20 s, the API answers 529 (overloaded).'
    """
    _above_zero("storm", seconds=seconds)
    window = _window("storm", after, after + seconds)
    return FaultPlan(rules=(Rule(when=window, fault=Overloaded() if fault is None else fault),))


def flap(*, period: float = 20, times: int = 3, down: float = 0.5, fault: Fault | None = None) -> FaultPlan:
    """Down and up again, ``times`` times: each ``period`` begins with the fault, for the share ``down`` of it."""
    _above_zero("flap", period=period, times=times, down=down)
    if down >= 1:
        raise BadInput(f"flap(down={down!r}): give a share below 1; for an outage without a pause take storm()")
    what = Disconnect() if fault is None else fault
    windows = [_window("flap", n * period, n * period + down * period) for n in range(times)]
    return FaultPlan(rules=tuple(Rule(when=window, fault=what) for window in windows))


def brownout(*, after: float = 0, seconds: float = 300, slow: float = 30, every: int = 3) -> FaultPlan:
    """Not down, but bad: for a while each reply comes ``slow`` seconds late, and each agent's every n-th call fails (529)."""
    _above_zero("brownout", seconds=seconds, slow=slow, every=every)
    window = _window("brownout", after, after + seconds)
    failing = When(after=window.after, before=window.before, every=every)
    return FaultPlan(rules=(Rule(when=window, fault=SlowReply(seconds=slow)), Rule(when=failing, fault=Overloaded())))


def swizzle(agents: Sequence[str], *, seed: int = 0, step: float = 10, fault: Fault | None = None) -> FaultPlan:
    """The agents lose their connection one after the other, and get it back one after the other in another order.

    As FoundationDB's simulation does with network interfaces ("swizzle-clogging"): it finds what depends
    on an order of failures and recoveries. One agent goes down each ``step`` seconds; when all are
    down, one comes back each ``step``. Both orders are drawn by ``seed``.
    """
    if isinstance(agents, str) or not agents or not all(isinstance(each, str) and each for each in agents):
        raise BadInput(f"swizzle(agents={agents!r}): give a list of agents' names")
    _above_zero("swizzle", step=step)
    what = Disconnect() if fault is None else fault
    downs, ups = (_order(agents, seed, which) for which in ("down", "up"))
    count = len(downs)
    windows = {each: (downs.index(each) * step, (count + ups.index(each)) * step) for each in downs}
    return FaultPlan(
        rules=tuple(Rule(at=At(agent=agent), when=_window("swizzle", *windows[agent]), fault=what) for agent in downs)
    )


def _order(agents: Sequence[str], seed: int, which: str) -> list[str]:
    return sorted(dict.fromkeys(agents), key=lambda agent: uniform(seed, which, agent))


def _window(shape: str, after: float, before: float) -> When:
    if after < 0:
        raise BadInput(f"{shape}(after={after!r}): give a second of the run, 0 or later")
    return When(before=before) if after == 0 else When(after=after, before=before)


def _above_zero(shape: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < float("inf"):
            raise BadInput(f"{shape}({name}={number!r}): give a number above 0")
