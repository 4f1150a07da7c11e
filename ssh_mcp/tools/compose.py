"""Group docker: compose projects. The verbs differ in name, tier and words only: one table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy import arguments
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import compose
from ssh_mcp.remote.services import docker as containers
from ssh_mcp.results.docker import ServiceList
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tools.docker import LongTimeout, MaxBytes, Tail
from ssh_mcp.tools.spec import ToolFunction, tool

File = str
Legacy = bool

_WINDOWS = "Containers are reached on POSIX hosts only."


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_compose_ps(
    host: RemoteHost,
    compose_file: File,
    *,
    include_labels: bool = False,
    compose_v1: Legacy = False,
    service: Annotated[str | None, Field(description="One service; default all")] = None,
    status: Literal["paused", "restarting", "removing", "running", "dead", "created", "exited"] | None = None,
) -> ServiceList:
    """List the containers of a compose project with service, state and ports. All containers of the host:
    ssh_docker_ps.
    """
    return await compose.services(
        host,
        compose_file,
        legacy=compose_v1,
        labels=include_labels,
        service=None if service is None else arguments.service(service),
        status=status,
    )


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_compose_logs(
    host: RemoteHost,
    compose_file: File,
    *,
    tail: Tail = 50,
    service: Annotated[str | None, Field(description="One service; default all")] = None,
    max_bytes: MaxBytes = containers.READ_END_BYTES,
    compose_v1: Legacy = False,
) -> ExecResult:
    """Read the newest output of a compose project's services, all or one. Of a single container: ssh_docker_logs."""
    only = None if service is None else arguments.service(service)
    return await compose.logs(host, compose_file, legacy=compose_v1, tail=tail, service=only, limit=max_bytes)


_EXISTING = {
    "start": "Start a project's stopped services as they are.",
    "stop": "Stop a project's services and keep their containers.",
    "restart": "Restart a project's services without recreating them.",
}
"""Verbs that only touch containers that are there."""


def _existing(verb: str, description: str) -> ToolFunction:
    async def run(host: RemoteHost, compose_file: File, compose_v1: Legacy = False) -> ExecResult:
        return await compose.change(
            host, compose_file, (verb,), legacy=compose_v1, creates=False, timeout=containers.long_timeout(host, None)
        )

    run.__name__ = run.__qualname__ = f"ssh_docker_compose_{verb}"
    run.__doc__ = description
    return tool(group="docker", tier=Tier.LOW_ACCESS, windows_instead=_WINDOWS, destructive=False, idempotent=True)(run)


for _verb, _description in _EXISTING.items():
    _existing(_verb, _description)


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_compose_up(
    host: RemoteHost,
    compose_file: File,
    *,
    detached: bool = True,
    build: Annotated[bool, Field(description="Build images first")] = False,
    timeout: LongTimeout = None,
    compose_v1: Legacy = False,
) -> ExecResult:
    """Create and start a compose project's services, recreating what changed. Unchanged and only stopped:
    ssh_docker_compose_start.
    """
    words = ("up", *(("--detach",) if detached else ()), *(("--build",) if build else ()))
    return await compose.change(
        host,
        compose_file,
        words,
        legacy=compose_v1,
        creates=True,
        timeout=containers.long_timeout(host, timeout),
    )


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_compose_down(
    host: RemoteHost,
    compose_file: File,
    *,
    volumes: Annotated[bool, Field(description="Delete the named volumes too")] = False,
    timeout: LongTimeout = None,
    compose_v1: Legacy = False,
) -> ExecResult:
    """Stop and remove a compose project's containers and networks, with volumes=true its data too. To keep them:
    ssh_docker_compose_stop.
    """
    words = ("down", *(("--volumes",) if volumes else ()))
    return await compose.change(
        host,
        compose_file,
        words,
        legacy=compose_v1,
        creates=False,
        timeout=containers.long_timeout(host, timeout),
    )


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_compose_pull(
    host: RemoteHost, compose_file: File, timeout: LongTimeout = None, compose_v1: Legacy = False
) -> ExecResult:
    """Pull the images of a compose project; ssh_docker_compose_up then uses them."""
    return await compose.change(
        host,
        compose_file,
        ("pull",),
        legacy=compose_v1,
        creates=False,
        timeout=containers.long_timeout(host, timeout),
    )
