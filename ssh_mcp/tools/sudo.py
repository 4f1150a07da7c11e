"""Group sudo: commands and files as root."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.files.arguments import parse_content, parse_owner, parse_selection, parse_write_mode
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.results.files import ContentResult, Download, FileResult, RedactedRead, SftpListing
from ssh_mcp.tools.exec import ResultBytes, Timeout
from ssh_mcp.tools.files import RedactedFormat
from ssh_mcp.tools.spec import tool

_WINDOWS = "Log in as an administrator and use the SFTP tools."


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS, confirms=True)
async def ssh_sudo_exec(
    host: RemoteHost, command: str, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ExecResult:
    """Run a shell command as root (without writing sudo). Otherwise like ssh_exec_run."""
    host.call.fit_within(max_bytes)
    return await host.sudo.execute(command, timeout=timeout)


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS, confirms=True)
async def ssh_sudo_run_script(
    host: RemoteHost, script: str, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ExecResult:
    """Run a multi-line script as root, sent over stdin (sh, or what its #! line names)."""
    host.call.fit_within(max_bytes)
    return await host.sudo.script(script, timeout=timeout)


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS)
async def ssh_sudo_read(
    host: RemoteHost,
    path: str,
    *,
    first_lines: int | None = None,
    last_lines: int | None = None,
    offset: int | None = None,
    max_bytes: int | None = None,
) -> Download:
    """Like ssh_sftp_download, as root. Secrets: ssh_sudo_read_redacted."""
    return await host.sudo.files.download(path, parse_selection(first_lines, last_lines, offset, max_bytes))


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS)
async def ssh_sudo_read_redacted(
    host: RemoteHost,
    path: str,
    *,
    format: RedactedFormat | None = None,  # noqa: A002 - the contract's name
    first_lines: int | None = None,
    last_lines: int | None = None,
    offset: int | None = None,
    max_bytes: int | None = None,
) -> RedactedRead:
    """Like ssh_read_redacted, as root."""
    from ssh_mcp.redaction.model import Format

    selection = parse_selection(first_lines, last_lines, offset, max_bytes)
    return await host.sudo.files.redacted(path, selection, None if format is None else Format(format))


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS, confirms=True)
async def ssh_sudo_write(
    host: RemoteHost,
    path: str,
    *,
    content_text: str | None = None,
    content_base64: str | None = None,
    local_path: str | None = None,
    mode: Annotated[int | str, Field(description='As "0640"')] = 420,
    chown_user: str | None = None,
    chown_group: str | None = None,
) -> FileResult:
    """Like ssh_upload, as root: a replaced file keeps owner and mode unless given. Small changes: ssh_sudo_edit."""
    content = parse_content(content_text, content_base64, local_path, max_bytes=host.settings.ssh_upload_max_file_bytes)
    return await host.sudo.files.write(
        path, content, parse_write_mode(mode), owner=parse_owner(chown_user, chown_group)
    )


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS, confirms=True)
async def ssh_sudo_edit(
    host: RemoteHost,
    path: str,
    *,
    old_string: str,
    new_string: str,
    occurrence: Literal["single", "all"] = "single",
    dry_run: bool = False,
) -> ContentResult:
    """Like ssh_edit, as root: owner and mode stay."""
    return await host.sudo.files.edit(path, old_string, new_string, occurrence, dry_run=dry_run)


@tool(group="sudo", tier=Tier.SUDO, windows_instead=_WINDOWS)
async def ssh_sudo_sftp_list(host: RemoteHost, path: str, offset: int = 0, limit: int = 100) -> SftpListing:
    """Like ssh_sftp_list, as root."""
    return await host.sudo.files.list(path, offset, limit)
