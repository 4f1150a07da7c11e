"""Group forward: ports to what lies behind a host."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.forwards import ForwardClosed, ForwardList, ForwardOpened
from ssh_mcp.tools.spec import tool


@tool(group="forward", tier=Tier.DANGEROUS, confirms=True)
async def ssh_forward_open(
    host: RemoteHost,
    target: Annotated[str, Field(description="host:port as the host reaches it; remote: as this machine does")],
    *,
    kind: Annotated[Literal["local", "remote", "dynamic"], Field(description="dynamic: a SOCKS proxy, no target")] = (
        "local"
    ),
    ttl: Annotated[int, Field(description="Seconds until it closes")] = 3600,
    listen_port: Annotated[int | None, Field(description="Default: a free one is chosen")] = None,
    idle: Annotated[int, Field(description="Close after so many seconds without a connection; 0: never")] = 0,
) -> ForwardOpened:
    """Open a port on this machine's loopback that leads to a target behind the host, such as a database behind a
    bastion. Only targets that the operator listed. Close it when done.
    """
    forwards = host.call.fleet.forwards
    return await forwards.open(host, target, kind, ttl=ttl, listen_port=listen_port, idle=idle)


@tool(group="forward", tier=Tier.DANGEROUS, idempotent=True)
async def ssh_forward_list(call: Call) -> ForwardList:
    """Your open forwards: where they listen, where they lead, live connections, when they expire."""
    return call.fleet.forwards.list(call.caller)


@tool(group="forward", tier=Tier.DANGEROUS, idempotent=True)
async def ssh_forward_close(forward_id: str, call: Call) -> ForwardClosed:
    """Close a forward and the connections it carries; returns once its port refuses connections."""
    return await call.fleet.forwards.close(forward_id, call.caller)
