"""Whether a host can be reached and is the one we know."""

from __future__ import annotations

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import reachability
from ssh_mcp.results.server import KnownHostsVerify, Ping
from ssh_mcp.tools.spec import tool


@tool(group="host", tier=Tier.READ)
async def ssh_host_ping(host: RemoteHost) -> Ping:
    """Log in (or use the live connection) and time one round trip in ms; shows the host's notes. Try this first."""
    return await reachability.ping(host)


@tool(group="host", tier=Tier.READ)
async def ssh_known_hosts_verify(host: RemoteHost) -> KnownHostsVerify:
    """Compare the host key offered now with the known one, without logging in."""
    return await reachability.verify_known_hosts(host)
