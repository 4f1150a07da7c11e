"""Group host: what a machine is and how it is doing. One session per call, however many questions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.policy import arguments
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import host as machine
from ssh_mcp.results.host import HostAlerts, HostDiskUsage, HostInfo, HostNetwork, HostProcesses, UserInfo
from ssh_mcp.tools.spec import tool

_WINDOWS = "ssh_host_ping and the sftp tools work there."


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_host_info(host: RemoteHost) -> HostInfo:
    """Read kernel, distribution, uptime, CPU and FQDN of a host in one session. Load, memory and disks against limits:
    ssh_host_alerts.
    """
    return await machine.info(host)


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_host_disk_usage(host: RemoteHost) -> HostDiskUsage:
    """Show size, use and free space of every mounted filesystem of a host."""
    return await machine.disk_usage(host)


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_host_network(host: RemoteHost) -> HostNetwork:
    """List network interfaces of a host with state, MAC and addresses."""
    return await machine.interfaces(host)


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_host_processes(
    host: RemoteHost, top: Annotated[int, Field(ge=1, le=1000, description="Rows, 1-1000")] = 20
) -> HostProcesses:
    """List the busiest processes of a host by CPU (percent of one core over the process's life), with user, memory
    share and command line.
    """
    return await machine.busiest(host, top)


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_host_alerts(host: RemoteHost) -> HostAlerts:
    """Compare a host's disk use, load and free memory with the limits that the operator configured. No breach where
    no limit is set; the measured values come either way.
    """
    return await machine.check_alerts(host)


@tool(group="host", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_user_info(
    host: RemoteHost, username: Annotated[str | None, Field(description="Default: the login user")] = None
) -> UserInfo:
    """Look up one account of a host: uid, gid, home, shell and groups."""
    return await machine.account(host, None if username is None else arguments.user(username))
