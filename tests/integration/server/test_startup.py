"""Starting and ending over stdio: what is said where, what stops the start, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.surface_rig import LIMIT, environment, ssh_mcp
from tests.peers.agent import Agent

HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Stdio:
    """A server and its two pipes, without any client library."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def send(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def greet(self) -> dict[str, Any]:
        self.send(id=1, method="initialize", params=HELLO)
        answer = self.receive()
        self.send(method="notifications/initialized")
        return answer

    def rest(self) -> tuple[str, str]:
        """What is still in the pipes once it has ended."""
        self.process.wait(LIMIT)
        assert self.process.stdout
        assert self.process.stderr
        return self.process.stdout.read(), self.process.stderr.read()


@contextmanager
def stdio(env: dict[str, str], log: Path | None = None) -> Iterator[Stdio]:
    """``log`` takes stderr, where that is more than a pipe holds."""
    with ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "ssh_mcp"], env=env, cwd=env["HOME"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("w")) if log else subprocess.PIPE,
        )  # fmt: skip
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            stack.callback(suppressed, pipe.close)
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield Stdio(process)


def suppressed(close: Callable[[], None]) -> None:
    """A pipe whose reader has gone cannot be flushed, and need not."""
    with suppress(OSError):
        close()


def test_stdout_is_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    with stdio(environment(tmp_path, log_level="DEBUG", ssh_enabled_group="typo")) as server:
        assert server.greet()["result"]["serverInfo"]["name"] == "ssh-mcp"
        server.send(id=2, method="tools/list", params={})
        assert len(server.receive()["result"]["tools"]) > 30
        server.send(id=3, method="tools/call", params={"name": "ssh_host_ping", "arguments": {"host": "nobody"}})
        assert server.receive()["result"]["isError"] is True
        assert server.process.stdin
        server.process.stdin.close()
        assert server.process.wait(LIMIT) == 0
        assert server.process.stdout
        assert server.process.stdout.read() == ""


def test_a_listing_and_a_call_do_not_make_the_store_of_session_state(tmp_path: Path) -> None:
    """It would cost 0.3 s at the first listing: see ssh_mcp.server.server."""
    log = tmp_path / "imports"
    with stdio(environment(tmp_path, pythonprofileimporttime=1, log_level="ERROR"), log) as server:
        server.greet()
        server.send(id=2, method="tools/list", params={})
        assert server.receive()["result"]["tools"]
        server.send(id=3, method="tools/call", params={"name": "ssh_server_info", "arguments": {}})
        assert server.receive()["result"]["structuredContent"]["name"] == "ssh-mcp"
        assert server.process.stdin
        server.process.stdin.close()
        server.process.wait(LIMIT)
    imported = set(re.findall(r"^import time:.*\| +(\w+)", log.read_text(), re.MULTILINE))
    assert "fastmcp" in imported
    assert imported & {"key_value", "beartype"} == set()


def test_the_start_says_what_is_open_and_what_is_odd(tmp_path: Path) -> None:
    with stdio(environment(tmp_path, allow_low_access_tools="true", ssh_enabled_group="typo")) as server:
        server.greet()
        server.process.terminate()
        _, err = server.rest()
    lines = err.splitlines()
    (said,) = [line for line in lines if line.startswith("INFO")]
    assert re.fullmatch(r"INFO ssh_mcp: ssh-mcp [\d.]+: \d+ of \d+ tools \(read, low-access\), 0 hosts", said)
    assert (
        "WARNING ssh_mcp: SSH_ENABLED_GROUP is not a setting and was ignored. Did you mean SSH_ENABLED_GROUPS?" in lines
    )
    assert not [line for line in lines if not line.startswith(("INFO ssh_mcp", "WARNING ssh_mcp"))]


def test_each_tier_and_group_has_a_line_for_those_who_look_closely(tmp_path: Path) -> None:
    with stdio(environment(tmp_path, allow_low_access_tools="true", log_level="DEBUG")) as server:
        server.greet()
        server.process.terminate()
        _, err = server.rest()
    assert "DEBUG ssh_mcp: tier dangerous: 0/" in err
    assert re.search(r"^DEBUG ssh_mcp: tier low-access: (\d\d)/\1$", err, re.MULTILINE)
    assert re.search(r"^DEBUG ssh_mcp: group docker: ", err, re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [({}, 0), ({"log_level": "INFO"}, 1), ({"log_level": "INFO", "ssh_audit_file": "audit.jsonl"}, 0)],
)
def test_audit_lines_reach_a_terminal_only_where_the_log_is_read_and_no_file_has_them(
    settings: dict[str, str], shown: int, tmp_path: Path
) -> None:
    with stdio(environment(tmp_path, **settings)) as server:
        server.greet()
        server.send(id=2, method="tools/call", params={"name": "ssh_server_info", "arguments": {}})
        server.receive()
        server.process.terminate()
        _, err = server.rest()
    assert err.count("ssh_mcp.audit: {") == shown


def test_a_person_who_types_the_bare_command_reads_two_lines(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "ssh_mcp"],
            env=environment(tmp_path),
            stdin=terminal,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        first, second = process.stderr.readline(), process.stderr.readline()
        assert "speaks MCP on stdin" in first
        assert "ssh-mcp help" in first
        assert "Ctrl-C" in second
        os.write(controller, b"\x04")  # Ctrl-D
        assert process.wait(LIMIT) == 0
        process.stderr.close()
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_it_although_the_client_is_still_there(name: str, tmp_path: Path) -> None:
    with stdio(environment(tmp_path)) as server:
        server.greet()
        server.process.send_signal(getattr(signal, name))
        assert server.process.wait(LIMIT) == 0
        out, err = server.rest()
    assert out == ""
    assert "Traceback" not in err


def test_the_end_of_input_ends_it_also_before_any_request(tmp_path: Path) -> None:
    with stdio(environment(tmp_path)) as server:
        assert server.process.stdin
        server.process.stdin.close()
        assert server.process.wait(LIMIT) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"SSH_IDLE_TIMEOUT": "soon"},
            "ssh-mcp: SSH_IDLE_TIMEOUT=soon: must be a number of seconds from 1 to 86400.\n",
        ),
        ({"MCP_TRANSPORT": "smoke"}, "ssh-mcp: MCP_TRANSPORT=smoke: must be one of "),
        ({"ALLOW_SUDO": "true", "SSH_SUDO_PASSWORD": "hunter2"}, "ssh-mcp: SSH_SUDO_PASSWORD=***: "),
    ],
)
def test_a_setting_that_cannot_be_stops_the_start_with_one_line(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = ssh_mcp(env={**environment(tmp_path), **settings})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


def test_a_broken_hosts_file_stops_the_start_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "hosts.toml").write_text('[hosts.web]\nhostname = "web"\nprot = 22\n')
    done = ssh_mcp(env=environment(tmp_path, log_level="ERROR", ssh_hosts_file=tmp_path / "hosts.toml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hosts.toml:3" in done.stderr
    assert "port" in done.stderr


def test_a_pinned_key_that_no_agent_holds_stops_the_start_and_says_what_it_holds(
    tmp_path: Path, ssh_agent: Agent
) -> None:
    ssh_agent.add_new(1)
    (tmp_path / "hosts.toml").write_text(
        '[hosts.web]\n[hosts.web.auth]\nmethod = "agent"\n'
        'identity_fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"\n'
    )
    hosts = tmp_path / "hosts.toml"
    done = ssh_mcp(env=environment(tmp_path, log_level="ERROR", ssh_auth_sock=ssh_agent.socket, ssh_hosts_file=hosts))
    assert done.returncode == 2
    assert done.stderr.startswith("ssh-mcp: AgentFingerprintNotFound: ")
    assert "stray-0" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_measure_of_the_start_works(project_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, project_root / "scripts" / "startup", "1"], capture_output=True, text=True, check=False
    )
    assert "\nratio " in done.stdout, done.stderr


def test_fastmcps_own_command_reads_our_fastmcp_json(project_root: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "fastmcp.cli", "inspect", project_root / "fastmcp.json", "--skip-env",
            "--format", "mcp", "--output", report,
        ],
        env=environment(tmp_path), cwd=project_root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ssh_host_ping" in {tool["name"] for tool in json.loads(report.read_text())["tools"]}
