"""What must never be stored or shown: keys, tokens, authorization headers, passwords in URLs.

Two nets. By name: fields and headers that hold credentials are blanked before anything is kept (:func:`without_secrets`,
:func:`is_secret_name`). By value: the credentials that this process has in its environment, and those that a request was
sent with, are blanked wherever a workflow's own words repeat them (:class:`Hidden`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["BLANK", "Hidden", "hidden", "is_secret_name", "without_secrets"]

BLANK = "[secret]"
"""What stands in the place of a secret."""

_LEAST = 8  # characters: a shorter value would blank half of a text

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

    >>> known = Hidden(["sk-ant-0123456789"])
    >>> known.clean("failed with sk-ant-0123456789")
    'failed with [secret]'
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: dict[str, None] = {}
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """From now on, hide this value; one of fewer than 8 characters is none."""
        if len(value) >= _LEAST:
            self._values[value] = None

    def add_environment(self) -> None:
        """Hide what the environment holds under a name that says so."""
        for name, value in os.environ.items():
            if _ENVIRONMENT.search(name):
                self.add(value)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Hide the credentials that a request was sent with (names in lower case)."""
        for name in _CREDENTIALS:
            value = headers.get(name)
            if value:
                self.add(value.rpartition(" ")[2])

    def clean(self, text: str) -> str:
        """The text without them."""
        for value in self._values:
            if value in text:
                text = text.replace(value, BLANK)
        return text

    def clean_json(self, value: Any) -> Any:
        """JSON data without them; the same object where it holds none."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return {self.clean(str(name)): self.clean_json(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_json(item) for item in value]
        return value

    def clean_bytes(self, data: bytes) -> bytes:
        """JSON text, as bytes, without them."""
        for value in self._values:
            found = value.encode("utf-8", "replace")
            if found in data:
                data = data.replace(found, BLANK.encode())
        return data


_CREDENTIALS = ("authorization", "x-api-key", "proxy-authorization", "cookie")

hidden = Hidden()
"""What this process knows. Values only come to it: one that was a secret stays one."""
