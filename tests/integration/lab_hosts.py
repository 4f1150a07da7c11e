"""The lab's hosts as entries of hosts.toml: the systemd host, and this machine with the lab's engines behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers.fixtures import Lab
from tests.peers.sshd import Sshd


@dataclass(frozen=True)
class SystemdHost:
    """Used in place of an Sshd: the operator's ssh_config knows how to reach it."""

    lab: Lab
    address: str
    user: str = "root"
    port: int = 22

    @property
    def key(self) -> Path:
        return Path(self.lab.systemd["key"])

    def known_hosts_line(self) -> str:
        return Path(self.lab.systemd["known_hosts"]).read_text()


def systemd_host(lab: Lab, user: str = "root", lines: Sequence[str] = ()) -> Host:
    return Host(SystemdHost(lab, lab.systemd["name"]), user=user, lines=lines)  # type: ignore[arg-type]


def docker_host(sshd: Sshd, command: Sequence[str], lines: Sequence[str] = ()) -> Host:
    """This machine by loopback, with ``command`` as its docker_cmd."""
    return Host(sshd, lines=(f"docker_cmd = {json.dumps(' '.join(command))}", *lines))


def on_systemd(
    lab: Lab, mcp_server: McpServerFactory, user: str = "root", lines: Sequence[str] = (), **settings: Any
) -> AbstractAsyncContextManager[McpServer]:
    """A server that knows one host, ``sys``."""
    host = systemd_host(lab, user, lines)
    return mcp_server({"sys": host}, **{"ssh_config_file": lab.systemd["ssh_config"], **settings})


def errors_of(result: dict[str, Any]) -> str:
    """What a failed command said, for assertion messages."""
    return f"exit {result.get('exit_code')}: {result.get('stdout')} {result.get('stderr')}"
