"""Another user of this machine at the socket by which an operator reaches a server, even where its modes let him."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from ssh_mcp.server.operator import client
from ssh_mcp.server.operator.messages import ApprovalsRequest, DecideRequest, StatusRequest, encode
from tests.integration.mcp_server import McpServerFactory
from tests.peers import need
from tests.peers.sshd import Sshd

NOBODY = 65534
_ASK = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(10)
connection.connect(sys.argv[1])
try:
    connection.sendall(sys.stdin.buffer.read())
    sys.stdout.buffer.write(connection.recv(65536))
except (BrokenPipeError, ConnectionResetError):
    pass
"""
"""As a user id, write stdin to a socket and print what comes back; the interpreter may be one that only root reads."""


def opened(path: Path) -> None:
    """Let everybody through to ``path``, as a careless administrator might."""
    for each in (path, *path.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o777 if each == path else each.stat().st_mode | 0o055)


def asked(path: Path, request: bytes, uid: int) -> bytes:
    argv = [sys.executable, "-I", "-c", _ASK, str(path), str(uid)]
    done = subprocess.run(argv, input=request, capture_output=True, timeout=30, check=False)
    assert b"PermissionError" not in done.stderr, "the test itself must get as far as the socket"
    return done.stdout


async def test_a_server_replies_to_nobody_but_its_own_user(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    need(os.geteuid() == 0, "another user id needs root")
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_host_list")
        [path] = client.sockets()
        opened(path)
        for request in (StatusRequest(), ApprovalsRequest(), DecideRequest(id="a" * 8, yes=True)):
            line = encode(request)
            assert await anyio.to_thread.run_sync(asked, path, line, os.geteuid())
            assert await anyio.to_thread.run_sync(asked, path, line, NOBODY) == b""


def test_a_command_tells_nothing_to_a_socket_of_another_user(tmp_path: Path) -> None:
    need(os.geteuid() == 0, "another user id needs root")
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as trap:
        trap.bind(str(path))
        os.seteuid(NOBODY)
        try:
            trap.listen()  # the kernel gives a connecting peer the listener's credentials
        finally:
            os.seteuid(0)
        with pytest.raises(PermissionError, match="does not belong to you"):
            client.ask(path, StatusRequest())
