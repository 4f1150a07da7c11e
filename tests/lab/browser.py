"""A real browser for pages that the program makes: Chromium without a display, driven over its DevTools protocol.

It records what the page logs, and every address that it asks for.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--hide-scrollbars",
)  # fmt: skip
START = 60.0
"""Seconds until the browser must be up."""


@dataclass
class Page:
    """One tab. ``errors``: what the page logged or threw; ``requests``: the addresses that it asked for."""

    connection: ClientConnection
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _loaded: bool = False

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.connection.recv(timeout=30))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._event(message)

    def _event(self, message: dict[str, Any]) -> None:
        what, parameters = message.get("method"), message.get("params", {})
        if what == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])
        elif what == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"]))
        elif what == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.errors.append(json.dumps(parameters["args"]))
        elif what in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.requests.append(parameters["request"]["url"] if "request" in parameters else parameters["url"])
        elif what == "Page.loadEventFired":
            self._loaded = True

    def open(self, url: str) -> None:
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.command(f"{domain}.enable")
        self.command("Page.navigate", url=url)
        while not self._loaded:
            self._event(json.loads(self.connection.recv(timeout=30)))

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, (expression, self.errors, self.value("document.body.innerText"))
            time.sleep(0.1)

    def dark(self, on: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def type(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, **({"text": key} if kind == "keyDown" else {}))

    def screenshot(self) -> bytes:
        """A PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browser(program: str, directory: Path, *, size: tuple[int, int] = (1180, 1500)) -> Iterator[Page]:
    """A fresh browser with a profile below ``directory``, and its one tab."""
    profile = directory / "profile"
    with (directory / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0",
             f"--window-size={size[0]},{size[1]}", "about:blank"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        port = _port(profile / "DevToolsActivePort", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as reply:
            (tab,) = [each for each in json.load(reply) if each["type"] == "page"]
        with connect(tab["webSocketDebuggerUrl"], max_size=None, compression=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(20)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        text = file.read_text().split() if file.exists() else []
        if text:
            return int(text[0])
        time.sleep(0.05)
    raise AssertionError((file.parents[1] / "browser.log").read_text()[-2000:])
