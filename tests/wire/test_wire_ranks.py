"""The vendored ranks: exact, checked, offline."""

from __future__ import annotations

import lzma
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from dissonance.harness.errors import DissonanceError
from dissonance.harness.wire import ranks


def test_loading_and_counting_open_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ranks.encoding.cache_clear()
    assert ranks.encode("Hello, world! 123456 <|endoftext|>") == [
        9906, 11, 1917, 0, 220, 4513, 10961, 83739, 8862, 728, 428, 91, 29,
    ]  # fmt: skip


def test_tokens_decode_to_their_text() -> None:
    text = "Zwölf Boxkämpfer 拳闘 👊\n\tx = 1"
    assert ranks.decode(ranks.encode(text)) == text


def test_a_character_cut_in_two_is_left_out() -> None:
    tokens = ranks.encode("ok 👩‍🚀")
    assert [ranks.decode(tokens[:n]) for n in (1, 2)] == ["ok", "ok "]


def test_damaged_ranks_are_refused(tmp_path: Path) -> None:
    data = lzma.decompress((Path(ranks.__file__).parent / "data" / "cl100k_base.tiktoken.xz").read_bytes())
    file = tmp_path / "cl100k_base.tiktoken.xz"
    file.write_bytes(lzma.compress(data.replace(b"IQ== 0", b"IQ== 1", 1), preset=0))
    with pytest.raises(DissonanceError, match=r"are damaged: their SHA-256 is [0-9a-f]{64}, it should be 223921b7"):
        ranks.load_ranks(file)


@pytest.mark.parametrize("content", [None, b"not xz"], ids=["missing", "not xz"])
def test_unreadable_ranks_are_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "r.xz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DissonanceError, match=r"^The token ranks r\.xz can't be read .*; install dissonance again\.$"):
        ranks.load_ranks(file)
