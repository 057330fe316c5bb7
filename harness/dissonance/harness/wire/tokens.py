"""How large a request is: :class:`Meter`, which measures a growing one at the cost of what is new in it.

The counts are those of ``estimate``; here they are kept by content, together with the content
hashes that the history names the parts of a request by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic_core import to_json

from dissonance.harness.call import Call, JsonObject
from dissonance.harness.history import Bodies, canonical, content_hash
from dissonance.harness.secrets import hidden, without_secrets

from .catalog import ModelInfo, info
from .estimate import PER_MESSAGE, corrected, count_block, count_content, count_json, count_text
from .memo import Memo
from .request import Request

__all__ = ["Measured", "Meter", "count_call", "count_text"]

# --- requests ---------------------------------------------------------------------------------


class Measured(NamedTuple):
    """What a request holds, as content hashes into ``history.Bodies``, and how many tokens it is estimated to be.

    ``system`` and ``tools`` are None where the request has none; ``params`` covers all fields but
    those three, ``model``, ``max_tokens`` and ``stream``, and is None where there are none.
    """

    system: str | None
    tools: str | None
    messages: tuple[str, ...]
    params: str | None
    tokens: int


class _Part(NamedTuple):
    """Something measured before: its content hash and its uncorrected tokens.

    ``exact``: it holds no number and no boolean, so that what is equal to it is the same JSON (1, 1.0 and true are
    equal in Python).
    """

    hash: str
    tokens: int
    exact: bool = False


class _Block(NamedTuple):
    """A content block measured before: a number that stands for it in keys, its canonical JSON, its tokens."""

    number: int
    data: bytes
    tokens: int
    exact: bool


class _State(NamedTuple):
    """The messages of an earlier request, their parts, and where these are not exact."""

    messages: list[Any]
    parts: list[_Part]
    inexact: list[int]


class _Written(NamedTuple):
    """Something measured in any run: its canonical JSON without credentials, and what a :class:`_Part` says of it."""

    data: bytes
    hash: str
    tokens: int
    exact: bool


_written: Memo[tuple[str, Any], _Written] = Memo(cap=8_000_000)
"""By the kind of a part and its content: one run after the other sends the same."""
_UNKNOWN = _State([], [], [])
_STATES = 8
_APART = frozenset({"system", "tools", "messages", "model", "max_tokens", "stream"})
_HASHERS = 256
_LOOK_BACK = 8  # so many blocks may be new at a message's end without the whole of it being hashed again


class Meter:
    """Measures requests; what it has seen before costs a look-up.

    A workflow resends its history with each call, and each call's JSON is parsed anew, so only the
    texts themselves can be compared and be keys: either costs less than a hundredth of tokenising.
    ``cap`` bounds the characters held, for messages and for blocks. A meter serves one ``Bodies``
    at a time: with another one, what was measured is still known, and kept again.
    """

    def __init__(self, cap: int = 32_000_000) -> None:
        self._cap = cap
        self._bodies: Bodies | None = None

    def measure(self, request: Request, bodies: Bodies) -> Measured:
        """The request's hashes and tokens; each of its parts that ``bodies`` lacks is kept there.

        Takes any JSON object as a body: what is malformed is refused by ``validate``, and recorded all the same.
        """
        if bodies is not self._bodies:
            self._begin(bodies)
        body = request.body
        name = body.get("model")
        model = info(name if isinstance(name, str) else "")
        system = self._part("system", body.get("system"))
        tools = self._part("tools", body.get("tools") or None)
        params = self._part("params", {k: v for k, v in body.items() if k not in _APART} or None)
        messages = body.get("messages")
        parts = self._history(messages) if isinstance(messages, list) else []
        base = sum([part.tokens for part in parts])
        flat = PER_MESSAGE * len(parts)
        if system is not None:
            base += system.tokens
            flat += PER_MESSAGE
        if tools is not None:
            base += tools.tokens
            flat += _tools_overhead(body, model)
        return Measured(
            None if system is None else system.hash,
            None if tools is None else tools.hash,
            tuple([part.hash for part in parts]),
            None if params is None else params.hash,
            corrected(base, model.id) + flat,
        )

    def _begin(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._messages: Memo[Any, _Part] = Memo(self._cap)
        self._parts: Memo[Any, _Part] = Memo(self._cap)
        self._blocks: Memo[Any, _Block] = Memo(self._cap)
        self._hashers: dict[tuple[int, ...], blake2b] = {}
        self._number = 0
        self._last_blocks: tuple[list[Any], list[_Block]] = ([], [])
        self._states: list[_State] = []  # the latest first

    def _keep(self, data: bytes, tokens: int, *, hash: str = "", exact: bool = False) -> _Part:
        assert self._bodies is not None
        cleaned = hidden.clean_bytes(data)
        if cleaned is not data:
            data, hash = cleaned, ""
        hash = hash or content_hash(data)
        self._bodies.keep(hash, data)
        return _Part(hash, tokens, exact)

    def _new(self, known: Memo[Any, _Part], kind: str, key: Any, value: Any) -> _Part:
        """The part, which these bodies do not hold yet."""
        written = _written.data.get((kind, key))
        if written is None:
            written = _write(kind, value)
            _written.keep((kind, key), written, len(written.data))
        part = self._keep(written.data, written.tokens, hash=written.hash, exact=written.exact)
        return known.keep(key, part, len(written.data))

    def _part(self, kind: str, value: Any) -> _Part | None:
        if value is None:
            return None
        key = (kind, value if type(value) is str else to_json(value))
        part = self._parts.data.get(key)
        return self._new(self._parts, kind, key, value) if part is None else part

    # --- messages

    def _history(self, messages: list[Any]) -> list[_Part]:
        """The parts of all messages. Those that a recent request began with are compared, not looked up."""
        known = _UNKNOWN
        first = messages[0] if messages else None
        for index, state in enumerate(self._states):
            begun = len(state.messages)
            if state.messages[0] == first and (begun == 1 or state.messages == messages[:begun]):
                known = self._states.pop(index)
                break
        begun = len(known.messages)
        parts = [*known.parts, *map(self._message, messages[begun:])]
        for index in known.inexact:
            parts[index] = self._message(messages[index])
        inexact = known.inexact + [index for index in range(begun, len(parts)) if not parts[index].exact]
        if messages:
            self._states.insert(0, _State(messages, parts, inexact))
            del self._states[_STATES:]
        return parts

    def _message(self, message: Any) -> _Part:
        key: Any
        try:
            role, content = message["role"], message["content"]
            if len(message) != 2 or type(role) is not str:
                key = to_json(message)
            elif type(content) is str:
                key = (role, content)
            elif type(content) is list:
                if len(content) > 1:
                    return self._of_blocks(role, content)
                key = (role, tuple(map(_block_key, content)))
            else:
                key = to_json(message)
        except (KeyError, TypeError):
            key = to_json(message)
        part = self._messages.data.get(key)
        return self._new(self._messages, "message", key, message) if part is None else part

    def _of_blocks(self, role: str, content: list[Any]) -> _Part:
        """The part of a message of many blocks: their numbers stand for it, so that no text need be hashed again."""
        blocks = self._known_blocks(content)
        key = (role, tuple([block.number for block in blocks]))
        part = self._messages.data.get(key)
        return self._new_blocks(key, blocks) if part is None else part

    def _known_blocks(self, content: list[Any]) -> list[_Block]:
        """Its blocks. Those with which the last message of many began are compared, not looked up."""
        last, known = self._last_blocks
        begun = len(last) if content[: len(last)] == last else 0
        blocks = known[:begun]
        for index, block in enumerate(blocks):
            if not block.exact:
                blocks[index] = self._block(_block_key(content[index]), content[index])
        blocks += [self._block(_block_key(block), block) for block in content[begun:]]
        self._last_blocks = (content, blocks)
        return blocks

    def _new_blocks(self, key: tuple[str, tuple[int, ...]], blocks: Sequence[_Block]) -> _Part:
        tail = b'],"role":' + canonical(key[0]) + b"}"
        hasher = self._hash_blocks(key[1], blocks)
        hasher.update(tail)
        hash, tokens = hasher.hexdigest(), sum([block.tokens for block in blocks])
        exact = all([block.exact for block in blocks])
        if hidden.empty:
            assert self._bodies is not None
            self._bodies.keep_pieces(hash, (b'{"content":[', b",", [block.data for block in blocks], tail))
            part = _Part(hash, tokens, exact)
        else:
            data = b'{"content":[' + b",".join([block.data for block in blocks]) + tail
            part = self._keep(data, tokens, hash=hash, exact=exact)
        return self._messages.keep(key, part, 8 * len(blocks))

    def _hash_blocks(self, numbers: tuple[int, ...], blocks: Sequence[_Block]) -> blake2b:
        """The hash state after the canonical JSON of a message up to its last block.

        It goes on from an earlier message that began with the same blocks, so that a message which
        grows by a block costs that block.
        """
        hasher = None
        done = len(numbers)
        while hasher is None and done > max(0, len(numbers) - _LOOK_BACK):
            done -= 1
            hasher = self._hashers.get(numbers[:done])
        if hasher is None:
            hasher, done = blake2b(b'{"content":[', digest_size=8), 0
        hasher = hasher.copy()
        for index in range(done, len(blocks)):
            hasher.update(b"," + blocks[index].data if index else blocks[index].data)
        if len(self._hashers) >= _HASHERS:
            self._hashers.clear()
        self._hashers[numbers] = hasher
        return hasher.copy()

    def _block(self, key: Any, block: Any) -> _Block:
        known = self._blocks.data.get(key)
        if known is not None:
            return known
        data = canonical(block)
        self._number += 1
        known = _Block(self._number, data, count_block(block), _only_text(block))
        return self._blocks.keep(key, known, 2 * len(data))


def _block_key(block: Any) -> Any:
    """What stands for a block in a message's key: text as it is, a plain tool result as a tuple, all else as JSON."""
    kind = block["type"]
    size = len(block)
    if kind == "text":
        if size == 2 and type(block["text"]) is str:
            return block["text"]
    elif kind == "tool_result" and 3 <= size <= 4:
        key = (block["tool_use_id"], block["content"]) if size == 3 else _full_result(block)
        if type(key[0]) is str and type(key[1]) is str:
            return key
    return to_json(block)


def _full_result(block: Any) -> tuple[Any, ...]:
    error = block["is_error"]
    return (block["tool_use_id"], block["content"], error) if type(error) is bool else (None, None)


def _only_text(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_only_text, value.values()))
    if isinstance(value, list):
        return all(map(_only_text, value))
    return value is None or isinstance(value, str)


def _write(kind: str, value: Any) -> _Written:
    data = canonical(without_secrets(value) if kind == "params" else value)
    return _Written(data, content_hash(data), _count_part(kind, value), kind == "message" and _only_text(value))


def _count_part(kind: str, value: Any) -> int:
    if kind == "params":
        return 0  # what they add to a prompt is not documented
    if kind == "message":
        return count_content(value.get("content") if isinstance(value, dict) else value)
    if kind == "tools":
        return sum(map(count_json, value)) if isinstance(value, list) else count_json(value)
    return count_content(value)


def count_call(call: Call) -> int:
    """The estimated input tokens of a call's contents, as a :class:`Meter` counts the request that it was."""
    base = sum([count_content(_plain(message.get("content"))) for message in call.messages])
    flat = PER_MESSAGE * len(call.messages)
    if call.system is not None:
        base += count_content(_plain(call.system))
        flat += PER_MESSAGE
    if call.tools:
        base += sum(map(count_json, call.tools))
        flat += _tools_overhead({"tool_choice": call.tool_choice}, info(call.model))
    return corrected(base, call.model) + flat


def _plain(content: Any) -> Any:
    return list(content) if isinstance(content, tuple) else content


def _tools_overhead(body: JsonObject, model: ModelInfo) -> int:
    choice = body.get("tool_choice")
    forced = isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")
    return model.tools_overhead[forced]
