"""Group file-ops: changing files. Every write is atomic: readers see the old file or the new one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.files.arguments import parse_content, parse_mode, parse_write_mode
from ssh_mcp.remote.files.transfers import transfer
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.files import ContentResult, DeleteFolderResult, DeployResult, FileResult, TransferResult
from ssh_mcp.tools.spec import tool

LocalPath = Annotated[str | None, Field(description="Local file to stream")]
WriteMode = Annotated[int | str, Field(description='As "0640"; by default a replaced file keeps its own')]
DryRun = bool


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, idempotent=True, confirms=True)
async def ssh_upload(
    host: RemoteHost,
    path: str,
    *,
    content_base64: str | None = None,
    content_text: str | None = None,
    local_path: LocalPath = None,
    mode: WriteMode = 420,
    dry_run: DryRun = False,
) -> ContentResult:
    """Create or replace a file from exactly one of the contents. Where the old version may be wanted: ssh_deploy; for
    small changes: ssh_edit.
    """
    content = parse_content(content_text, content_base64, local_path, max_bytes=host.settings.ssh_upload_max_file_bytes)
    return await host.files.upload(path, content, parse_write_mode(mode), dry_run=dry_run)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_deploy(
    host: RemoteHost,
    path: str,
    *,
    content_base64: str | None = None,
    content_text: str | None = None,
    local_path: LocalPath = None,
    mode: WriteMode = 420,
    backup: bool = True,
    dry_run: DryRun = False,
) -> DeployResult:
    """Like ssh_upload, and the old file is kept beside it as .bak-<UTC time> (backup_path)."""
    content = parse_content(content_text, content_base64, local_path, max_bytes=host.settings.ssh_upload_max_file_bytes)
    return await host.files.deploy(path, content, parse_write_mode(mode), backup=backup, dry_run=dry_run)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_edit(
    host: RemoteHost,
    path: str,
    *,
    old_string: Annotated[str, Field(description="Exact text, white space included")],
    new_string: str,
    occurrence: Literal["single", "all"] = "single",
    dry_run: DryRun = False,
) -> ContentResult:
    """Replace an exact piece of text, which must occur exactly once (or occurrence all); owner and mode stay."""
    return await host.files.edit(path, old_string, new_string, occurrence, dry_run=dry_run)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_patch(host: RemoteHost, path: str, unified_diff: str, dry_run: DryRun = False) -> ContentResult:
    """Apply a unified diff to one file, strictly where it says. For one replacement use ssh_edit."""
    return await host.files.patch(path, unified_diff, dry_run=dry_run)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=False, confirms=True)
async def ssh_mkdir(
    host: RemoteHost,
    path: str,
    *,
    parents: bool = False,
    mode: Annotated[int | str, Field(description='As "0755"')] = 493,
) -> FileResult:
    """Create a directory; with parents also those above, and an existing one is no error."""
    return await host.trees.mkdir(path, parse_mode(mode), parents=parents)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_delete(host: RemoteHost, path: str) -> FileResult:
    """Delete one file, or a link (its target stays). Directories: ssh_delete_folder."""
    return await host.trees.delete(path)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_delete_folder(
    host: RemoteHost, path: str, recursive: bool = False, dry_run: DryRun = False
) -> DeleteFolderResult:
    """Delete a directory, with recursive all below it. Counted first; links are removed, never followed. Look at a
    dry_run before.
    """
    return await host.trees.delete_folder(path, recursive=recursive, dry_run=dry_run)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_cp(host: RemoteHost, src: str, dst: str) -> FileResult:
    """Copy a file on one host; dst is the copy's full name and is replaced if it exists."""
    return await host.trees.copy(src, dst)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_mv(host: RemoteHost, src: str, dst: str) -> FileResult:
    """Rename or move a file, link or directory on one host; dst is the full new name. An existing file is replaced."""
    return await host.trees.move(src, dst)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=False, confirms=True)
async def ssh_link(
    host: RemoteHost, src: str, dst: str, symbolic: bool = False, follow_symlinks: bool = True
) -> FileResult:
    """Give src the second name dst: a hard link, or a symbolic one. follow_symlinks: link to where src leads."""
    return await host.trees.link(src, dst, symbolic=symbolic, follow_symlinks=follow_symlinks)


@tool(group="file-ops", tier=Tier.LOW_ACCESS, destructive=True, confirms=True)
async def ssh_transfer(
    src_host: RemoteHost, src_path: str, dst_host: RemoteHost, dst_path: str, overwrite: bool = False
) -> TransferResult:
    """Copy a file of any size from one host to another through this server; size and SHA-256 are compared."""
    return await transfer(src_host, src_path, dst_host, dst_path, overwrite=overwrite)
