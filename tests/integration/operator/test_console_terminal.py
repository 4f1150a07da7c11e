"""The console as people have it: in a terminal (tmux) and in a browser (Chromium), and who cannot reach it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.integration.mcp_server import McpServerFactory
from tests.integration.operator.needs import chromium, program
from tests.lab.browser import browser
from tests.peers.sshd import Sshd

CANARY = "ghp_" + "Zk3" * 12


def environment(audit: Path) -> dict[str, str]:
    return {**os.environ, "SSH_AUDIT_FILE": str(audit), "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}


@contextmanager
def in_tmux(directory: Path, columns: int, audit: Path) -> Iterator[Callable[..., str]]:
    """Runs the console in a tmux of its own; yields a function that sends keys and returns the screen."""
    tmux = [program("tmux", "tmux"), "-S", str(directory / "tmux.sock"), "-f", "/dev/null"]

    def screen(*keys: str) -> str:
        if keys:
            subprocess.run([*tmux, "send-keys", *keys], check=True)
        return subprocess.run([*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True).stdout

    command = shlex.join([sys.executable, "-m", "ssh_mcp", "console"])
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", str(columns), "-y", "24", command], check=True, env=environment(audit)
    )
    try:
        yield screen
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


async def until(seen: Callable[[], str], *words: str) -> str:
    with anyio.fail_after(25):
        while True:
            text = await anyio.to_thread.run_sync(seen)
            if all(word in text for word in words):
                return text
            await anyio.sleep(0.1)


@pytest.mark.parametrize("columns", [80, 50])
async def test_the_console_fits_a_terminal(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path, columns: int
) -> None:
    async with mcp_server({"web": sshd}, ssh_ask=["command:touch"], ssh_ask_seconds=1) as server:
        await server.call("ssh_exec_run", host="web", command=f"echo {CANARY}")
        await server.refused("ssh_exec_run", host="web", command="touch /tmp/a")
        with in_tmux(tmp_path, columns, server.audit_file) as screen:
            text = await until(screen, "1 server", "waits for you", "ApprovalPending")
            assert len(text.splitlines()) == 24
            assert max(map(len, text.splitlines())) <= columns
            assert "5 Ask" in text if columns == 50 else "5 Approvals" in text
            text = await until(lambda: screen("5"), "touch /tmp/a", "y yes")
            await until(lambda: screen("n"), "Refused")
            text = await until(lambda: screen("?"), "search the audit")
            assert CANARY not in text


@contextmanager
def web_console(audit: Path, directory: Path) -> Iterator[str]:
    """``console --web``; yields the address that it prints."""
    with (directory / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ssh_mcp", "console", "--web"],
            env=environment(audit), stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def status_of(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_a_browser_opens_the_console_once_and_decides_a_question(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    async with mcp_server({"web": sshd}, ssh_ask=["command:touch"], ssh_ask_seconds=1) as server:
        await server.refused("ssh_exec_run", host="web", command="touch /tmp/a")
        audit = server.audit_file

        def pending() -> bool:
            assert server.app is not None
            return bool(server.app.fleet.approvals.pending())

        def use() -> bytes:
            with web_console(audit, tmp_path) as address, browser(chromium(), tmp_path, size=(1000, 620)) as page:
                origin = re.match(r"http://127\.0\.0\.1:\d+", address)
                assert origin is not None
                base = origin[0]
                assert status_of(base + "/") == 403
                assert status_of(base + "/?token=" + "x" * 43) == 403
                assert status_of(base + "/ws") == 403
                assert status_of(base + "/static/js/textual.js") == 403
                assert status_of(address, Host="evil.example") == 403
                assert status_of(address, Origin="http://evil.example") == 403
                page.open(address)
                page.wait_for("document.body.classList.contains('-first-byte')")
                assert "token" not in page.value("location.href")
                assert status_of(address) == 403, "the token works once"
                page.wait_for("document.title == 'ssh-mcp console'")
                page.value("document.querySelector('textarea').focus()")
                end = time.monotonic() + 30
                while pending():
                    assert time.monotonic() < end
                    page.type("5")
                    page.type("n")
                    page.wait_for("true")
                picture = page.screenshot()

                assert page.errors == []
                elsewhere = [u for u in page.requests if not u.startswith((base, base.replace("http", "ws"), "data:"))]
                assert elsewhere == []
                return picture

        picture = await anyio.to_thread.run_sync(use)
        assert picture.startswith(b"\x89PNG")
        assert server.app is not None


async def test_without_a_terminal_the_console_says_what_to_do_instead(tmp_path: Path) -> None:
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "ssh_mcp", "console"], check=False, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, env=environment(tmp_path / "none"),
        )
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
