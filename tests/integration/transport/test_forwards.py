"""Forwards through real sshds: client, bastion, inner host, and what listens behind them."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import anyio
import anyio.to_thread

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd
from transports.openssh.transport import OpenSSHTransport


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets and closes first where that is configured."""

    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)
            if data.endswith(b"bye\n"):
                return


@contextmanager
def echo_server() -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host, int(port)


def refuses(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ask(port: int, data: bytes) -> bytes:
    """Send, and read until the far side closes."""
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as conn:
        conn.sendall(data)
        got = b""
        while part := conn.recv(65536):
            got += part
        return got


async def aside(work: Callable[..., Any], *args: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *args)


async def eventually(true: Callable[[], bool]) -> None:
    with anyio.fail_after(15):
        while not await aside(true):
            await anyio.sleep(0.05)


async def test_a_local_forward_carries_both_ways_and_passes_on_that_the_far_side_closed(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    with echo_server() as echo:
        host = Host(sshd, lines=[f'forward_local = ["127.0.0.1:{echo}"]'])
        async with mcp_server({"web": host}) as server:
            opened = await server.call("ssh_forward_open", host="web", target=f"127.0.0.1:{echo}")
            _, port = address(opened["listen"])
            assert await aside(ask, port, b"hello bye\n") == b"hello bye\n"
            with closing(socket.create_connection(("127.0.0.1", port))) as carried:
                await aside(carried.sendall, b"x")
                assert await aside(carried.recv, 1) == b"x"
                listed = await server.call("ssh_forward_list")
                (entry,) = listed["forwards"]
                assert (entry["forward_id"], entry["connections"]) == (opened["forward_id"], 1)
            assert await server.call("ssh_forward_close", forward_id=opened["forward_id"]) == {"closed": True}
            assert await aside(refuses, port)
            text = await server.refused("ssh_forward_close", forward_id=opened["forward_id"])
            assert text.startswith("InvalidArgument")


async def test_fifty_megabytes_arrive_as_they_left(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    with echo_server() as echo:
        host = Host(sshd, lines=[f'forward_local = ["127.0.0.1:{echo}"]'])
        async with mcp_server({"web": host}) as server:
            opened = await server.call("ssh_forward_open", host="web", target=f"127.0.0.1:{echo}")
            _, port = address(opened["listen"])
            sent, got = await aside(pour, port, 50 * 1024 * 1024)
            assert sent == got


def pour(port: int, size: int) -> tuple[str, str]:
    sent, got = hashlib.sha256(), hashlib.sha256()
    with closing(socket.create_connection(("127.0.0.1", port), 60)) as conn:

        def send() -> None:
            left = size
            while left:
                block = os.urandom(min(left, 1 << 20))
                sent.update(block)
                conn.sendall(block)
                left -= len(block)
            conn.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        while part := conn.recv(1 << 20):
            got.update(part)
        sender.join()
    return sent.hexdigest(), got.hexdigest()


async def test_a_target_behind_two_hops_costs_one_login_each(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory
) -> None:
    bastion, inner = sshd_factory(), sshd_factory()
    with echo_server() as echo:
        hosts = {
            "bastion": Host(bastion),
            "inner": Host(inner, lines=['proxy_jump = "bastion"', f'forward_local = ["localhost:{echo}"]']),
        }
        async with mcp_server(hosts) as server:
            opened = await server.call("ssh_forward_open", host="inner", target=f"localhost:{echo}")
            _, port = address(opened["listen"])
            for _ in range(3):
                assert await aside(ask, port, b"bye\n") == b"bye\n"
            listed = await server.call("ssh_session_list")
            assert len(listed["sessions"]) <= 2
    for each in (bastion, inner):
        assert each.log_file.read_text(errors="replace").count("Accepted publickey") == 1


async def test_what_is_not_listed_blocked_or_no_target_is_refused_before_anything_is_sent(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    host = Host(sshd, lines=['forward_local = ["10.0.0.0/8:443"]'])
    async with mcp_server({"web": host}, ssh_hosts_blocklist="10.0.0.9") as server:
        for target, name in (
            ("db:5432", "ForwardNotAllowed"),
            ("10.0.0.9:443", "HostBlocked"),
            ("0xa000009:443", "HostBlocked"),
            ("/run/docker.sock", "InvalidArgument"),
            ("-oProxyCommand=x:443", "InvalidArgument"),
        ):
            text = await server.refused("ssh_forward_open", host="web", target=target)
            assert text.startswith(f"{name}: "), text
        text = await server.refused("ssh_forward_open", host="web", target="", kind="dynamic")
        assert text.startswith("ForwardNotAllowed: ")
    assert "Accepted publickey" not in sshd.log_file.read_text(errors="replace")


async def test_a_target_that_does_not_answer_is_said_at_once(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    async with mcp_server({"web": Host(sshd, lines=[f'forward_local = ["127.0.0.1:{port}"]'])}) as server:
        text = await server.refused("ssh_forward_open", host="web", target=f"127.0.0.1:{port}")
        assert text.startswith(f"SessionRefused: The host does not connect to 127.0.0.1:{port}. "), text
        assert "MaxSessions" not in text
        assert (await server.call("ssh_forward_list"))["forwards"] == []


async def test_a_forward_ends_at_its_time(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    with echo_server() as echo:
        host = Host(sshd, lines=[f'forward_local = ["127.0.0.1:{echo}"]'])
        async with mcp_server({"web": host}) as server:
            opened = await server.call("ssh_forward_open", host="web", target=f"127.0.0.1:{echo}", ttl=1)
            _, port = address(opened["listen"])
            await eventually(lambda: refuses(port))
            assert (await server.call("ssh_forward_list"))["forwards"] == []


async def test_a_remote_forward_listens_on_the_host_and_its_close_is_proven(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    with echo_server() as echo:
        host = Host(sshd, lines=[f'forward_remote = ["localhost:{echo}"]'])
        async with mcp_server({"web": host}) as server:
            opened = await server.call("ssh_forward_open", host="web", target=f"localhost:{echo}", kind="remote")
            _, port = address(opened["listen"])
            assert await aside(ask, port, b"bye\n") == b"bye\n"
            assert await server.call("ssh_forward_close", forward_id=opened["forward_id"]) == {"closed": True}
            assert await aside(refuses, port)


async def test_a_dynamic_forward_decides_on_each_target(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    with echo_server() as echo:
        host = Host(sshd, lines=["forward_dynamic = true"])
        async with mcp_server({"web": host}, ssh_hosts_blocklist="10.0.0.9") as server:
            opened = await server.call("ssh_forward_open", host="web", target="", kind="dynamic")
            _, port = address(opened["listen"])
            assert await aside(socks, port, "127.0.0.1", echo) == b"bye\n"
            assert await aside(socks, port, "10.0.0.9", 80) is None


def socks(port: int, host: str, to: int) -> bytes | None:
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as conn:
        conn.sendall(b"\x05\x01\x00")
        assert conn.recv(2) == b"\x05\x00"
        conn.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + to.to_bytes(2, "big") + b"bye\n")
        reply = conn.recv(10)
        return conn.recv(100) if reply[1] == 0 else None


KILLED = """
import asyncio, base64, pickle, sys, time
from transports.openssh.transport import OpenSSHTransport

async def main():
    config, destination, port = pickle.loads(base64.b64decode(sys.argv[1]))
    listener = await OpenSSHTransport(config).connection(destination).listen_on_host(0, "127.0.0.1", port)
    print(listener.port, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_what_a_killed_process_left_listening_on_the_host_is_closed_by_the_next(
    sshd: Sshd, control_dir: str
) -> None:
    config, destination = sshd.transport_config(control_dir=control_dir), sshd.destination()
    with echo_server() as echo:
        argument = base64.b64encode(pickle.dumps((config, destination, echo))).decode()
        with subprocess.Popen([sys.executable, "-c", KILLED, argument], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            port = int(await aside(other.stdout.readline))
            assert await aside(ask, port, b"bye\n") == b"bye\n"
            other.kill()
        assert await aside(ask, port, b"bye\n") == b"bye\n"
        transport = OpenSSHTransport(config)
        try:
            await transport.connection(destination).login()
            assert await aside(refuses, port)
        finally:
            await transport.aclose()
