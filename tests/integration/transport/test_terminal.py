"""Sessions with a pseudo-terminal over a real sshd."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
import psutil
import pytest

from tests.integration.session_rig import connected
from tests.peers.sshd import Sshd
from transports.api import CommandLine, Terminal
from transports.openssh.connection import OpenSSHConnection


async def until(terminal: Terminal, wanted: bytes) -> bytes:
    """Read until ``wanted`` was printed."""
    got = b""
    with anyio.fail_after(20):
        while wanted not in got:
            data = await terminal.read()
            assert data, got
            got += data
    return got


@pytest.fixture(params=["native", "process", "direct"])
async def connection(
    request: pytest.FixtureRequest, shared_sshd: Sshd, control_dir: str
) -> AsyncIterator[OpenSSHConnection]:
    async with connected(shared_sshd, control_dir, str(request.param)) as made:
        yield made


async def test_a_terminal_has_the_size_that_was_asked_for_and_follows_a_change(connection: OpenSSHConnection) -> None:
    terminal = await connection.terminal(CommandLine("sh"), 91, 33)
    try:
        await terminal.write(b"stty size\r")
        await until(terminal, b"33 91")
        await terminal.resize(101, 44)
        # It travels a round trip later, and a waiting shell runs a trap on WINCH only behind its next line.
        await terminal.write(b"until [ \"$(stty size)\" = '44 101' ]; do sleep 0.05; done; echo is $(stty size)\r")
        await until(terminal, b"is 44 101")
        await terminal.write(b"exit 7\r")
        while await terminal.read():
            pass
        assert terminal.status == 7
    finally:
        await terminal.aclose()


async def test_closing_a_terminal_ends_what_runs_in_it(connection: OpenSSHConnection) -> None:
    terminal = await connection.terminal(CommandLine("echo $$; exec sleep 1000"), 80, 24)
    pid = int((await until(terminal, b"\n")).split()[0])
    process = psutil.Process(pid)
    await terminal.aclose()
    await anyio.to_thread.run_sync(lambda: process.wait(timeout=10))
