"""The server as a real process, spoken to in bytes: what a client library would never send can be sent."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.integration.mcp_server import Host, _environment, _Files
from tests.peers.sshd import Sshd

HANDSHAKE = "2025-11-25"
MODERN = "2026-07-28"
_META = "io.modelcontextprotocol/"
LINE_MAX = 64 << 20


class Raw:
    """One server process. ``era`` is a protocol version: of the handshake, or modern (every request says it)."""

    def __init__(self, process: Process, era: str, log: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.era = era
        self.log = log
        self._in = process.stdin
        self._out = BufferedByteReceiveStream(process.stdout)
        self._ids = itertools.count(1)
        self.answers: dict[Any, dict[str, Any]] = {}
        self.strange: list[bytes] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    async def write(self, data: bytes) -> None:
        await self._in.send(data)

    async def hang_up(self) -> None:
        await self._in.aclose()

    def message(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, bytes]:
        number = next(self._ids)
        params = dict(params or {})
        if self.era == MODERN:
            params["_meta"] = {
                f"{_META}protocolVersion": MODERN,
                f"{_META}clientInfo": {"name": "raw", "version": "1"},
                f"{_META}clientCapabilities": {},
            }
        return number, _line({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> int:
        number, line = self.message(method, params)
        await self.write(line)
        return number

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        await self.write(_line({"jsonrpc": "2.0", "method": method, "params": params}))

    async def answer(self, number: int) -> dict[str, Any]:
        """The one reply to a request; others that come meanwhile are kept."""
        while number not in self.answers:
            line = await self._out.receive_until(b"\n", LINE_MAX)
            try:
                message = json.loads(line)
            except ValueError:
                self.strange.append(line)
                continue
            if "method" not in message:
                assert message.get("id") not in self.answers, f"answered twice: {line[:200]!r}"
                self.answers[message.get("id")] = message
        return self.answers[number]

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool call that must work: its structured content."""
        answer = await self.answer(await self.ask("tools/call", {"name": tool, "arguments": arguments}))
        assert "result" in answer, answer
        assert not answer["result"].get("isError"), answer["result"]["content"]
        found: dict[str, Any] = answer["result"]["structuredContent"]
        return found

    async def cancel(self, number: int) -> None:
        await self.notify("notifications/cancelled", {"requestId": number, "reason": "test"})

    async def greet(self) -> None:
        if self.era == MODERN:
            await self.answer(await self.ask("server/discover"))
            return
        about = {"protocolVersion": self.era, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        await self.answer(await self.ask("initialize", about))
        await self.notify("notifications/initialized", {})


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def text_of(answer: dict[str, Any]) -> str:
    """What a tool's error says."""
    return "".join(block.get("text", "") for block in answer["result"]["content"])


def environment(directory: Path, control_dir: str, hosts: Mapping[str, Sshd | Host], **settings: Any) -> dict[str, str]:
    """What the server process is started with: the same files as the in-memory server of the integration tests."""
    files = _Files.in_directory(directory)
    files.write({name: h if isinstance(h, Host) else Host(h) for name, h in hosts.items()})
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(directory),
        "XDG_RUNTIME_DIR": control_dir,
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        **_environment(files, settings),
    }


@asynccontextmanager
async def raw_server(env: Mapping[str, str], era: str = HANDSHAKE, *, greet: bool = True) -> AsyncIterator[Raw]:
    """A running server; hung up on afterwards, and killed where it does not go."""
    log = Path(env["HOME"]) / "server.log"
    with log.open("ab") as stderr:
        argv = [sys.executable, "-m", "ssh_mcp"]
        process = await anyio.open_process(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=dict(env), cwd=env["HOME"]
        )
    try:
        raw = Raw(process, era, log)
        if greet:
            await raw.greet()
        yield raw
    finally:
        with anyio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()
            with anyio.move_on_after(20):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await process.aclose()
