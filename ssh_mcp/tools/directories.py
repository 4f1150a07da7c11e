"""Group file-ops: whole directories at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.sync import SyncResult
from ssh_mcp.tools.spec import tool


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, idempotent=True, confirms=True)
async def ssh_sync(
    host: RemoteHost,
    remote_path: str,
    *,
    call: Call,
    local_path: Annotated[str | None, Field(description="Directory of this machine")] = None,
    other_host: Annotated[str | None, Field(description="Target of between")] = None,
    other_path: str | None = None,
    direction: Literal["up", "down", "between"] = "up",
    delete: Annotated[bool, Field(description="Also delete what the source lacks")] = False,
    dry_run: Annotated[bool, Field(description="Only show the plan")] = False,
    exclude: Annotated[list[str], Field(description="As *.pyc, build/, /top")] = [],  # noqa: B006
    checksum: Annotated[bool, Field(description="Compare contents, not size and time")] = False,
) -> SyncResult:
    """Make a directory like another: up to the host, down from it, or between two hosts. Only differences travel; call
    again after an interruption.
    """
    from ssh_mcp.remote.files.sync.sync import Wanted, sync

    other = None if other_host is None else await call.host(other_host)
    if other is not None:
        call.record.hosts([host.name, other.name])
    wanted = Wanted(
        direction=direction,
        remote_path=remote_path,
        local_path=local_path,
        other=other,
        other_path=other_path,
        delete=delete,
        dry_run=dry_run,
        exclude=tuple(exclude),
        checksum=checksum,
    )
    return await sync(host, wanted)
