"""The encoding ``cl100k_base`` from vendored ranks: loaded once, on first use, without the network.

``tiktoken`` would fetch the ranks itself. Here they are package data (``data/``), their SHA-256 is
checked each time they are loaded, and the encoding is built directly from them: a simulator must
work offline, and must not count with other ranks than it says.
"""

from __future__ import annotations

import lzma
from base64 import b64decode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from dissonance.harness.errors import DissonanceError

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["RANKS_SHA256", "decode", "encode", "encoding", "load_ranks"]

RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""Of the uncompressed file, as ``tiktoken_ext.openai_public`` has it."""

_FILE = Path(__file__).parent / "data" / "cl100k_base.tiktoken.xz"

# The pattern and the special tokens are those of tiktoken_ext.openai_public (tiktoken 0.14).
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_SPECIAL = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}


def load_ranks(file: Path = _FILE) -> dict[bytes, int]:
    """The ranks in an xz-compressed ``.tiktoken`` file; DissonanceError where it is not the file it should be."""
    try:
        data = lzma.decompress(file.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DissonanceError(
            f"The token ranks {file.name} can't be read ({error}); install dissonance again."
        ) from None
    found = sha256(data).hexdigest()
    if found != RANKS_SHA256:
        raise DissonanceError(
            f"The token ranks {file.name} are damaged: their SHA-256 is {found}, it should be {RANKS_SHA256}; "
            "install dissonance again."
        )
    fields = data.split()
    return dict(zip(map(b64decode, fields[::2]), map(int, fields[1::2]), strict=True))


@cache
def encoding() -> Encoding:
    """The encoding, built on the first call (about 0.3 seconds)."""
    from tiktoken import Encoding

    return Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=load_ranks(), special_tokens=_SPECIAL)


def encode(text: str) -> list[int]:
    """The tokens of a text; what looks like a special token is ordinary text."""
    return encoding().encode_ordinary(text)


def decode(tokens: list[int]) -> str:
    """The text of these tokens, without a last character that is cut in two."""
    return encoding().decode(tokens, errors="ignore")
