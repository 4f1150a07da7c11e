"""What the tests of Docker and of Podman share: a server with the engine behind it, and a container's life."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.integration.lab_hosts import docker_host, errors_of
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

IMAGE = "lab/busybox:1"


class Engine:
    """Servers whose host ``box`` is this machine with a container engine; ``yard`` is all of it that paths may name."""

    def __init__(self, make: McpServerFactory, sshd: Sshd, command: Sequence[str], yard: Path) -> None:
        self._make, self._sshd, self._command, self._yard = make, sshd, command, yard

    def __call__(self, *lines: str, **settings: Any) -> AbstractAsyncContextManager[McpServer]:
        own = (f'path_allowlist = ["{self._yard}"]', *lines)
        return self._make({"box": docker_host(self._sshd, self._command, own)}, **settings)


async def run_detached(server: McpServer, name: str, script: str, options: Sequence[str], **more: Any) -> None:
    """A detached container without a network, as every container of this lab must be."""
    arguments: dict[str, Any] = {
        "image": IMAGE,
        "args": ["--network", "none", *options],
        "command": ["sh", "-c", script],
        "name": name,
        "detached": True,
        "remove": False,
    }
    done = await server.call("ssh_docker_run", host="box", **(arguments | more))
    assert done["exit_code"] == 0, errors_of(done)


async def state_of(server: McpServer, name: str) -> str:
    found = await server.call("ssh_docker_ps", host="box", all_=True, name=name)
    assert found["output_warnings"] == []
    return found["containers"][0]["State"] if found["containers"] else "gone"


async def stop_start_and_restart(server: McpServer, name: str) -> None:
    for verb, after in (("stop", "exited"), ("start", "running"), ("restart", "running")):
        done = await server.call(f"ssh_docker_{verb}", host="box", container=name)
        assert done["exit_code"] == 0, errors_of(done)
        assert await state_of(server, name) == after
