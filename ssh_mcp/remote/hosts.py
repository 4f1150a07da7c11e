"""The hosts of this server as ssh_host_list shows them: only what is true, resolved by ssh where it decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import HostBlocked
from ssh_mcp.results.server import HostListEntry
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import HostPolicy
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.fleet import Fleet
    from transports.api import Effective, SessionStatus

AT_ONCE = 8
"""Hosts that ``ssh -G`` is asked about in parallel."""
PATIENCE = 5.0
"""Seconds for all of them; what is not known by then is null. Later calls find the first replies remembered."""


async def listed_hosts(fleet: Fleet, policies: Sequence[HostPolicy]) -> list[HostListEntry]:
    """Those of ``policies`` that are not blocked, in the inventory's order. Connects to none of them."""
    known: dict[str, Effective] = {}
    blocked: set[str] = set()
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def ask(policy: HostPolicy) -> None:
        async with limiter:
            try:
                effective = await fleet.effective(policy)
                fleet.inventory.check_effective(policy, effective)
                known[policy.alias] = effective
            except HostBlocked:
                blocked.add(policy.alias)
            except TransportError:
                return  # ssh cannot say either: the fields stay null

    with anyio.move_on_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for policy in policies:
                if _needs_ssh(fleet, policy):
                    tasks.start_soon(ask, policy)
    return [_entry(fleet, each, known.get(each.alias)) for each in policies if each.alias not in blocked]


def _needs_ssh(fleet: Fleet, policy: HostPolicy) -> bool:
    """Whether ssh has anything to say that matters: a host that hosts.toml describes fully costs no process."""
    return fleet.inventory.needs_effective(policy) or policy.user is None or policy.port is None


def _entry(fleet: Fleet, policy: HostPolicy, effective: Effective | None) -> HostListEntry:
    commands = policy.commands
    # Without a reply from ssh, a ProxyJump of the operator's ssh_config may or may not be there: null, not "none".
    jumps = [hop.alias for hop in policy.jump] or (list(effective.jump) if effective else None)
    return HostListEntry(
        alias=policy.alias,
        hostname=effective.hostname if effective else policy.hostname if policy.hostname_given else None,
        port=effective.port if effective else policy.port,
        platform=policy.platform.value,
        user=effective.user if effective else policy.user,
        auth_method=policy.auth.method.value,
        has_notes=bool(policy.notes) or fleet.notes.exists(policy.alias),
        jump_hosts=jumps,
        tags=list(policy.tags),
        allowed_paths=list(policy.paths.allow),
        allowed_programs=list(commands.allow) or (["*"] if commands.allow_any else []),
    )


def aliases_of(call: Call, status: SessionStatus) -> list[str]:
    """The hosts of the inventory that a live connection can belong to, by hostname and what they fix themselves."""
    return [
        policy.alias
        for policy in call.listed()
        if status.host in (policy.hostname, policy.ssh_name)
        and policy.port in (None, status.port)
        and policy.user in (None, status.user)
    ]
