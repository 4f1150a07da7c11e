"""Clients that send what nobody should: each request that can be told gets an answer, each call one audit line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.rpc import PROTOCOL
from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd

if sys.platform == "win32":
    pytest.skip("Windows keeps FastMCP's own streams", allow_module_level=True)


class Wire:
    """A server process, and lines as they are."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "server.log"
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory),
            "SSH_HOSTS_FILE": str(directory / "hosts.toml"),
            "SSH_HOSTS_ALLOWLIST": "web",
            "LOG_LEVEL": "DEBUG",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ssh_mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=env
            )
        self.ask("initialize", protocolVersion=PROTOCOL, capabilities={}, clientInfo={"name": "x", "version": "1"})
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def send(self, line: str | bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next line that is a reply; a server that ended is a failure."""
        assert self.process.stdout is not None
        while True:
            message: dict[str, Any] = json.loads(self.process.stdout.readline())
            if "method" not in message:
                return message

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        return self.answer()

    def close(self) -> str:
        """End it; returns its log."""
        try:
            self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        return self.log.read_text()


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    wire = Wire(tmp_path_factory.mktemp("wire"))
    yield wire
    wire.close()


def stat(path: str, request_id: str = '"a"') -> str:
    return (
        f'{{"jsonrpc":"2.0","id":{request_id},"method":"tools/call",'
        f'"params":{{"name":"ssh_sftp_stat","arguments":{{"host":"web","path":{path}}}}}}}'
    )


@pytest.mark.parametrize(
    ("line", "request_id", "code"),
    [
        (stat('"\\ud83d"'), "a", -32700),
        (stat("[" * 1000 + "]" * 1000, "7"), 7, -32700),
        (stat("[" * 1_000_000 + "]" * 1_000_000, "8"), 8, -32700),
        (stat('"x'), "a", -32700),
        ('{"jsonrpc":"2.0","id":9,"method":"tools/list","params":[1]}', 9, -32600),
        ('{"jsonrpc":"1.0","id":9,"method":"tools/list"}', 9, -32600),
    ],
    ids=["half a surrogate pair", "deep", "very deep", "cut", "parameters as a list", "another version"],
)
def test_a_request_that_cannot_be_read_is_answered(wire: Wire, line: str, request_id: object, code: int) -> None:
    wire.send(line)
    answer = wire.ask("ping")
    assert (answer["id"], answer.get("error", {}).get("code")) == (request_id, code)
    assert wire.answer()["result"] == {}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 1_000_000,
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
        b'{"jsonrpc":"2.0","id":55,"result":{}}',
        b'{"jsonrpc":"2.0","id":55,"result":"\\ud800"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1]}}',
    ],
)
def test_what_nobody_asked_is_not_answered_and_the_server_goes_on(wire: Wire, line: bytes) -> None:
    wire.send(line)
    answer = wire.ask("ping")
    assert (answer["id"], answer["result"]) == (1, {})


def test_no_argument_can_write_a_line_of_its_own_into_the_log_or_move_a_terminal(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    forged = 'x\nINFO ssh_mcp.audit: {"forged":1}\r\x1b]0;title\x07\x1b[2J\u2028\x9b31m'
    wire.ask("tools/call", name=forged, arguments={"host": forged, "path": forged})
    wire.ask("tools/call", name="ssh_sftp_stat", arguments={"host": forged, "path": forged, forged: forged})
    wire.ask(forged)
    wire.ask("resources/read", uri=f"mcp://ssh-mcp/hosts/{forged}/notes")
    log = wire.close()
    assert "forged" in log
    assert [c for c in log if c != "\n" and not c.isprintable()] == []
    assert [line for line in log.split("\n") if line.startswith("INFO ssh_mcp.audit: ") and "forged" in line] == []


async def test_a_misspelt_tool_is_refused_with_the_open_tool_of_the_nearest_name(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    async with mcp_server({"web": shared_sshd}, allow_sudo=False) as server:
        assert await server.refused("ssh_host_pings", host="web") == (
            "Unknown tool: 'ssh_host_pings'. Did you mean ssh_host_ping?"
        )
        assert "mean ssh_sudo_exec?" not in await server.refused("ssh_sudo_execs", host="web", command="id")


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        ("ssh_sudo_exec", {"tool": "ssh_sudo_exec", "tier": "sudo", "error": "TierClosed"}),
        ("ssh_exec_run", {"tool": "ssh_exec_run", "tier": "dangerous", "error": "TierClosed"}),
        ("ssh_no_such_tool", {"tool": "ssh_no_such_tool", "tier": "?", "error": "UnknownTool"}),
        ("token=secret\n", {"tool": "?", "tier": "?", "error": "UnknownTool"}),
    ],
)
async def test_a_call_of_a_tool_that_is_closed_or_unknown_leaves_one_line(
    mcp_server: McpServerFactory, shared_sshd: Sshd, tool: str, line: dict[str, str]
) -> None:
    async with mcp_server({"web": shared_sshd}, allow_sudo=False, allow_dangerous_tools=False) as server:
        text = await server.refused(tool, host="web", command="id")
        assert text.startswith("TierClosed: " if line["error"] == "TierClosed" else f"Unknown tool: {tool!r}")
        entries = server.audit()
    assert len(entries) == 1
    expected = {**line, "host": "web", "result": "error"}
    assert {key: entries[0][key] for key in expected} == expected
