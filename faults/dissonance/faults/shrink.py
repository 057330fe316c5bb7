"""From a plan that breaks a workflow to the smallest one: :func:`shrink`.

The order is fixed, so that the smallest plan is one plan and not a matter of luck: fewer agents struck
before more, fewer rules before more; then, rule by rule, one call before many, a benign fault before a worse one, an early slot before
a late one (the order of :meth:`Space.strikes`); then each number as mild as it may be. What comes
back cannot be bettered by taking a rule away, by putting a simpler strike in the place of a single
one, or by one step of one number.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from .space import Space, Strike

__all__ = ["Fails", "shrink"]

Strikes = tuple[Strike, ...]
Fails = Callable[[Strikes], bool]


def shrink(found: Strikes, fails: Fails, space: Space) -> Strikes:
    """The smallest strikes that still fail. ``fails`` is asked about many others; it should remember its answers."""
    order = _Order(space)
    current = order.sorted(found)
    while True:
        fewer = _with_single_agents(_with_fewer(current, fails), fails, order)
        smaller = _with_milder_numbers(_with_simpler_strikes(fewer, fails, order), fails)
        if smaller == current:
            return current
        current = smaller


class _Order:
    """The place of each strike in the enumeration of its space."""

    def __init__(self, space: Space) -> None:
        self.all = list(space.strikes())
        self.agents = space.agents
        self._places: dict[Hashable, int] = {}
        for place, strike in enumerate(self.all):
            self._places.setdefault(_key(strike), place)

    def place(self, strike: Strike) -> int:
        return self._places.get(_key(strike), len(self.all))

    def sorted(self, some: Sequence[Strike]) -> Strikes:
        return tuple(sorted(some, key=self.place))


def _key(strike: Strike) -> Hashable:
    return strike.what.name, strike.slot.address, strike.lasting


def _with_fewer(strikes: Strikes, fails: Fails) -> Strikes:
    """Larger parts first (Zeller and Hildebrandt's ddmin), down to single strikes, until none can be spared."""
    size = max(1, len(strikes) // 2)
    while len(strikes) > 1:
        parts = [strikes[:start] + strikes[start + size :] for start in range(0, len(strikes), size)]
        smaller = next((part for part in parts if part and fails(part)), None)
        if smaller is not None:
            strikes, size = smaller, min(size, max(1, len(smaller) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return strikes


def _with_single_agents(strikes: Strikes, fails: Fails, order: _Order) -> Strikes:
    """In the place of a strike on all agents, strikes on some of them, if these are enough."""
    for strike in strikes:
        if strike.slot.agent is not None or strike.slot.noun != "call":
            continue
        rest = tuple(other for other in strikes if other is not strike)
        each = [
            Strike(strike.what, slot, strike.lasting, strike.fault) for slot in order.agents if slot.takes(strike.what)
        ]
        if fails(order.sorted((*rest, *each))):
            fewer = _with_fewer(order.sorted((*rest, *each)), fails)
            if len(fewer) < len(rest) + len(order.agents):
                return _with_single_agents(fewer, fails, order)
    return strikes


def _with_simpler_strikes(strikes: Strikes, fails: Fails, order: _Order) -> Strikes:
    """The last strike first: what is least simple has the most to gain."""
    for number in reversed(range(len(strikes))):
        rest = strikes[:number] + strikes[number + 1 :]
        for simpler in order.all[: order.place(strikes[number])]:
            candidate = order.sorted((*rest, simpler))
            if simpler not in rest and fails(candidate):
                return _with_simpler_strikes(candidate, fails, order)
    return strikes


def _with_milder_numbers(strikes: Strikes, fails: Fails) -> Strikes:
    for number, strike in enumerate(strikes):
        for name in strike.what.ranges:
            strikes = _with_milder_number(strikes, number, name, fails)
    return strikes


def _with_milder_number(strikes: Strikes, number: int, name: str, fails: Fails) -> Strikes:
    """By bisection: the value that fails while the next milder one does not."""
    strike = strikes[number]
    span = strike.what.ranges[name]

    def at(steps: int) -> Strikes:
        fault = strike.what.milder(strike.fault, name, steps)
        return (*strikes[:number], Strike(strike.what, strike.slot, strike.lasting, fault), *strikes[number + 1 :])

    holds, failing = -1, span.steps_to(getattr(strike.fault, name))
    while failing - holds > 1:
        middle = (holds + failing) // 2 if holds >= 0 else 0
        if fails(at(middle)):
            failing = middle
        else:
            holds = middle
    return at(failing) if fails(at(failing)) else strikes
