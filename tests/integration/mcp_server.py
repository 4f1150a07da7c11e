"""The whole program under test: settings and hosts.toml as an operator writes them, and a real MCP client.

``async with mcp_server({"web": sshd}) as server: await server.call("ssh_exec_run", host="web", command="id")``.
In-memory by default; ``stdio=True`` runs the installed program as a subprocess instead. All tiers are open, every path
and every command is allowed and the audit is written, unless the test says otherwise by settings in lower case.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from ssh_mcp.settings.model import Settings, load_settings
from tests.peers.sshd import Sshd

if TYPE_CHECKING:
    from ssh_mcp.server.app import App
    from transports.api import Transport

NOWHERE = Path("/nonexistent/.env")


@dataclass(frozen=True)
class Host:
    """One entry of hosts.toml: ``lines`` stand in ``[hosts.X]`` and win over the defaults of this module.

    ``"key ="`` takes a default away.
    """

    sshd: Sshd
    user: str | None = None
    lines: Sequence[str] = ()
    auth: Sequence[str] = ()


@dataclass
class McpServer:
    """A running server and its client. ``app`` is None where the server is a process of its own."""

    client: Client[Any]
    app: App | None
    hosts_file: Path
    audit_file: Path
    log_file: Path
    env: dict[str, str] = field(repr=False)

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured result of a tool that must not fail."""
        done = await self.client.call_tool(tool, arguments, raise_on_error=False)
        text = "".join(getattr(block, "text", "") for block in done.content)
        assert not done.is_error, text
        assert isinstance(done.structured_content, dict)
        return done.structured_content

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that must fail: ``ClassName: what happened. What to do.``"""
        done = await self.client.call_tool(tool, arguments, raise_on_error=False)
        text = "".join(getattr(block, "text", "") for block in done.content)
        assert done.is_error, text
        return text

    def audit(self) -> list[dict[str, Any]]:
        """The audit's lines so far, oldest first."""
        if not self.audit_file.exists():
            return []
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]


class McpServerFactory(Protocol):
    """Servers under test. Keywords are settings in lower case, ``None`` leaves a default of ours out.

    With ``stdio=True`` the server is a process of its own, spoken to over its standard streams.
    """

    def __call__(self, hosts: Mapping[str, Sshd | Host], **settings: Any) -> AbstractAsyncContextManager[McpServer]: ...


@pytest.fixture
def mcp_server(tmp_path: Path, control_dir: str) -> McpServerFactory:
    def make(hosts: Mapping[str, Sshd | Host], **settings: Any) -> AbstractAsyncContextManager[McpServer]:
        stdio = settings.pop("stdio", False)
        files = _Files.in_directory(tmp_path / f"server-{len(list(tmp_path.glob('server-*')))}")
        files.write({name: h if isinstance(h, Host) else Host(h) for name, h in hosts.items()})
        env = _environment(files, settings)
        return _over_stdio(files, env, control_dir) if stdio else _in_memory(files, env, control_dir)

    return make


@dataclass(frozen=True)
class _Files:
    hosts: Path
    known_hosts: Path
    ssh_config: Path
    audit: Path
    log: Path
    notes: Path

    @classmethod
    def in_directory(cls, directory: Path) -> _Files:
        directory.mkdir()
        names = ("hosts.toml", "known_hosts", "ssh_config", "audit.jsonl", "server.log", "notes")
        return cls(*(directory / name for name in names))

    def write(self, hosts: Mapping[str, Host]) -> None:
        self.known_hosts.write_text("".join(sorted({h.sshd.known_hosts_line() for h in hosts.values()})))
        self.ssh_config.touch(mode=0o600)
        self.hosts.write_text("\n".join(_entry(name, host) for name, host in hosts.items()))


def _entry(name: str, host: Host) -> str:
    lines = {
        "hostname": f'"{host.sshd.address}"',
        "port": str(host.sshd.port),
        "user": f'"{host.user or host.sshd.user}"',
        "path_allowlist": '["*"]',
    }
    auth = {"method": '"key"', "key": f'"{host.sshd.key}"', "identities_only": "true"}
    for table, given in ((lines, host.lines), (auth, host.auth)):
        for line in given:
            key, _, value = line.partition("=")
            table[key.strip()] = value.strip()
            if not value.strip():
                del table[key.strip()]
    body = "\n".join(f"{k} = {v}" for k, v in lines.items())
    return f"[hosts.{name}]\n{body}\n[hosts.{name}.auth]\n" + "\n".join(f"{k} = {v}" for k, v in auth.items()) + "\n"


def _environment(files: _Files, settings: Mapping[str, Any]) -> dict[str, str]:
    defaults: dict[str, Any] = {
        "ssh_hosts_file": files.hosts,
        "ssh_known_hosts": files.known_hosts,
        "ssh_config_file": files.ssh_config,
        "ssh_audit_file": files.audit,
        "ssh_host_notes_dir": files.notes,
        "allow_low_access_tools": True,
        "allow_dangerous_tools": True,
        "allow_sudo": True,
        "allow_any_command": True,
        "ssh_redact_salt": "a salt for the tests, long enough",
    }
    return {name.upper(): _as_text(value) for name, value in {**defaults, **settings}.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(list(value)) if isinstance(value, (list, tuple)) else str(value)


@asynccontextmanager
async def _in_memory(files: _Files, env: dict[str, str], control_dir: str) -> AsyncIterator[McpServer]:
    from ssh_mcp.inventory.destination import transport_config
    from ssh_mcp.server.app import build
    from transports.openssh.transport import OpenSSHTransport

    def transport(settings: Settings) -> Transport:
        return OpenSSHTransport(replace(transport_config(settings), control_dir=control_dir))

    settings, warnings = load_settings(env, NOWHERE)
    app = build(settings, warnings, transport=transport)
    async with Client(app.server) as client:
        yield McpServer(client, app, files.hosts, files.audit, files.log, env)


@asynccontextmanager
async def _over_stdio(files: _Files, env: dict[str, str], control_dir: str) -> AsyncIterator[McpServer]:
    full = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(files.hosts.parent),
        "XDG_RUNTIME_DIR": control_dir,
        **env,
    }
    transport = StdioTransport(
        sys.executable,
        ["-m", "ssh_mcp"],
        env=full,
        cwd=str(files.hosts.parent),
        keep_alive=False,
        log_file=files.log,
    )
    async with Client(transport) as client:
        yield McpServer(client, None, files.hosts, files.audit, files.log, full)
