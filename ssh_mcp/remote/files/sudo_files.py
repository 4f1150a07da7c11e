"""Files as root, confined by the host's path policy: canonicalised in root's view, judged, then acted upon."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

import anyio
import anyio.to_thread

from ssh_mcp.errors import FileConflict, InvalidArgument, TooLarge
from ssh_mcp.guard.aside import aside
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.arguments import user as user_name
from ssh_mcp.policy.paths import Purpose, decide, normalise_argument, with_resolved_restrictions
from ssh_mcp.remote.files import text_edits
from ssh_mcp.remote.files.arguments import DEFAULT_MODE, Content, Selection
from ssh_mcp.remote.files.attributes import remark
from ssh_mcp.remote.files.contents import may_show
from ssh_mcp.remote.files.listing import MAX_PAGE, kind_of, mode_of, readable, time_of, unrestricted
from ssh_mcp.remote.files.local_files import local_failure, local_source
from ssh_mcp.remote.files.shown import as_download, as_redacted
from ssh_mcp.remote.files.writer import lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.results.files import ContentResult, FileResult, SftpEntry, SftpListing

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.files.root_files import RootFiles
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.results.files import Download, RedactedRead

_BLOCK: Final = 1 << 18
"""Bytes read from a local file at once."""
_READER: Final = "ssh_sudo_read_redacted"


class SudoFiles:
    """Made by ``Sudo.files``.

    All methods raise the refusals of policy (PathNotAllowed, PathRestricted, PathChanged, RedactBypassBlocked),
    InvalidArgument, FileError, SudoFailed, MasterLost.
    """

    def __init__(self, host: RemoteHost, root: RootFiles) -> None:
        self._host = host
        self._root = root
        self._policy = host.policy.paths

    async def read(self, path: str, selection: Selection) -> Download:
        """A file's bytes, byte for byte."""
        canonical = await self._judged(path, Purpose.READ_RAW)
        found = await self._root.read(canonical, selection, self._host.settings.ssh_read_max_bytes)
        size = len(found.piece.data)
        return await aside(size, as_download, self._host, canonical, found.piece, _READER)

    async def redacted(self, path: str, selection: Selection, wanted: Format | None) -> RedactedRead:
        """A file's text with markers for its secrets."""
        canonical = await self._judged(path, Purpose.READ_REDACTED)
        found = await self._root.read(canonical, selection, self._host.settings.ssh_read_max_bytes, whole=True)
        return await aside(len(found.piece.data), as_redacted, self._host, canonical, found.piece, wanted)

    async def write(
        self, path: str, content: Content, mode: int | None, user: str | None, group: str | None
    ) -> FileResult:
        """Create or replace a file. ``mode`` None: an old file keeps its own, a new one gets 0644."""
        owner = _owner(user, group)
        canonical = await self._judged(path, Purpose.WRITE)
        async with lock_for(self._host, canonical), self._source(content, canonical) as (data, size):
            kept = await self._root.write(
                canonical, data, size=size, mode=mode, owner=owner, new_mode=DEFAULT_MODE if mode is None else mode
            )
        remark(self._host, canonical, kept)
        return FileResult(host=self._host.name, path=canonical, bytes_written=size, message="Wrote the file as root.")

    async def edit(
        self, path: str, old: str, new: str, occurrence: Literal["single", "all"], *, dry_run: bool
    ) -> ContentResult:
        """Replace text in a file; owner and mode stay."""
        canonical = await self._judged(path, Purpose.WRITE)
        cap = self._host.settings.ssh_edit_max_file_bytes
        async with lock_for(self._host, canonical):
            found = await self._root.read(canonical, Selection(), cap)
            if found.piece.more:
                raise TooLarge(
                    f"{shown(canonical)} has more than {cap} bytes.", "The operator can raise SSH_EDIT_MAX_FILE_BYTES."
                )
            text = text_edits.decode(found.piece.data, canonical)
            changed = text_edits.replace(text, old, new, occurrence, canonical)
            result = ContentResult(host=self._host.name, path=canonical, dry_run=dry_run)
            if may_show(self._host, canonical, self._policy):
                result.diff = text_edits.diff(text, changed, canonical)
            if not dry_run:
                data = changed.encode("utf-8")
                kept = await self._root.write(
                    canonical, data, size=len(data), mode=None, owner=":", new_mode=DEFAULT_MODE, state=found.state
                )
                remark(self._host, canonical, kept)
                result.bytes_written = len(data)
        result.message = "Would change the file." if dry_run else "Changed the file as root."
        return result

    async def list(self, path: str, offset: int, limit: int) -> SftpListing:
        """One page of a directory, sorted by name; entries in restricted zones are left out and counted."""
        if offset < 0 or not 1 <= limit <= MAX_PAGE:
            raise InvalidArgument(
                f"offset {offset} or limit {limit} is out of range.", f"offset is 0 or more, limit 1 to {MAX_PAGE}."
            )
        canonical = await self._judged(path, Purpose.LIST)
        entries, targets = await self._root.list(canonical)
        shown_entries = sorted(
            unrestricted(entries, canonical, self._policy, self._host.call), key=lambda entry: entry.name
        )
        page = shown_entries[offset : offset + limit]
        names = readable([entry.name for entry in page], self._host.call)
        links = readable([targets.get(entry.name, "") for entry in page], self._host.call)
        return SftpListing(
            host=self._host.name,
            path=canonical,
            entries=[
                SftpEntry(
                    name=name,
                    kind=kind_of(entry.attributes),
                    size=entry.attributes.size or 0,
                    mode=mode_of(entry.attributes),
                    mtime=time_of(entry.attributes),
                    symlink_target=link or None,
                )
                for name, link, entry in zip(names, links, page, strict=True)
            ],
            offset=offset,
            limit=limit,
            has_more=offset + limit < len(shown_entries),
        )

    async def _judged(self, path: str, purpose: Purpose) -> str:
        """The canonical path, allowed for its purpose. What is restricted is asked along in root's view."""
        policy: PathPolicy = self._host.policy.paths
        wanted = normalise_argument(path, policy)
        found = await self._root.canonical([wanted, *policy.restricted])
        resolved = {given: place.path for given, place in zip(policy.restricted, found[1:], strict=True)}
        self._policy = with_resolved_restrictions(policy, resolved)
        verdict = decide(found[0].path, self._policy, purpose=purpose, reader=_READER)
        call = self._host.call
        call.note_path(verdict.path)
        if verdict.redact_bypass:
            call.note_bypass()
        for warning in verdict.warnings:
            call.warn(warning)
        if purpose is Purpose.WRITE:
            await call.confirm_write(self._host, verdict.path)
        return verdict.path

    @asynccontextmanager
    async def _source(self, content: Content, target: str) -> AsyncIterator[tuple[bytes | AsyncIterator[bytes], int]]:
        if content.data is not None:
            yield content.data, len(content.data)
            return
        assert content.local_path is not None
        async with local_source(content.local_path, self._host.settings) as file:
            done = 0

            async def blocks() -> AsyncIterator[bytes]:
                nonlocal done
                while done < file.size:
                    try:
                        block = await anyio.to_thread.run_sync(os.read, file.fd, min(_BLOCK, file.size - done))
                    except OSError as error:
                        raise local_failure(str(file.path), error) from None
                    if not block:
                        raise FileConflict(f"{file.path} became shorter while it was read.", "Try again.")
                    done += len(block)
                    count(done, file.size)
                    yield block

            async with reporting(self._host.call, f"writing {target}") as count:
                yield blocks(), file.size


def _owner(user: str | None, group: str | None) -> str:
    """``user:group`` for chown, either side empty where it stays. Raises InvalidArgument."""
    return f"{user_name(user) if user else ''}:{user_name(group) if group else ''}"
