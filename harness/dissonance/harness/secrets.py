"""What must never be stored or shown: keys, tokens, authorization headers, passwords in URLs.

Two nets. By name: fields and headers that hold credentials are blanked before anything is kept (:func:`without_secrets`,
:func:`is_secret_name`). By value: the credentials that this process has in its environment, and those that a request was
sent with, are blanked wherever a workflow's own words repeat them (:data:`hidden`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["BLANK", "Hidden", "hidden", "is_secret_name", "without_secrets"]

BLANK = "[secret]"
"""What stands in the place of a secret."""

_BLANK = BLANK.encode()
_LEAST = 12  # characters

_is_secret = re.compile(
    r"(?:^|[_-])(?:authorization|api[_-]?key|apikey|auth[_-]?token|authorization[_-]?token|access[_-]?token|token|secret"
    r"|client[_-]?secret|password|passwd|cookie|credentials?|private[_-]?key|x[_-]key)$",
    re.IGNORECASE,
).search
_in_url = re.compile(r"(?<=://)[^/\s@\"']+@")
_in_query = re.compile(
    r"([?&](?:[\w.-]*[_-])?(?:api[_-]?key|key|token|secret|password|signature|sig)=)[^&\s\"'#]+", re.IGNORECASE
)
_ENVIRONMENT = re.compile(r"(?:^|_)(?:API_?KEY|AUTH_TOKEN|TOKEN|SECRET|SECRET_KEY|PASSWORD|ACCESS_KEY)$")


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a field or a header of this name holds a credential.

    >>> is_secret_name("x-api-key"), is_secret_name("authorization_token"), is_secret_name("max_tokens")
    (True, True, False)
    """
    return _is_secret(name) is not None


def without_secrets(value: Any) -> Any:
    """JSON with each credential blanked, by the names of fields and in URLs; the same object where it holds none.

    >>> without_secrets({"mcp_servers": [{"url": "https://me:pw@host/?token=abc", "authorization_token": "abc"}]})
    {'mcp_servers': [{'url': 'https://[secret]@host/?token=[secret]', 'authorization_token': '[secret]'}]}
    """
    if isinstance(value, str):
        return _clean_url(value) if "://" in value else value
    if isinstance(value, Mapping):
        cleaned = {
            name: BLANK if isinstance(item, str) and item and is_secret_name(str(name)) else without_secrets(item)
            for name, item in value.items()
        }
        return value if all(cleaned[name] is value[name] for name in value) else cleaned
    if isinstance(value, list | tuple):
        items = [without_secrets(item) for item in value]
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value


def _clean_url(text: str) -> str:
    return _in_query.sub(rf"\1{BLANK}", _in_url.sub(f"{BLANK}@", text))


class Hidden:
    """The secrets that are known by their values.

    A value counts as one if it has 12 or more characters, letters and digits among them, and no white space: a word that
    stands for a key in a test would otherwise be blanked in every text.

    >>> known = Hidden(["sk-ant-0123456789", "simulated"])
    >>> known.clean("failed with sk-ant-0123456789, as simulated")
    'failed with [secret], as simulated'
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._seen: set[str] = set()
        self._environment: dict[Any, Any] | None = None  # as it was looked through last
        self._values: list[tuple[str, bytes]] = []  # the longest first, as one may begin with another
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """From now on, hide this value, if it can be a secret."""
        if value in self._seen:
            return
        self._seen.add(value)
        if _looks_secret(value):
            self._values.append((value, value.encode("utf-8", "replace")))
            self._values.sort(key=lambda each: -len(each[0]))

    def add_environment(self) -> None:
        """Hide what the environment holds under a name that says so."""
        held = getattr(os.environ, "_data", None)  # its encoded contents: a hundredth of the time that reading it takes
        if held is not None and held == self._environment:
            return
        self._environment = None if held is None else dict(held)
        for name, value in os.environ.items():
            if _ENVIRONMENT.search(name):
                self.add(value)

    def add_header(self, value: str) -> None:
        """Hide the credential of a header that a request was sent with."""
        self.add(value.rpartition(" ")[2])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to hide."""
        return not self._values

    def clean(self, text: str) -> str:
        """The text without them."""
        for value, _ in self._values:
            if value in text:
                text = text.replace(value, BLANK)
        return text

    def clean_bytes(self, data: bytes) -> bytes:
        """JSON text, as bytes, without them; the same object where it holds none."""
        for _, value in self._values:
            if value in data:
                data = data.replace(value, _BLANK)
        return data

    def clean_json(self, value: Any) -> Any:
        """JSON data without them; the same object where it holds none."""
        if not self._values:
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            cleaned = {name: self.clean_json(item) for name, item in value.items()}
            return value if all(cleaned[name] is value[name] for name in value) else cleaned
        if isinstance(value, list | tuple):
            items = [self.clean_json(item) for item in value]
            return value if all(one is other for one, other in zip(items, value, strict=True)) else items
        return value


def _looks_secret(value: str) -> bool:
    return (
        len(value) >= _LEAST
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and not any(map(str.isspace, value))
    )


hidden = Hidden()
"""What this process knows. Values only come to it: one that was a secret stays one."""
