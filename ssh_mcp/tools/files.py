"""Groups sftp-read and file-ops: looking at files and changing them.

Every write is atomic: readers see the old file or the new one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.files.arguments import parse_content, parse_mode, parse_selection, parse_write_mode
from ssh_mcp.remote.files.hashing import Algorithm
from ssh_mcp.remote.files.transfers import transfer
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.files import (
    ContentResult,
    DeleteFolderResult,
    DeployResult,
    DiskUsage,
    Download,
    FileHash,
    FileResult,
    FindResult,
    GrepResult,
    RedactedRead,
    SftpListing,
    SftpStat,
    TransferResult,
)
from ssh_mcp.tools.spec import tool

FirstLines = Annotated[int | None, Field(description="From the start")]
LastLines = Annotated[int | None, Field(description="From the end")]
Offset = Annotated[int | None, Field(description="Start at this byte")]
MaxBytes = Annotated[int | None, Field(description="At most so many bytes")]
Sort = Literal["name", "size", "mtime"]
RedactedFormat = Literal["env", "yaml", "json", "ini", "generic"]
LocalPath = Annotated[str | None, Field(description="Local file to stream")]
WriteMode = Annotated[int | str, Field(description='As "0640"; by default a replaced file keeps its own')]
DryRun = bool


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_sftp_list(host: RemoteHost, path: str, offset: int = 0, limit: int = 100) -> SftpListing:
    """List a directory, sorted by name, with kind, size in bytes, mode, UTC time and link targets. While has_more, go
    on with offset=next_offset.
    """
    return await host.files.list(path, offset, limit)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_sftp_stat(host: RemoteHost, path: str) -> SftpStat:
    """Kind, size in bytes, mode, owner and UTC time of one path; of a link also where it leads. The cheapest call."""
    return await host.files.stat(path)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_sftp_download(
    host: RemoteHost,
    path: str,
    *,
    local_path: Annotated[str | None, Field(description="Stream into this local file instead")] = None,
    first_lines: FirstLines = None,
    last_lines: LastLines = None,
    offset: Offset = None,
    max_bytes: MaxBytes = None,
) -> Download:
    """Read a file byte for byte: content_text if UTF-8, else content_base64. At most 64 KiB at once; go on with
    next_offset. Files with secrets: ssh_read_redacted.
    """
    selection = parse_selection(first_lines, last_lines, offset, max_bytes)
    if local_path is None:
        return await host.files.download(path, selection)
    if not selection.whole:
        raise InvalidArgument("local_path takes the whole file.", "Leave the other arguments out.")
    return await host.files.download_to(path, local_path)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_find(
    host: RemoteHost,
    path: str,
    *,
    name_pattern: Annotated[str, Field(description="For the last name: * ? [a-z]")] = "*",
    kind: Annotated[str, Field(description="f, d, l or any")] = "f",
    max_depth: Annotated[int | None, Field(description="1: the directory's own entries")] = None,
    min_size: Annotated[int, Field(description="At least so many bytes")] = 0,
    newer_than: Annotated[str, Field(description="Changed since: 90m, 2h, 7d or a time in ISO 8601")] = "",
    sort: Annotated[Sort, Field(description="By name, or largest or newest first")] = "name",
) -> FindResult:
    """Search a tree by name, kind, size and age; links are not followed. With min_size, newer_than or sort, entries
    holds sizes and times. For one directory use ssh_sftp_list, for contents ssh_grep.
    """
    from ssh_mcp.remote.files.search.find import checked, find

    query = checked(host, name_pattern, kind, max_depth, min_size=min_size, newer_than=newer_than, sort=sort)
    return await find(host, path, query)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_grep(
    host: RemoteHost,
    path: Annotated[str, Field(description="A file, or a directory to search below")],
    pattern: Annotated[str, Field(description="POSIX extended regular expression")],
    *,
    fixed: Annotated[bool, Field(description="pattern is plain text")] = False,
    name_pattern: Annotated[str, Field(description="Only files with such names: * ? [a-z]")] = "*",
    ignore_case: bool = False,
    context: Annotated[int, Field(description="Lines shown before and after each match")] = 0,
    max_matches: Annotated[int, Field(description="1 to 2000")] = 200,
    max_depth: Annotated[int | None, Field(description="1: the directory's own files")] = None,
) -> GrepResult:
    """Search inside files, compressed logs too, on the host itself. Secrets in the lines are masked; restricted and
    redact-listed files are skipped and counted. By name only: ssh_find.
    """
    from ssh_mcp.remote.files.search.grep import grep, grep_query

    query = grep_query(pattern, fixed=fixed, ignore_case=ignore_case, context=context, max_matches=max_matches)
    return await grep(host, path, query, name_pattern=name_pattern, max_depth=max_depth)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_disk_usage_of(
    host: RemoteHost, path: str, depth: Annotated[int, Field(description="Levels to show, 1 to 8")] = 1
) -> DiskUsage:
    """What fills a directory: its largest entries in bytes, on one file system. Whole disks: ssh_host_disk_usage."""
    from ssh_mcp.remote.files.search.usage import usage

    return await usage(host, path, depth)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_file_hash(
    host: RemoteHost,
    path: str,
    *,
    algorithm: Algorithm = "sha256",
    timeout: int | None = None,
) -> FileHash:
    """Checksum of a file, computed on the host where it can. To compare versions without reading them."""
    from ssh_mcp.remote.files.hashing import file_hash

    return await file_hash(host, path, algorithm, timeout)


@tool(group="sftp-read", tier=Tier.READ)
async def ssh_read_redacted(
    host: RemoteHost,
    path: str,
    *,
    format: RedactedFormat | None = None,  # noqa: A002 - the contract's name
    first_lines: FirstLines = None,
    last_lines: LastLines = None,
    offset: Offset = None,
    max_bytes: MaxBytes = None,
) -> RedactedRead:
    """Read a configuration file with its secrets replaced by markers (equal secrets, equal markers); all else stays
    byte for byte. The way to read redact-listed files.
    """
    from ssh_mcp.redaction.model import Format

    selection = parse_selection(first_lines, last_lines, offset, max_bytes)
    return await host.files.redacted(path, selection, None if format is None else Format(format))


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
    """Create a directory; with parents also those above, and an existing one is not an error."""
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
