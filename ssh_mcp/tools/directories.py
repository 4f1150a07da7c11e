"""Group file-ops: whole directories at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.directories import ArchiveResult, SyncResult
from ssh_mcp.tools.spec import tool


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, idempotent=True, confirms=True)
async def ssh_sync(
    host: RemoteHost,
    remote_path: str,
    *,
    call: Call,
    local_path: str | None = None,
    other_host: str | None = None,
    other_path: str | None = None,
    direction: Literal["up", "down", "between"] = "up",
    delete: Annotated[bool, Field(description="Remove what the source lacks")] = False,
    dry_run: bool = False,
    exclude: Annotated[list[str], Field(description="As *.pyc, build/, /top")] = [],  # noqa: B006
    checksum: Annotated[bool, Field(description="Compare contents, not times")] = False,
) -> SyncResult:
    """Make a directory like another: up to the host, down from it, or between two hosts. Repeat it
    after an interruption.
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


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True, windows_instead="Use ssh_sync.")
async def ssh_archive(
    host: RemoteHost,
    action: Literal["create", "extract", "list"],
    archive: Annotated[str, Field(description=".tar, .tar.gz, .tar.xz, .tar.zst, .zip")],
    *,
    paths: Annotated[list[str], Field(description="What create packs")] = [],  # noqa: B006
    dest: Annotated[str | None, Field(description="Where extract unpacks")] = None,
) -> ArchiveResult:
    """Pack, unpack or list an archive on the host. Members are checked before anything is written."""
    from ssh_mcp.remote.files.archive import archives

    return await archives.archive(host, action, archive, paths, dest)
