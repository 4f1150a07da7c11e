"""Tools about this server: what it is, which hosts it knows, which connections it holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.inventory.selectors import select as selected
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.hosts import aliases_of, listed_hosts
from ssh_mcp.results.server import (
    HostList,
    HostReload,
    ServerInfo,
    SessionEntry,
    SessionList,
)
from ssh_mcp.tools.spec import tool
from transports.api import SessionStatus


@tool(group="host", tier=Tier.READ)
async def ssh_server_info(call: Call) -> ServerInfo:
    """Name, version, number of listed tools, and the open tiers and groups of this server."""
    facts = call.fleet.facts
    return ServerInfo(
        name=facts.name,
        version=facts.version,
        total_tools=facts.total_tools,
        enabled_tiers=list(facts.tiers),
        enabled_groups=list(facts.groups),
    )


@tool(group="host", tier=Tier.READ)
async def ssh_host_list(
    call: Call,
    select: Annotated[str | None, Field(description="Such as web[01-20], @tag, @web!web03")] = None,
) -> HostList:
    """Hosts this server may reach. Start here when you do not know an alias."""
    fleet = call.fleet
    wanted = None if select is None else frozenset(selected([select], call.listed()))
    entries = [entry for entry in await listed_hosts(fleet, call.listed()) if wanted is None or entry.alias in wanted]
    problem = fleet.inventory_problem
    return HostList(
        hosts=entries,
        count=len(entries),
        open_tiers=[tier for tier in fleet.facts.tiers if call.role is None or tier in call.role.tiers],
        output_warnings=[f"The last change of hosts.toml is not in force: {problem}"] if problem else [],
    )


@tool(group="host", tier=Tier.LOW_ACCESS, destructive=False, idempotent=True)
async def ssh_host_reload(call: Call) -> HostReload:
    """Read hosts.toml again. A file with an error changes nothing."""
    change = call.fleet.reload_inventory()
    return HostReload(
        loaded=change.loaded,
        source=change.source,
        added=list(change.added),
        removed=list(change.removed),
        changed=list(change.changed),
        output_warnings=list(change.warnings),
    )


@tool(group="session", tier=Tier.READ)
async def ssh_session_list(call: Call) -> SessionList:
    """Live SSH connections: idle seconds, master's pid, open channels, jump hosts."""
    entries = [_entry(call, status) for status in call.fleet.sessions()]
    if call.role is not None and call.role.hosts is not None:
        entries = [entry for entry in entries if entry.aliases]
    return SessionList(sessions=entries, count=len(entries))


def _entry(call: Call, status: SessionStatus) -> SessionEntry:
    return SessionEntry(
        user=status.user,
        host=status.host,
        port=status.port,
        idle_seconds=round(status.idle_seconds, 1),
        pid=status.pid,
        transport=status.transport,
        active_channels=status.active_channels,
        aliases=aliases_of(call, status),
        via=list(status.via),
    )
