"""One run's end of the wire: takes requests, asks faults and model, records all of it.

For each request: who sent it, whether the run may go on (the switch), what the faults make of it,
whether the API takes it, what the model says, what the faults make of that, and how it is rendered.
All this is decided when the request arrives and needs no time; the drivers then perform the result.

*Changed* is measured here: what is rendered is compared with what would have been rendered without
the rule. *Reached* is measured when the delivery ends: the client must have got as far as the first
difference, or have given up later than it would have had to wait without the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any, Literal, NamedTuple, cast

from pydantic_core import to_json

from .agents import Agents, Ordinals, attribute, by_runtime, current_agent
from .call import ApiError, Call, Interceptor, LiveModel, Message, Model, Reply, Usage, is_live
from .errors import OverBudget
from .history import Bodies, CallSent, FaultFired, Received, ReplyReceived
from .limits import Switch
from .moment import Moment, ToolFailure
from .process import Process
from .recorder import Recorder
from .wire.catalog import cost, models_reply
from .wire.complete import complete
from .wire.drivers import Delivery
from .wire.growing import GrowingParser
from .wire.render import Chunk, Performance, parting, render
from .wire.request import Request, read_request
from .wire.tokens import Measured, Meter
from .wire.validate import is_thread_request, over_window, validate
from .world import World

__all__ = ["Exchange", "FaultCount", "Recorded"]


@dataclass(slots=True)
class FaultCount:
    """What became of a rule: how often it *fired*, *reached* the agent, *changed* bytes or timing, and was *observed*.

    ``observed`` is None where it was not measured: more than one rule, no baseline, or tier T3.
    """

    fired: int = 0
    reached: int = 0
    changed: int = 0
    observed: int | None = None


class _Fired(NamedTuple):
    """A rule that fired on a call: where what is rendered parts from ``without`` (None: nowhere)."""

    rule: Interceptor
    side: Literal["request", "reply"]
    without: Reply
    difference: int | None
    before: str | None
    after: str | None


@dataclass(slots=True, eq=False)
class _Sent:
    """A performance that nobody records: the refusal of what is no call at all."""

    performance: Performance

    def waits(self) -> None:
        pass

    def ended(self, received: Received, chunks: int) -> None:
        pass


@dataclass(slots=True, eq=False)
class Recorded:
    """A reply on its way to the agent, which is recorded when it has ended."""

    exchange: Exchange
    call: Call
    reply: Reply
    fired: Sequence[_Fired]
    _performance: Performance | None = None

    @property
    def performance(self) -> Performance:
        """The reply as it goes over the wire; rendered when it is asked for."""
        return self._performance or self.render()

    def render(self) -> Performance:
        """Render it now. Raises what is wrong with a reply that a model or an interceptor has made."""
        self._performance = render(self.reply, self.call)
        return self._performance

    def waits(self) -> None:
        self.exchange.recorder.flush()

    def ended(self, received: Received, chunks: int) -> None:
        self.exchange._ended(self, received, chunks)


@dataclass(eq=False)
class Exchange:
    """The simulated API of one run. ``broken`` is what a model or an interceptor of the caller's raised."""

    world: World
    recorder: Recorder
    model: Model | LiveModel
    rules: Sequence[Interceptor]
    seed: int
    switch: Switch
    process: Process
    counts: dict[str, FaultCount]
    agents: Agents | None = None
    broken: Exception | None = None
    refused_hosts: list[str] = field(default_factory=list)
    prepared: Callable[[], Delivery | None] = lambda: None

    def __post_init__(self) -> None:
        self._live: LiveModel | None = None
        self._pure: Model | None = None
        if is_live(self.model):
            self._live = self.model
        else:
            self._pure = cast("Model", self.model)
        self._ordinals = Ordinals()
        self._meter = Meter()
        self._parser = GrowingParser()
        self._last_kept: tuple[Reply | None, str | None] = (None, None)
        self._askers: dict[str, str] = {}
        self._uses: dict[tuple[str, str], int] = {}

    def altered_task(self, rule: Interceptor, before: Any, after: Any) -> None:
        """Note that a rule altered the task (as JSON), which the workflow is about to be given."""
        mark = rule.mark(Call(id=0))
        count = self.counts[rule.id]
        count.fired += 1
        count.changed += before != after
        count.reached += 1
        self.recorder.add(
            FaultFired,
            agent="",
            rule=rule.id,
            fault=mark.fault,
            call=0,
            side="task",
            changed=before != after,
            before=self.recorder.bodies.put(before),
            after=self.recorder.bodies.put(after),
            claims=mark.claims,
            ends_at=self.world.now,
            damages=mark.damages,
        )

    # --- Wire -------------------------------------------------------------------------------

    def api(self, method: str, path: str, headers: Any, body: bytes) -> Delivery:
        """The reply to a request of the Messages API. Raises :class:`RunStopped` once the run is to end."""
        given = self.prepared()
        if given is not None:
            return given
        self.switch.check()
        request = read_request(method, path, headers, body, self._parser.parse)
        if isinstance(request, Reply):
            return self._unrecorded(request)
        if is_thread_request(request):
            refusal = validate(request)
            assert refusal is not None
            return self._unrecorded(refusal)
        return self._taken(request, rendered=True)

    @property
    def simulated(self) -> bool:
        """Whether a model answers, and not the real API."""
        return self._live is None

    def direct(self, request: Request) -> Recorded:
        """As :meth:`api`, for a request that is read already (see ``direct``)."""
        self.switch.check()
        return self._taken(request, rendered=False)

    def _taken(self, request: Request, *, rendered: bool) -> Recorded:
        measured = self._meter.measure(request, self.recorder.bodies)
        call = self._call(request, measured)
        try:
            recorded = self._answer(request, call)
            if rendered:
                recorded.render()
            return recorded
        except OverBudget as error:
            self.switch.stop("usd", str(error))
        except Exception as error:
            # The client library would take an exception of the caller's model for one of the connection.
            self.broken = error
            self.switch.stop("model", f"{type(error).__name__}: {error}")
            raise AssertionError("unreachable") from error

    def check(self) -> None:
        """A request to another API. Raises :class:`RunStopped` once the run is to end."""
        self.switch.check()

    def refused(self, host: str) -> None:
        """Note a host that the workflow tried to reach."""
        if host not in self.refused_hosts:
            self.refused_hosts.append(host)

    def _unrecorded(self, reply: Reply) -> Delivery:
        call = Call(id=-1)
        return _Sent(render(complete(reply, call, self.seed), call))

    # --- the workflow's own tools -----------------------------------------------------------

    def strike(self, tool: str, arguments: Any) -> ToolFailure | None:
        """How this use of a tool fails; None where it runs. Raises :class:`RunStopped` once the run is to end."""
        self.switch.check()
        agent = current_agent() or self._askers.get(tool) or by_runtime() or ""
        ordinal = self._uses[agent, tool] = self._uses.get((agent, tool), 0) + 1
        said = to_json(arguments, fallback=str).decode()
        use = Moment(kind="tool", id=0, agent=agent, ordinal=ordinal, sent_at=self.world.now, text=said, tool=tool)
        for rule in self.rules:
            failure: ToolFailure | None = getattr(rule, "on_tool", _nothing)(use, self.recorder.history)
            if failure is not None:
                self._record_strike(rule, use, failure)
                return failure
        return None

    def _record_strike(self, rule: Interceptor, use: Moment, failure: ToolFailure) -> None:
        mark = rule.mark(use)  # type: ignore[arg-type]
        count = self.counts[rule.id]
        count.fired += 1
        count.changed += 1
        count.reached += 1
        self.recorder.add(
            FaultFired,
            agent=use.agent,
            rule=rule.id,
            fault=mark.fault,
            call=0,
            side="tool",
            changed=True,
            before=self.recorder.bodies.put({"tool": use.tool, "arguments": use.text}),
            after=self.recorder.bodies.put(asdict(failure)),
            claims=mark.claims,
            ends_at=mark.ends_at,
            damages=mark.damages,
        )

    # --- the call ---------------------------------------------------------------------------

    def _call(self, request: Request, measured: Measured) -> Call:
        body = request.body
        call = Call(
            id=self.recorder.next_id,
            endpoint=request.endpoint,
            model=_text(body.get("model")),
            system=body.get("system"),
            messages=_list(body.get("messages")),
            tools=_list(body.get("tools")),
            tool_choice=body.get("tool_choice"),
            max_tokens=_whole(body.get("max_tokens")),
            stream=body.get("stream") is True,
            params={name: value for name, value in body.items() if name not in _OWN_FIELDS},
            headers=request.headers,
            sent_at=self.world.now,
            tokens=measured.tokens,
        )
        agent = attribute(call, self.agents)
        key = (measured, call.model, call.max_tokens, call.stream)
        ordinal, attempt = self._ordinals.assign(agent, request.endpoint, key, request.retry)
        self.recorder.hold(
            CallSent(
                id=call.id,
                at=call.sent_at,
                agent=agent,
                endpoint=call.endpoint,
                model=call.model,
                ordinal=ordinal,
                attempt=attempt,
                tokens=measured.tokens,
                max_tokens=call.max_tokens,
                stream=call.stream,
                system=measured.system,
                tools=measured.tools,
                messages=measured.messages,
                params=measured.params,
            )
        )
        self.switch.count_call(call.endpoint)
        vars(call).update(agent=agent, ordinal=ordinal, attempt=attempt)  # nobody else has seen it yet
        return call

    # --- the answer -------------------------------------------------------------------------

    def _answer(self, request: Request, call: Call) -> Recorded:
        self.process.reach(call, "call")
        refusal = None if call.endpoint == "models" else validate(request)
        if self._live is not None:
            refusal = None  # that is for the real API to say
        if not self.rules or refusal is not None:  # what the API cannot read is no call that a fault could be for
            reply = complete(refusal or self._plain(request, call), call, self.seed)
            return Recorded(self, call, reply, ())
        fired: list[_Fired] = []
        seen, reply = self._on_request(request, call, fired)
        reply = self._on_reply(call, seen, reply, fired)
        for each in fired:
            self._record_fault(call, each)
        return Recorded(self, call, reply, fired)

    def _plain(self, request: Request, call: Call) -> Reply:
        """What comes back to a valid request, or to what a fault has made of it for the model to see."""
        if self._live is not None:
            return self._ask(self._live, call)
        if call.endpoint == "models":
            return models_reply(request)
        if call.endpoint == "count_tokens":
            return Reply(body={"input_tokens": call.tokens})
        assert self._pure is not None
        return over_window(call.tokens, call.model) or self._pure.reply(call, self.recorder.history)

    def _before(self, request: Request, call: Call) -> Reply:
        """What would come back without the rules that follow; a live model is not asked for what nobody will get."""
        return self._plain(request, call) if self._live is None else Reply()

    def _ask(self, model: LiveModel, call: Call) -> Reply:
        """Ask a live model, in real time, in which nothing else of the run goes on."""
        world = self.world
        world.escape("the live model")
        patience, world.blocked_seconds = world.blocked_seconds, inf
        try:
            return model.ask(call)
        finally:
            world.blocked_seconds = patience

    def _on_request(self, request: Request, call: Call, fired: list[_Fired]) -> tuple[Call, Reply]:
        """The call as the model sees it, and what comes back before any rule has touched it."""
        reply: Reply | None = None
        for rule in self.rules:
            result = rule.on_request(call, self.recorder.history)
            if result is None:
                continue
            plain = self._finished(self._before(request, call) if reply is None else reply, call)
            if isinstance(result, Reply):
                fired.append(self._compare(rule, "reply", call, plain, self._finished(result, call)))
                return call, result
            measured = self._meter.measure(_as_request(request, result), self.recorder.bodies)
            altered = replace(result, tokens=measured.tokens)
            reply = self._before(request, altered)
            difference = self._compare(rule, "request", call, plain, self._finished(reply, altered))
            before, now = (self.recorder.bodies.put(_content(each)) for each in (call, altered))
            moved = difference.difference if difference.difference is not None or before == now else 0
            if self._live is not None:
                reply = None
            fired.append(difference._replace(before=before, after=now, difference=moved))
            call = altered
        return call, self._plain(request, call) if reply is None else reply

    def _on_reply(self, call: Call, seen: Call, reply: Reply, fired: list[_Fired]) -> Reply:
        current = self._finished(reply, seen)
        for rule in self.rules:
            result = rule.on_reply(call, reply, self.recorder.history)
            if result is not None:
                reply, before = result, current
                current = self._finished(reply, seen)
                fired.append(self._compare(rule, "reply", call, before, current))
        return current

    def _finished(self, reply: Reply, call: Call) -> Reply:
        return complete(reply, call, self.seed)

    def _compare(
        self, rule: Interceptor, side: Literal["request", "reply"], call: Call, before: Reply, after: Reply
    ) -> _Fired:
        return _Fired(rule, side, before, parting(before, after, call), self._keep(before), self._keep(after))

    def _keep(self, reply: Reply) -> str | None:
        """The hash of a reply's body, which is kept. What a fault has made is kept twice: when it fires, and at the end."""
        if reply is not self._last_kept[0]:
            self._last_kept = (reply, _kept(reply, self.recorder.bodies))
        return self._last_kept[1]

    # --- the record -------------------------------------------------------------------------

    def _record_fault(self, call: Call, fired: _Fired) -> None:
        mark = fired.rule.mark(call)
        changed = fired.difference is not None
        count = self.counts[fired.rule.id]
        count.fired += 1
        count.changed += changed
        self.recorder.add(
            FaultFired,
            agent=call.agent,
            rule=fired.rule.id,
            fault=mark.fault,
            call=call.id,
            side=fired.side,
            changed=changed,
            before=fired.before,
            after=fired.after,
            claims=mark.claims,
            ends_at=mark.ends_at,
            damages=mark.damages,
        )

    def _ended(self, delivery: Recorded, received: Received, chunks: int) -> None:
        call, reply = delivery.call, delivery.reply
        now = self.world.now
        elapsed = now - call.sent_at
        reached = [each.rule.id for each in delivery.fired if _felt(each, call, received, chunks, elapsed)]
        for rule in reached:
            self.counts[rule].reached += 1
        message, usage = reply.message, _billed(reply)
        for block in message.content if message is not None else ():
            if block.get("type") == "tool_use":
                self._askers[str(block.get("name"))] = call.agent
        usd = cost(usage, call.model) if usage is not None else 0.0
        self.switch.count_usage(usage, usd)
        body = self._keep(reply)
        self.recorder.keep(
            ReplyReceived(
                id=self.recorder.next_id,
                at=now,
                agent=call.agent,
                call=call.id,
                status=reply.status,
                usage=usage,
                usd=usd,
                seconds=elapsed,
                ending=received,
                stop_reason=message.stop_reason if message is not None else None,
                error=_error(reply, received),
                body=body,
                reached=tuple(reached),
            )
        )
        self.process.reach(call, "reply")


def _nothing(use: Moment, past: Any) -> None:
    """What a rule without ``on_tool`` makes of a tool."""


_OWN_FIELDS = frozenset({"model", "system", "messages", "tools", "tool_choice", "max_tokens", "stream"})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _list(value: Any) -> Sequence[Any]:
    """Items that are JSON objects; what else a malformed request holds is refused later and seen by nobody."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def _as_request(request: Request, call: Call) -> Request:
    """The request with the contents of an altered call."""
    body = dict(request.body)
    for name in ("system", "messages", "tools", "tool_choice", "max_tokens"):
        value = getattr(call, name)
        if value or name in body:
            body[name] = list(value) if isinstance(value, tuple) else value
    return replace(request, body=body)


def _content(call: Call) -> dict[str, Any]:
    return {"system": call.system, "tools": list(call.tools), "messages": list(call.messages)}


def _kept(reply: Reply, bodies: Bodies) -> str | None:
    """The hash of a reply's body as JSON; None for a connection that failed or a body that is empty."""
    body = reply.body
    if isinstance(body, Message):
        kept = {
            "type": "message",
            "id": body.id,
            "content": body.content,
            "stop_reason": body.stop_reason,
            "stop_sequence": body.stop_sequence,
        }
        return bodies.put_json(to_json(kept, fallback=dict))  # in the wire's own order of keys: much the cheapest
    if isinstance(body, ApiError):
        return bodies.put(
            {"type": "error", "error": {"type": body.type, "message": body.message, "details": body.details}}
        )
    if isinstance(body, bytes):
        return bodies.put({"type": "raw", "raw": body.decode("utf-8", "replace")})
    return None if body is None else bodies.put(body)


def _billed(reply: Reply) -> Usage | None:
    """A message is billed whole, also where the client did not wait for its end: the model has written it."""
    message = reply.message
    return message.usage if message is not None and reply.status is not None and reply.status < 300 else None


def _error(reply: Reply, received: Received) -> str | None:
    if isinstance(reply.body, ApiError):
        return reply.body.type
    if reply.status is None:
        return reply.failure
    if received == "error_event":
        return reply.event_error.type if reply.event_error is not None else "overloaded_error"
    return None


def _felt(fired: _Fired, call: Call, received: Received, chunks: int, elapsed: float) -> bool:
    """Whether the agent has received what this rule made of the reply."""
    place = -1 if fired.difference is None else fired.difference
    if received == "abandoned" and chunks <= place:
        return elapsed > _arrival(render(fired.without, call), place)
    return chunks >= place


def _arrival(performance: Performance, chunk: int) -> float:
    """When the client would have had this chunk (-1: the head), in seconds since the request."""
    chunks: Sequence[Chunk] = performance.chunks[: chunk + 1]
    return performance.first_byte + sum(each.after for each in chunks)
