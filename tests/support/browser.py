"""Chromium without a window, driven over its own pipe: what tests of pages ask of a browser.

The protocol is https://chromedevtools.github.io/devtools-protocol/: JSON messages that end in NUL, written to the
browser's file descriptor 3 and read from 4 (``--remote-debugging-pipe``). So no port is opened.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 120.0
"""How long an answer may take: the machine may be busy."""


class Browser:
    """A browser with one page."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._last = 0
        self._rest = b""
        self._events: deque[dict[str, Any]] = deque()
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; an error of the protocol is one here."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def open(
        self, url: str, *, width: int = 1440, height: int = 900, dark: bool = False, media: str = "screen"
    ) -> None:
        """Show this page in a window of this size (CSS pixels), and forget what was seen of the last one."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.ask("Page.navigate", url="about:blank")
        self._await("Page.loadEventFired")
        self._events.clear()
        self.ask("Page.navigate", url=url)
        self._seen = self._await("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The window as a PNG file."""
        from base64 import b64decode

        path.write_bytes(b64decode(self.ask("Page.captureScreenshot")["data"]))

    def problems(self) -> list[str]:
        """Errors of scripts, lines of the console, and what the browser itself complained of, since ``open``."""
        self.ask("Runtime.evaluate", expression="0")  # what was said before this has arrived with it
        found = []
        for event in [*self._seen, *self._events]:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(str(params["args"]))
            elif event.get("method") == "Log.entryAdded":
                found.append(str(params["entry"]["text"]))
        return found

    def requests(self) -> list[str]:
        """Every address that was asked for since ``open``, but for those that stand inside the page."""
        events = [*self._seen, *self._events]
        urls = [e["params"]["request"]["url"] for e in events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(("data:", "about:"))]

    def _await(self, method: str) -> list[dict[str, Any]]:
        """The events up to and with the first of this name."""
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1].get("method") != method:
            seen.append(self._events.popleft() if self._events else self._next())
        return seen

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], SECONDS)
            assert ready, f"the browser has said nothing for {SECONDS:g} s"
            got = os.read(self._read, 1 << 20)
            assert got, "the browser has ended"
            self._rest += got
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


_WIRED = """
import os, sys
from fcntl import F_DUPFD, fcntl
ends = [fcntl(int(end), F_DUPFD, 10) for end in sys.argv[1:3]]  # clear of 3 and 4, before these are replaced
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, with its ends of the two pipes where it looks for them."""


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile in this folder, which ends with the block."""
    assert CHROMIUM is not None, "install chromium: these tests look at the page in it"
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
    ]  # fmt: skip
    command = [sys.executable, "-c", _WIRED, str(to_browser), str(from_browser), CHROMIUM, *options]
    process = subprocess.Popen(
        command, pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(ours_in, ours_out)
    finally:
        process.kill()
        process.wait()
        os.close(ours_in)
        os.close(ours_out)
