"""Over HTTP: both transports, both protocol eras, tokens, rebinding, and refusals to start."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StreamableHttpTransport

from tests.integration.surface_rig import Serving, environment, private, serving, ssh_mcp

TOKEN = "correct-horse-battery-staple"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def ask(server: Serving, *, path: str = "/mcp", method: str = "POST", **headers: str) -> int:
    """The status of one bare request, with the server's fresh token where it made one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    given = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {server.token}"} if server.token else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    try:
        connection.putrequest(method, path, skip_host="Host" in given)
        body = json.dumps(HELLO).encode() if method == "POST" else b""
        for name, value in {**given, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def client(server: Serving, *, token: str | None = None, mode: str = "auto") -> Client[Any]:
    token = token or server.token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    kind = SSETransport if server.url.endswith("/sse") else StreamableHttpTransport
    return Client(kind(server.url, headers=headers), mode=mode)


@pytest.mark.parametrize(
    ("transport", "path", "mode"),
    [("http", "/mcp", "legacy"), ("http", "/mcp", "2026-07-28"), ("http", "/mcp", "auto"), ("sse", "/sse", "legacy")],
)
async def test_tools_are_listed_and_called_on_loopback_with_the_fresh_token(
    transport: str, path: str, mode: str, tmp_path: Path
) -> None:
    with serving(environment(tmp_path, mcp_transport=transport)) as server:
        assert server.url == f"http://127.0.0.1:{server.port}{path}"
        async with client(server, mode=mode) as connected:
            assert "ssh_host_ping" in {tool.name for tool in await connected.list_tools()}
            answer = await connected.call_tool("ssh_server_info", {})
            assert answer.structured_content
            assert answer.structured_content["name"] == "ssh-mcp"


@pytest.mark.parametrize(("transport", "path", "method"), [("http", "/mcp", "POST"), ("sse", "/sse", "GET")])
async def test_a_token_is_asked_for_on_every_path_once_there_is_one(
    transport: str, path: str, method: str, tmp_path: Path
) -> None:
    file = private(tmp_path / "token", TOKEN + "\nnot this line\n")
    with serving(environment(tmp_path, mcp_transport=transport, mcp_http_token_file=file)) as server:
        for given in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "Bearer not this line"):
            assert ask(server, path=path, method=method, **({"Authorization": given} if given else {})) == 401
        assert ask(server, path="/elsewhere", method="GET") == 401
        assert ask(server, path="/messages/?session_id=0", method="POST") == 401
        async with client(server, token=TOKEN, mode="legacy") as connected:
            assert await connected.list_tools()


async def test_a_changed_token_file_counts_at_once_and_a_broken_one_keeps_the_old_token(tmp_path: Path) -> None:
    file = private(tmp_path / "token", TOKEN)
    with serving(environment(tmp_path, mcp_transport="http", mcp_http_token_file=file)) as server:
        assert ask(server, Authorization=f"Bearer {TOKEN}") == 200
        private(tmp_path / "next", TOKEN + "-2").replace(file)
        assert ask(server, Authorization=f"Bearer {TOKEN}") == 401
        assert ask(server, Authorization=f"Bearer {TOKEN}-2") == 200
        private(tmp_path / "next", "short").replace(file)
        assert ask(server, Authorization="Bearer short") == 401
        assert ask(server, Authorization=f"Bearer {TOKEN}-2") == 200
        file.unlink()
        assert ask(server, Authorization=f"Bearer {TOKEN}-2") == 200


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_page_in_a_browser_cannot_reach_a_server_on_loopback(transport: str, tmp_path: Path) -> None:
    """DNS rebinding: the name is the attacker's, the address ours."""
    path, method = ("/mcp", "POST") if transport == "http" else ("/sse", "GET")
    with serving(environment(tmp_path, mcp_transport=transport)) as server:
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.evil.example"):
            assert ask(server, path=path, method=method, Host=host) == 421, host
        for origin in ("http://evil.example", f"http://evil.example:{server.port}", "https://127.0.0.1.evil.example"):
            assert ask(server, path=path, method=method, Origin=origin) == 403, origin
        assert ask(server, path=path, method=method, Origin="null") == 403
        for host in (f"localhost:{server.port}", f"127.0.0.1:{server.port}"):
            assert ask(server, path=path, method=method, Host=host, Origin=f"http://{host}") == 200, host


@pytest.mark.parametrize(("transport", "path", "method"), [("http", "/mcp", "POST"), ("sse", "/sse", "GET")])
async def test_loopback_asks_every_user_for_a_token_that_only_this_one_can_read(
    transport: str, path: str, method: str, tmp_path: Path
) -> None:
    env = environment(tmp_path, mcp_transport=transport)
    with serving(env) as server:
        assert server.token_file is not None
        assert server.token_file.stat().st_mode & 0o777 == 0o600
        assert server.token_file.parent.stat().st_mode & 0o777 == 0o700
        assert server.token_file.is_relative_to(env["XDG_RUNTIME_DIR"])
        assert ask(server, path=path, method=method) == 200
        for wrong in ("", "Bearer ", "Bearer x"):
            assert ask(server, path=path, method=method, Authorization=wrong) == 401
        first = server.token
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert not server.token_file.exists()
    with serving(env) as server:
        assert server.token != first


async def test_loopback_can_be_opened_to_every_user_on_purpose(tmp_path: Path) -> None:
    with serving(environment(tmp_path, mcp_transport="http", mcp_http_local_open="true")) as server:
        assert server.token is None
        assert ask(server) == 200


@pytest.mark.parametrize("kind", ["pipe", "directory"])
async def test_a_token_file_that_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    os.mkfifo(file, 0o600) if kind == "pipe" else file.mkdir(mode=0o700)
    done = ssh_mcp(env=environment(tmp_path, mcp_transport="http", mcp_http_token_file=file))
    assert done.returncode == 2
    assert done.stderr == f"ssh-mcp: MCP_HTTP_TOKEN_FILE={file}: is not a regular file. Name a file.\n"


async def test_half_open_connections_without_a_token_block_nobody(tmp_path: Path) -> None:
    """1,200 of them, more than a process has descriptors: silent, with half a head, and without the promised body."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    parts = (b"", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n", b"POST /mcp HTTP/1.1\r\nContent-Length: 999\r\n\r\n{")
    opened: list[socket.socket] = []
    try:
        env = environment(tmp_path, mcp_transport="http")
        with serving(env, prefix=("prlimit", "--nofile=1024:1024")) as server:
            for number in range(1200):
                opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
                opened[-1].sendall(parts[number % len(parts)])
            assert ask(server) == 200
            async with client(server, mode="legacy") as connected:
                assert await connected.list_tools()
            files = Path(f"/proc/{server.process.pid}/fd")
            assert len(list(files.iterdir())) < 512
    finally:
        for each in opened:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_another_address_is_served_with_a_token_only(tmp_path: Path) -> None:
    file = private(tmp_path / "token", TOKEN)
    env = environment(tmp_path, mcp_transport="http", mcp_http_host="0.0.0.0")
    refused = ssh_mcp(env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "ssh-mcp: MCP_HTTP_HOST=0.0.0.0: any address but loopback needs a bearer token. "
        "Set MCP_HTTP_TOKEN_FILE, or MCP_HTTP_HOST=127.0.0.1.\n"
    )
    with serving({**env, "MCP_HTTP_TOKEN_FILE": str(file)}) as server:
        assert server.url.startswith("http://0.0.0.0:")
        assert ask(server) == 401
        assert ask(server, Authorization=f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (TOKEN, 0o644, "can be read by others (mode 0644). Run: chmod 600 "),
        ("short", 0o600, "holds a token of 5 characters. Put at least 16 random ones on its first line."),
        ("\n" + TOKEN, 0o600, "holds a token of 0 characters."),
        ("", 0o600, "is empty. Write a long random token into it."),
        (None, 0o600, "cannot be read (No such file or directory). Fix or remove it."),
    ],
)
async def test_a_token_file_that_protects_nothing_stops_the_start(
    text: str | None, mode: int, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if text is not None:
        private(file, text).chmod(mode)
    done = ssh_mcp(env=environment(tmp_path, mcp_transport="http", mcp_http_token_file=file))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"MCP_HTTP_TOKEN_FILE={file}" in done.stderr
    assert said in done.stderr


async def test_a_taken_port_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ssh_mcp(env=environment(tmp_path, mcp_transport="http", mcp_http_port=port, log_level="ERROR"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"ssh-mcp: MCP_HTTP_HOST=127.0.0.1, MCP_HTTP_PORT={port}: cannot listen there: Address already in use. "
        "Use another address or port.\n"
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_signal_ends_it_cleanly_with_a_client_connected(name: str, tmp_path: Path) -> None:
    with serving(environment(tmp_path, mcp_transport="http")) as server:
        assert ask(server) == 200
        server.process.send_signal(getattr(signal, name))
        assert server.process.wait(20) == 0
        assert "Traceback" not in "".join(server.log)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
