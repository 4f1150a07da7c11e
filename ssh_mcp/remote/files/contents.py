"""Putting content into remote files: upload, deploy, edit, patch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict
from ssh_mcp.policy.paths import Purpose, redact_listed
from ssh_mcp.remote.files import text_edits
from ssh_mcp.remote.files.arguments import DEFAULT_MODE
from ssh_mcp.remote.files.local_files import local_source
from ssh_mcp.remote.files.reading import Located, located, opened, opened_at
from ssh_mcp.remote.files.shown import as_text
from ssh_mcp.remote.files.sources import BytesSource, LocalFileSource, SameHostSource
from ssh_mcp.remote.files.writer import Job, Writer, lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.remote.together import together
from ssh_mcp.results.files import ContentResult, DeployResult
from transports.api import FileAttributes, Files
from transports.errors import FileError, FileErrorKind, TransportError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.remote.files.arguments import Content
    from ssh_mcp.remote.files.paths import Places
    from ssh_mcp.remote.files.reading import Reading
    from ssh_mcp.remote.host import RemoteHost

_DIFF_UP_TO: Final = 1 << 20
"""Larger contents are not compared for a diff, bytes."""


class Contents:
    """Writes contents on one host within one call."""

    def __init__(self, host: RemoteHost, places: Places, reading: Reading) -> None:
        self._host = host
        self._places = places
        self._reading = reading

    async def upload(self, path: str, content: Content, mode: int | None, *, dry_run: bool) -> ContentResult:
        """Create or replace a file."""
        target = await self._places.target(path)
        result = ContentResult(host=self._host.name, path=target, dry_run=dry_run)
        async with lock_for(self._host, target), self._source(content, target) as (source, size):
            old, result.diff = await self._compare(target, content)
            if not dry_run:
                writer = Writer(self._host, await self._places.files())
                written, result.sha256 = await together(writer.write(Job(target, source, mode)), source.sha256())
                result.bytes_written = written.size
        result.message = _said(old is not None, size, mode, dry_run=dry_run)
        return result

    async def deploy(
        self, path: str, content: Content, mode: int | None, *, backup: bool, dry_run: bool
    ) -> DeployResult:
        """Create or replace a file and keep the old one as ``.bak-<UTC>``."""
        target = await self._places.target(path)
        result = DeployResult(host=self._host.name, path=target, dry_run=dry_run)
        async with lock_for(self._host, target), self._source(content, target) as (source, size):
            old, result.diff = await self._compare(target, content)
            kept = f"{target}.bak-{datetime.now(UTC):%Y%m%dT%H%M%SZ}" if backup and old is not None else None
            if kept is not None:
                # a redact-listed file gets no backup name under which it could be read raw
                _, kept = await self._places.two(target, kept, source_purpose=Purpose.STAT, confirm=False)
            if not dry_run:
                files = await self._places.files()

                async def keep() -> None:
                    if kept is not None:
                        result.backup_path = await self._keep(files, target, kept)

                try:
                    writing = Writer(self._host, files).write(Job(target, source, mode, before=keep))
                    written, result.sha256 = await together(writing, source.sha256())
                except BaseException:
                    await self._drop_backup(files, result.backup_path)
                    raise
                result.bytes_written = written.size
        result.message = _said(old is not None, size, mode, dry_run=dry_run)
        if kept is not None and dry_run:
            result.message += f" The old file would be kept as {kept}."
        return result

    async def edit(self, path: str, change: Callable[[str, str], str], *, dry_run: bool) -> ContentResult:
        """Replace a file's text by ``change(text, path)``; owner and mode stay. Raises what ``change`` raises."""
        where = await located(self._places, path, Purpose.WRITE)
        target = where.path
        async with lock_for(self._host, target):
            data, before = await self._reading.for_edit(where)
            text = text_edits.decode(data, target)
            changed = change(text, target)
            diff = text_edits.diff(text, changed, target) if await self._shows(target) else None
            result = ContentResult(host=self._host.name, path=target, dry_run=dry_run, diff=diff)
            if not dry_run:
                files = await self._places.files()
                source = BytesSource(changed.encode("utf-8"))
                job = Job(target, source, unchanged=before)
                result.bytes_written = (await Writer(self._host, files).write(job)).size
                result.sha256 = await source.sha256()
        result.message = "Would change the file." if dry_run else "Changed the file."
        return result

    @asynccontextmanager
    async def _source(self, content: Content, target: str) -> AsyncIterator[tuple[BytesSource | LocalFileSource, int]]:
        if content.data is not None:
            yield BytesSource(content.data), len(content.data)
            return
        assert content.local_path is not None
        async with (
            local_source(content.local_path, self._host.settings) as file,
            reporting(self._host.call, f"upload to {target}") as progress,
        ):
            yield await LocalFileSource(file, progress).lightest(), file.size

    async def _shows(self, target: str) -> bool:
        """Whether a diff may show the file's text: a redact-listed one only goes through ssh_read_redacted."""
        return may_show(self._host, target, await self._places.policy())

    async def _compare(self, target: str, content: Content) -> tuple[FileAttributes | None, str | None]:
        """How the old file stands, and a diff where both are text of a moderate size."""
        files = await self._places.files()
        old = await files.standing(target)
        if content.data is None or len(content.data) > _DIFF_UP_TO or not await self._shows(target):
            return old, None
        new = as_text(content.data, partial=False)
        if new is None:
            return old, None
        if old is None:
            return None, text_edits.diff("", new[0], target)
        if old.kind != "file" or (old.size or 0) > _DIFF_UP_TO:
            return old, None
        with suppress(FileError):
            async with opened_at(self._places, Located(target, old)) as file:
                before = as_text((await self._reading.whole(file, _DIFF_UP_TO))[0], partial=False)
            return old, text_edits.diff(before[0], new[0], target) if before else None
        return old, None

    async def _drop_backup(self, files: Files, backup: str | None) -> None:
        """The old file still stands: no second name for it."""
        if backup is not None:
            with anyio.move_on_after(5, shield=True), suppress(TransportError):
                await files.remove(backup)

    async def _keep(self, files: Files, path: str, kept: str) -> str:
        """Keep the old file under a second name: the very file where links can be had, else a copy."""
        for number in range(1, 100):
            name = kept if number == 1 else f"{kept}-{number}"
            try:
                await files.hardlink(path, name)
            except FileError as error:
                if error.kind is FileErrorKind.EXISTS:
                    continue
                break
            else:
                return name
        else:
            raise FileConflict(f"{kept} exists already.", "Try again in a second.")
        async with (
            opened(self._places, path, Purpose.WRITE) as file,
            reporting(self._host.call, f"backup to {name}") as progress,
        ):
            old = file.attributes.permissions
            mode = None if old is None else old & 0o7777
            job = Job(name, SameHostSource(file, progress), mode, like=path, overwrite=False)
            await Writer(self._host, files).write(job)
        return name


def may_show(host: RemoteHost, path: str, policy: PathPolicy) -> bool:
    """Whether a diff may show the file's text; where not, the answer says so."""
    if redact_listed(path, policy):
        host.call.warn("No diff is shown, for the file is redact-listed.")
        return False
    return True


def _said(replaced: bool, size: int, mode: int | None, *, dry_run: bool) -> str:
    verb = ("Would replace" if dry_run else "Replaced") if replaced else ("Would create" if dry_run else "Created")
    if mode is None:
        kept = "its mode kept" if replaced else f"mode {DEFAULT_MODE:04o}"
        return f"{verb} the file: {size} bytes, {kept}."
    return f"{verb} the file: {size} bytes, mode {mode:04o}."
