"""Directories and names: mkdir, delete, copy, move, link."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import FileConflict, InvalidArgument, PathRestricted, TooLarge
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import (
    Purpose,
    holds_restricted,
    may_hold_redact_listed,
    redact_listed,
    restricted_by,
    split_parent,
)
from ssh_mcp.remote.files.listing import readable
from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.files.reading import opened
from ssh_mcp.remote.files.removal import remove_tree
from ssh_mcp.remote.files.sources import SameHostSource
from ssh_mcp.remote.files.tree_copy import copy_tree
from ssh_mcp.remote.files.walking import Found, Walk, walk
from ssh_mcp.remote.files.writer import Job, Writer, accepted, lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.results.files import DeleteFolderResult, FileResult
from transports.api import FileAttributes, Files
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.paths import Entry
    from ssh_mcp.remote.host import RemoteHost

_LISTED: Final = 1000
"""Paths of a dry run that are shown."""


class Trees:
    """Names on one host within one call."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self._paths = host.paths

    def _result(self, path: str, message: str, bytes_written: int = 0) -> FileResult:
        return FileResult(host=self._host.name, path=path, message=message, bytes_written=bytes_written)

    async def mkdir(self, path: str, mode: int, *, parents: bool) -> FileResult:
        """Make a directory, with ``parents`` also those above it and no error where it exists."""
        target = await self._paths.target(path)
        files = await self._paths.files()
        missing: list[str] = []
        above: str = target
        while (found := await _kind(files, above)) is None:
            missing.insert(0, above)
            if not parents:
                break
            above = split_parent(above)[0]
        if found not in (None, "directory", "unknown"):
            raise FileConflict(f"{shown(above)} exists and is not a directory.", "Choose another name.")
        if not missing:
            if parents:
                return self._result(target, "The directory exists already.")
            raise FileConflict(f"{shown(target)} exists already.", "Choose another name, or give parents true.")
        policy = await self._paths.policy()
        wanted = [self._paths.decide(directory, policy, Purpose.WRITE) for directory in missing]
        for directory in wanted:
            await self._make(files, directory, mode)
        return self._result(target, f"Made {len(missing)} {'directory' if len(missing) == 1 else 'directories'}.")

    async def _make(self, files: Files, directory: PermittedPath, mode: int) -> None:
        await files.mkdir(directory, mode)
        if await files.realpath(directory) != directory:
            raise changed(directory)
        if self._host.policy.windows or await accepted(files.setstat(directory, FileAttributes(permissions=mode))):
            return
        found = (await files.lstat(directory)).permissions or 0
        if found & 0o7777 != mode:  # a server that sets no modes: its umask may only have narrowed what was asked for
            self._host.call.warn(
                f"The host's SFTP server sets no modes: {shown(directory)} has mode {found & 0o7777:04o}."
            )

    # --- removing -----------------------------------------------------------------------------------------------------

    async def delete(self, path: str) -> FileResult:
        """Remove one file or link; of a link the link itself."""
        entry = await self._present(path, Purpose.DELETE)
        if entry.attributes is not None and entry.attributes.kind == "directory":
            raise FileError(
                FileErrorKind.IS_DIRECTORY, path, f"{shown(entry.path)} is a directory.", "Use ssh_delete_folder."
            )
        await (await self._paths.files()).remove(entry.path)
        return self._result(entry.path, "Removed the link." if entry.is_link else "Removed the file.")

    async def delete_folder(self, path: str, *, recursive: bool, dry_run: bool) -> DeleteFolderResult:
        """Remove a directory, with ``recursive`` all below it; counted and decided on before anything goes."""
        entry = await self._present(path, Purpose.DELETE)
        if entry.is_link:
            raise InvalidArgument(f"{shown(entry.path)} is a link.", "ssh_delete removes it; its target stays.")
        if entry.attributes is not None and entry.attributes.kind not in ("directory", "unknown"):
            raise InvalidArgument(f"{shown(entry.path)} is not a directory.", "Use ssh_delete.")
        split_parent(entry.path)
        files = await self._paths.files()
        found = await self._whole_tree(files, entry.path)
        if found and not recursive:
            raise FileConflict(
                f"{shown(entry.path)} holds {len(found)} entries.", "Give recursive true, perhaps with dry_run first."
            )
        result = DeleteFolderResult(host=self._host.name, path=entry.path, dry_run=dry_run)
        if dry_run:
            names = [f.path for f in sorted(found, key=lambda f: f.path)] + [entry.path]
            result.would_delete = readable(names[:_LISTED], self._host.call)
            if len(names) > _LISTED:
                self._host.call.warn(f"{len(names)} entries would go; the first {_LISTED} are shown.")
            result.message = f"Would remove {len(names)} entries."
            return result
        async with reporting(self._host.call, f"removal of {entry.path}") as progress:
            result.deleted = await remove_tree(files, entry.path, found, progress)
        result.message = f"Removed {result.deleted} entries."
        return result

    async def _whole_tree(self, files: Files, root: PermittedPath) -> list[Found]:
        """All below ``root``. Raises PathRestricted, TooLarge, and RemoteError where a part cannot be seen."""
        policy = await self._paths.policy()
        most = self._host.settings.ssh_delete_folder_max_entries
        found: list[Found] = []
        log = Walk()
        async with aclosing(walk(files, root, log)) as tree:
            async for one in tree:
                found.append(one)
                if restricted_by(one.path, policy) is not None:
                    raise PathRestricted(f"{shown(root)} holds something restricted.", "Nothing was done.")
                if len(found) > most:
                    raise TooLarge(
                        f"{shown(root)} holds more than {most} entries.",
                        "Handle parts of it, or ask the operator to raise SSH_DELETE_FOLDER_MAX_ENTRIES.",
                    )
        if log.unread:
            raise FileError(
                FileErrorKind.PERMISSION, log.unread[0], f"{shown(log.unread[0])} cannot be read.", "Nothing was done."
            )
        return found

    # --- two names ----------------------------------------------------------------------------------------------------

    async def copy(self, src: str, dst: str) -> FileResult:
        """Copy a file; the copy gets its mode. An existing file is replaced."""
        source, target = await self._paths.two(src, dst)
        if source == target:
            raise InvalidArgument("src and dst are the same file.", "Give another dst.")
        async with lock_for(self._host, target):
            size = await self._copy_file(source, target)
        return self._result(target, f"Copied {size} bytes from {source}.", size)

    async def _copy_file(self, source: PermittedPath, target: PermittedPath, *, keep_times: bool = False) -> int:
        async with (
            opened(self._paths, source, Purpose.STAT) as file,
            reporting(self._host.call, f"copy to {target}") as progress,
        ):
            mode = None if file.attributes.permissions is None else file.attributes.permissions & 0o777
            job = Job(target, SameHostSource(file, progress), mode, like=source)
            written = await Writer(self._host, file.files).write(job)
            times = FileAttributes(atime=file.attributes.atime, mtime=file.attributes.mtime)
            if keep_times and None not in (times.atime, times.mtime):
                with suppress(FileError):  # the file is there: its times are no reason to fail
                    await file.files.setstat(target, times)
        return written.size

    async def move(self, src: str, dst: str) -> FileResult:
        """Rename, or across filesystems copy and remove. An existing file is replaced, a directory never."""
        source = await self._present(src, Purpose.DELETE)
        target = await self._paths.entry(dst, Purpose.WRITE)
        if source.path == target.path:
            raise InvalidArgument("src and dst are the same.", "Give another dst.")
        files = await self._paths.files()
        await self._decide_move(files, source, target)
        async with lock_for(self._host, target.path):
            try:
                await self._rename(files, source, target)
            except FileError as error:
                if error.kind not in (FileErrorKind.CROSS_DEVICE, FileErrorKind.FAILURE):
                    raise
                size = await self._move_by_copying(files, source, target)
                return self._result(target.path, f"Copied {size} bytes and removed {source.path}.", size)
        return self._result(target.path, f"Moved {source.path}.")

    async def _move_by_copying(self, files: Files, source: Entry, target: Entry) -> int:
        """Across filesystems, where nothing can be renamed."""
        kind = None if source.attributes is None else source.attributes.kind
        if kind == "directory":
            found = await self._whole_tree(files, source.path)
            async with reporting(self._host.call, f"move to {target.path}") as progress:
                copying = copy_tree(self._host, source.path, target.path, found=found, progress=progress)
                size = await copying
                await remove_tree(files, source.path, found, lambda _done, _total: None)
            return size
        size = 0
        if kind == "symlink":
            await files.symlink(await files.readlink(source.path), target.path)
        else:
            size = await self._copy_file(source.path, target.path, keep_times=True)
        await files.remove(source.path)
        return size

    async def _decide_move(self, files: Files, source: Entry, target: Entry) -> None:
        policy = await self._paths.policy()
        if target.is_link or (target.attributes is not None and target.attributes.kind == "directory"):
            what = "a link" if target.is_link else "a directory"
            raise FileConflict(f"{shown(target.path)} is {what}.", "Give the full new name, which nothing else has.")
        if source.is_link:
            return
        self._paths.decide_two(source.path, policy, target.path, policy, source_purpose=Purpose.STAT)
        if source.attributes is None or source.attributes.kind != "directory":
            return
        if target.path.startswith(f"{source.path}/"):
            raise InvalidArgument("dst lies inside src.", "Give another dst.")
        if holds_restricted(source.path, policy) or may_hold_redact_listed(source.path, policy):
            for found in await self._whole_tree(files, source.path):
                # below the new name a redact-listed file must still be one
                moved = target.path + found.path[len(source.path) :]
                if redact_listed(found.path, policy) and not redact_listed(moved, policy):
                    raise PathRestricted(
                        f"{shown(source.path)} holds redact-listed files, which would no longer be so.",
                        "Nothing was done.",
                    )

    async def _rename(self, files: Files, source: Entry, target: Entry) -> None:
        if target.attributes is not None and "posix-rename@openssh.com" in files.extensions:
            await files.replace(source.path, target.path)
            return
        if target.attributes is not None:
            await files.remove(target.path)
        await files.rename(source.path, target.path)

    async def link(self, src: str, dst: str, *, symbolic: bool, follow_symlinks: bool) -> FileResult:
        """Give ``src`` a second name ``dst``: a hard link, or a symbolic one whose target is decided on too."""
        new = await self._paths.entry(dst, Purpose.WRITE)
        if new.attributes is not None:
            raise FileConflict(f"{shown(new.path)} exists already.", "Move it aside first.")
        old = await self._paths.entry(src, Purpose.STAT)
        if old.attributes is None and not symbolic:
            raise FileError(FileErrorKind.NOT_FOUND, src, f"{shown(old.path)} does not exist.", "Check src.")
        name = old.leads_to if follow_symlinks else old.path
        files = await self._paths.files()
        if symbolic:
            await files.symlink(name, new.path)
            return self._result(new.path, f"Made a symbolic link to {name}.")
        await self._paths.confirmed(old.leads_to, Purpose.WRITE)  # who has the second name can write the first
        policy = await self._paths.policy()
        self._paths.decide_two(old.leads_to, policy, new.path, policy, source_purpose=Purpose.READ_RAW)
        await files.hardlink(name, new.path)
        return self._result(new.path, f"Made a hard link to {name}.")

    async def _present(self, path: str, purpose: Purpose) -> Entry:
        entry = await self._paths.entry(path, purpose)
        if entry.attributes is None:
            raise FileError(FileErrorKind.NOT_FOUND, path, f"{shown(entry.path)} does not exist.", "Check the path.")
        return entry


async def _kind(files: Files, path: str) -> str | None:
    try:
        return (await files.stat(path)).kind
    except FileError as error:
        if error.kind in (FileErrorKind.NOT_FOUND, FileErrorKind.NOT_DIRECTORY):
            return None
        raise
