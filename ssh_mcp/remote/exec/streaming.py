"""A command whose output is reported while it runs: guarded tails as progress messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ssh_mcp.guard.shared import guard_for
from ssh_mcp.remote.alongside import alongside
from ssh_mcp.results.exec import ExecResult
from transports.api import StreamName

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

TAIL_CHARS = 2000
"""The most that one progress message shows of the newest output."""

TICK = 0.5
"""Seconds between two progress messages."""


async def run_streaming(host: RemoteHost, command: str, timeout: float | None) -> ExecResult:
    """Run like ``Commands.execute``; each progress notification counts all bytes so far and shows what is new."""
    guard = guard_for(host.policy.redaction)
    streams = {"stdout": guard.stream(), "stderr": guard.stream()}
    fresh: list[str] = []
    total = 0

    def sink(name: StreamName, data: bytes) -> None:
        nonlocal total
        total += len(data)
        # The guard shows whole lines; what a progress bar overwrites is a line here.
        text = streams[name].feed(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        if text:
            fresh.append(text)
            if len(fresh) > 64:
                fresh[:] = ["".join(fresh)[-TAIL_CHARS:]]

    async def report() -> None:
        while True:
            await anyio.sleep(TICK)
            if fresh:
                tail = "".join(fresh)[-TAIL_CHARS:]
                fresh.clear()
                if not await host.call.progress(total, None, tail):
                    fresh.insert(0, tail)

    async with alongside(report):
        return await host.commands.execute(command, timeout=timeout, sink=sink)
