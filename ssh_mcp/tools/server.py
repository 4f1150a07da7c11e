"""Tools about this server: what it is, which hosts it knows, which connections it holds."""

from __future__ import annotations

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.results.server import (
    HostList,
    HostListEntry,
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
async def ssh_host_list(call: Call) -> HostList:
    """Hosts this server may reach. Start here when you do not know an alias."""
    settings, notes = call.fleet.settings, call.fleet.notes
    entries = [
        HostListEntry(
            alias=policy.alias,
            hostname=policy.hostname,
            port=policy.port or 22,
            platform=policy.platform.value,
            user=policy.user or settings.ssh_default_user or "",
            auth_method=policy.auth.method.value,
            has_notes=bool(policy.notes) or notes.exists(policy.alias),
        )
        for policy in call.fleet.inventory.listed()
    ]
    return HostList(hosts=entries, count=len(entries))


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
    entries = [_entry(status) for status in call.fleet.transport.sessions()]
    return SessionList(sessions=entries, count=len(entries))


def _entry(status: SessionStatus) -> SessionEntry:
    return SessionEntry(
        user=status.user,
        host=status.host,
        port=status.port,
        idle_seconds=round(status.idle_seconds, 1),
        pid=status.pid,
        transport=status.transport,
        active_channels=status.active_channels,
        via=list(status.via),
    )
