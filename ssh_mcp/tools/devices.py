"""Group device: switches, routers and firewalls, by their own command line."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.devices import network
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.devices import DeviceConfigured, DeviceResult
from ssh_mcp.tools.spec import tool


@tool(group="device", tier=Tier.DANGEROUS, confirms=True)
async def ssh_device_run(
    host: RemoteHost,
    commands: Annotated[list[str], Field(min_length=1, description="Unabbreviated")],
    mode: Annotated[str | None, Field(description="Such as exec")] = None,
    timeout: float | None = None,
) -> DeviceResult:
    """Run commands on a network device that the operator's device_allow permits."""
    return await network.run(host, commands, mode, timeout)


@tool(group="device", tier=Tier.SUDO, confirms=True)
async def ssh_device_configure(
    host: RemoteHost,
    lines: Annotated[list[str], Field(min_length=1)],
    *,
    dry_run: bool = False,
    save: bool = False,
) -> DeviceConfigured:
    """Enter configuration lines on a network device."""
    return await network.configure(host, lines, dry_run=dry_run, save=save)
