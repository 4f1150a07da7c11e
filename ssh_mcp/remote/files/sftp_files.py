"""The file service over SFTP, with what only SFTP has: stat, upload and deploy with their diffs, streaming."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files import text_edits
from ssh_mcp.remote.files.arguments import DEFAULT_MODE
from ssh_mcp.remote.files.listing import kind_of, mode_of, readable, time_of
from ssh_mcp.remote.files.local_files import check_size, local_failure, local_target
from ssh_mcp.remote.files.owners import owner_and_group
from ssh_mcp.remote.files.reading import opened, opened_at
from ssh_mcp.remote.files.service import FileService
from ssh_mcp.remote.files.sftp_view import SftpView
from ssh_mcp.remote.files.shown import as_text
from ssh_mcp.remote.files.sources import SameHostSource
from ssh_mcp.remote.files.view import Located
from ssh_mcp.remote.files.writer import Job, Writer, lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.remote.together import together
from ssh_mcp.results.files import ContentResult, DeployResult, Download, SftpStat
from transports.api import FileAttributes, Files
from transports.errors import FileError, FileErrorKind, TransportError

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.arguments import Content
    from ssh_mcp.remote.host import RemoteHost

_DIFF_UP_TO: Final = 1 << 20
"""Larger contents are not compared for a diff, bytes."""


class SftpFiles(FileService[SftpView]):
    """Made by ``RemoteHost.files``."""

    def __init__(self, host: RemoteHost) -> None:
        super().__init__(host, SftpView(host))
        self._paths = host.paths

    async def stat(self, path: str) -> SftpStat:
        """The entry itself; of a link also where it leads. Two round trips on a warm channel."""
        entry = await self._paths.entry(path, Purpose.STAT)
        attributes = entry.attributes
        if attributes is None:
            raise FileError(
                FileErrorKind.NOT_FOUND, path, f"{entry.path} does not exist.", "List the directory with ssh_sftp_list."
            )
        target = None
        if entry.is_link:
            target = await self._paths.asking(lambda files: files.readlink(entry.path))
        owner, group = await self._owner(attributes)
        return SftpStat(
            path=entry.path,
            kind=kind_of(attributes),
            size=attributes.size or 0,
            mode=mode_of(attributes),
            mtime=time_of(attributes),
            owner=owner,
            group=group,
            symlink_target=None if target is None else readable([target], self._host.call)[0],
        )

    async def _owner(self, attributes: FileAttributes) -> tuple[str | None, str | None]:
        """Names where the server sends them, else the numbers; Windows has neither."""
        uid, gid = attributes.uid, attributes.gid
        if uid is None or gid is None or self._host.policy.windows:
            return None, None
        return await owner_and_group(await self._paths.files(), uid, gid)

    async def download_to(self, path: str, local_path: str) -> Download:
        """Stream a whole file into a local one, which appears when it is complete."""
        async with local_target(local_path, self._host.settings) as target:
            async with opened(self._paths, path, Purpose.READ_RAW) as file:
                check_size(file.size, target)
                async with reporting(self._host.call, f"download of {file.path}") as progress:
                    try:
                        size = await file.handle.download(
                            target.fd, length=target.policy.max_bytes + 1, progress=progress
                        )
                    except OSError as error:
                        raise local_failure(local_path, error) from None
                check_size(size, target)
                await file.check_length(size)
            target.commit()
        return Download(host=self._host.name, path=file.path, size=size, local_path_written=str(target.path))

    async def upload(self, path: str, content: Content, mode: int | None, *, dry_run: bool) -> ContentResult:
        """Create or replace a file."""
        target = await self._paths.target(path)
        result = ContentResult(host=self._host.name, path=target, dry_run=dry_run)
        async with lock_for(self._host, target), self.source(content, target) as (source, size):
            old, result.diff = await self._compare(target, content)
            if dry_run and old is not None:
                await self._view.foresee(target)
            if not dry_run:
                writer = Writer(self._host, await self._paths.files())
                written, result.sha256 = await together(writer.write(Job(target, source, mode)), source.sha256())
                result.bytes_written = written.size
        result.message = _said(old is not None, size, mode, dry_run=dry_run)
        return result

    async def deploy(
        self, path: str, content: Content, mode: int | None, *, backup: bool, dry_run: bool
    ) -> DeployResult:
        """Create or replace a file and keep the old one as ``.bak-<UTC>``."""
        target = await self._paths.target(path)
        result = DeployResult(host=self._host.name, path=target, dry_run=dry_run)
        async with lock_for(self._host, target), self.source(content, target) as (source, size):
            old, result.diff = await self._compare(target, content)
            kept = f"{target}.bak-{datetime.now(UTC):%Y%m%dT%H%M%SZ}" if backup and old is not None else None
            if kept is not None:
                # a redact-listed file gets no backup name under which it could be read raw
                _, kept = await self._paths.two(target, kept, source_purpose=Purpose.STAT, confirm=False)
            if not dry_run:
                files = await self._paths.files()

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

    async def _compare(self, target: PermittedPath, content: Content) -> tuple[FileAttributes | None, str | None]:
        """The old file's attributes, and a diff where both are text of a moderate size."""
        files = await self._paths.files()
        old = await files.lookup(target)
        if content.data is None or len(content.data) > _DIFF_UP_TO or not self.shows(target):
            return old, None
        new = as_text(content.data, partial=False)
        if new is None:
            return old, None
        if old is None:
            return None, text_edits.diff("", new[0], target)
        if old.kind != "file" or (old.size or 0) > _DIFF_UP_TO:
            return old, None
        with suppress(FileError):
            async with opened_at(self._paths, Located(target, old)) as file:
                before = as_text((await self._view.whole(file, _DIFF_UP_TO))[0], partial=False)
            return old, text_edits.diff(before[0], new[0], target) if before else None
        return old, None

    async def _drop_backup(self, files: Files, backup: str | None) -> None:
        """The old file is still there: no second name for it."""
        if backup is not None:
            with anyio.move_on_after(5, shield=True), suppress(TransportError):
                await files.remove(backup)

    async def _keep(self, files: Files, path: PermittedPath, kept: PermittedPath) -> str:
        """Keep the old file under a second name: the very file where links can be had, else a copy."""
        policy = await self._paths.policy()
        name = kept
        for number in range(2, 100):
            try:
                await files.hardlink(path, name)
            except FileError as error:
                if error.kind is not FileErrorKind.EXISTS:
                    break
            else:
                return name
            further = f"{kept}-{number}"
            _, name = self._paths.decide_two(path, policy, further, policy, source_purpose=Purpose.STAT)
        else:
            raise FileConflict(f"{kept} exists already.", "Try again in a second.")
        async with (
            opened(self._paths, path, Purpose.WRITE) as file,
            reporting(self._host.call, f"backup to {name}") as progress,
        ):
            old = file.attributes.permissions
            mode = None if old is None else old & 0o7777
            job = Job(name, SameHostSource(file, progress), mode, like=path, overwrite=False)
            await Writer(self._host, files).write(job)
        return name


def _said(replaced: bool, size: int, mode: int | None, *, dry_run: bool) -> str:
    verb = ("Would replace" if dry_run else "Replaced") if replaced else ("Would create" if dry_run else "Created")
    if mode is None:
        kept = "its mode kept" if replaced else f"mode {DEFAULT_MODE:04o}"
        return f"{verb} the file: {size} bytes, {kept}."
    return f"{verb} the file: {size} bytes, mode {mode:04o}."
