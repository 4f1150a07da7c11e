"""The one writer: whoever reads the file meanwhile sees the old one or the new one, never half of it.

A temporary beside the target is filled, given its owner and mode, flushed, compared in size and renamed over it. After
any failure the temporary is removed; where the link is lost that is left to the next write into the directory, which
also removes what a killed server left there.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakSet, WeakValueDictionary

import anyio

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import child, split_parent
from ssh_mcp.remote.files.attributes import Attributes, Kept, remark
from ssh_mcp.remote.files.leftovers import LEFTOVERS
from ssh_mcp.remote.files.listing import entries_of
from ssh_mcp.remote.files.mounts import is_mount_point
from ssh_mcp.remote.files.paths import changed, in_place
from ssh_mcp.remote.files.removal import remove_tree
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.together import known, settled, together
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import FileError, FileErrorKind, RemoteError, TransportError

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.sources import Source
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Destination

PREFIX: Final = ".ssh-mcp-tmp."
NEW_MODE: Final = 0o644
_ATTEMPTS: Final = 3
"""By the host's tools, over SFTP, and from the start where the server sets no modes."""
_CLEAN_WITHIN: Final = 10.0
"""Seconds given to removing a temporary after a failure."""
_STALE: Final = 3600.0
"""A temporary this old belongs to no running write: no transfer goes so long without touching its file, seconds."""
_SWEPT_AGAIN: Final = 600.0
_SWEPT_KEPT: Final = 1000
"""Directories remembered as swept before old ones are looked for."""


def _machine() -> str:
    """Eight hex digits for this boot of this machine, this process namespace and this account."""
    marks = [socket.gethostname(), str(Path.home())]
    with suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\0".join(marks).encode("utf-8", "replace")).hexdigest()[:8]


_MACHINE: Final = _machine()

_REFUSED: Final = frozenset({FileErrorKind.PERMISSION, FileErrorKind.UNSUPPORTED})
"""How a server says that it sets no attributes (sftp-server -P setstat,fsetstat)."""
_REFUSING: WeakSet[Files] = WeakSet()
"""Channels whose server does so."""

_swept: dict[tuple[Destination, str], float] = {}
_locks: WeakValueDictionary[tuple[Destination, str], anyio.Lock] = WeakValueDictionary()


def temporary_name() -> str:
    """``.ssh-mcp-tmp.<hex>``: this machine and account, this process, and chance."""
    return f"{PREFIX}{_MACHINE}{os.getpid() & 0xFFFFFFFF:08x}{secrets.token_hex(6)}"


def _writer_is_dead(digits: str) -> bool:
    """Whether a temporary's name says that a process of this machine wrote it that runs no more."""
    if not digits.startswith(_MACHINE) or os.name == "nt":
        return False
    try:
        pid = int(digits[8:16], 16)
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (ValueError, OSError, OverflowError):
        return False
    return False


@dataclass(frozen=True, slots=True)
class Job:
    """One write. ``mode`` None keeps the old file's, or is 0644 for a new one.

    ``like`` is another file of the host whose attributes the new one takes over; else they are the old file's.
    """

    path: PermittedPath
    source: Source
    mode: int | None = None
    like: PermittedPath | None = None
    overwrite: bool = True
    unchanged: FileAttributes | None = None
    """The file must still be as it was when it was read, else FileConflict."""
    check: Callable[[str, int], Awaitable[None]] | None = None
    """Called with the filled temporary's path and size, before it takes its place."""
    before: Callable[[], Awaitable[None]] | None = None
    """Called right before the temporary takes its place: keeps a backup."""


@dataclass(frozen=True, slots=True)
class _Filling:
    """A temporary that is being filled: the job, its mode, and the file that it will replace."""

    job: Job
    temporary: str
    mode: int
    old: FileAttributes | None

    @property
    def like(self) -> str | None:
        """Whose attributes it takes over."""
        return self.job.like or (None if self.old is None else self.job.path)


class _Again(Exception):
    """The mode could not be given in this way, which is remembered: the next attempt takes another one."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written; ``replaced`` is how the old file was."""

    size: int
    replaced: FileAttributes | None


async def accepted(setting: Awaitable[None]) -> bool:
    """False where the server refuses to set attributes; other failures are raised."""
    try:
        await setting
    except FileError as error:
        if error.kind not in _REFUSED:
            raise
        return False
    return True


def _remember_sweep(key: tuple[Destination, str], now: float) -> None:
    """Directories come and go for as long as the server runs: what is too long ago to matter is forgotten."""
    if len(_swept) >= _SWEPT_KEPT:
        for old in [k for k, at in _swept.items() if now - at >= _SWEPT_AGAIN]:
            del _swept[old]
    _swept[key] = now


def leave(host: RemoteHost, temporary: str) -> None:
    """Say that a temporary could not be removed: the next write on the host does it."""
    LEFTOVERS.add(connection_of(host).destination, temporary)


def lock_for(host: RemoteHost, path: str) -> anyio.Lock:
    """Held over reading, changing and writing one file, so that two edits of this server do not lose one."""
    key = (connection_of(host).destination, path)
    lock = _locks.get(key)
    if lock is None:
        lock = _locks[key] = anyio.Lock()
    return lock


class Writer:
    """Writes files of one host within one call. Paths are canonical and permitted."""

    def __init__(self, host: RemoteHost, files: Files) -> None:
        self._host = host
        self._files = files
        self._where = connection_of(host).destination
        self._attributes = Attributes(host, files)

    async def write(self, job: Job) -> Written:
        """Do it. Raises FileError, FileConflict, PathChanged, MasterLost; then the old file is as it was."""
        directory, _ = split_parent(job.path)
        await self._clean(directory)
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._attempt(job, directory)
            except _Again:
                continue
        return await self._attempt(job, directory)

    async def _attempt(self, job: Job, directory: str) -> Written:
        create_mode = 0o600
        if self._files in _REFUSING:
            create_mode = self._mode(job, await self._files.lookup(job.path)) & 0o777
        temporary = child(directory, temporary_name())
        try:
            return await self._write(job, directory, temporary, create_mode)
        except BaseException:
            await self._discard(temporary)
            raise

    async def _write(self, job: Job, directory: str, temporary: str, create_mode: int) -> Written:
        """Three round trips where the bytes can be sent at once: what one request needs of another's reply sets their
        number, for the server serves them in order (draft-ietf-secsh-filexfer-02, 6.1).
        """
        handles: list[FileHandle] = []

        async def create() -> None:
            handles.append(await self._files.open(temporary, "x", create_mode))

        try:
            _, where, old, mine = await together(
                create(),
                self._files.realpath(temporary),
                self._files.lookup(job.path),
                self._files.lookup(temporary),
            )
            if where != temporary or mine is None:
                raise changed(job.path)
            self._replaceable(job, old)
            (handle,) = handles
            mode = await self._owner_and_mode(handle, job, old, mine)
            size, there = await self._fill(handle, _Filling(job, temporary, mode, old), directory)
        except BaseException:
            for handle in handles:
                with anyio.move_on_after(_CLEAN_WITHIN, shield=True), suppress(TransportError):
                    await handle.close()
            raise
        self._replaceable(job, there)
        if job.check is not None:
            await job.check(temporary, size)
        if job.before is not None and there is not None:
            await job.before()
        now = await self._place(job, temporary, there)
        if now.size is not None and now.size != size:
            raise FileConflict(f"{shown(job.path)} was written by somebody else at the same time.", "Look at it.")
        return Written(size, old)

    async def _owner_and_mode(
        self, handle: FileHandle, job: Job, old: FileAttributes | None, mine: FileAttributes
    ) -> int:
        """Give the file its owner; the mode that it shall have. Owner first: changing it clears special bits."""
        mode = self._mode(job, old)
        keep = old is None or await self._chown(handle, job.path, old, mine)
        if not keep and job.mode is None:
            mode &= 0o1777  # set-user-id must not pass to another owner
        return mode

    @staticmethod
    def _mode(job: Job, old: FileAttributes | None) -> int:
        if job.mode is not None:
            return job.mode
        return NEW_MODE if old is None or old.permissions is None else old.permissions & 0o7777

    async def _fill(self, handle: FileHandle, filling: _Filling, directory: str) -> tuple[int, FileAttributes | None]:
        """Bytes, attributes and mode are as they shall be, on the disk, and the file is closed; what is at its path.

        Closed because Windows renames no open file, and because CLOSE may still report a failed write.
        """
        job = filling.job
        keeping = filling.like is not None and await self._attributes.usable()
        pouring = job.source.pour(handle)
        if not job.source.at_once:
            pouring = known(await pouring)
        size, dressed, _, status, _, where, there = await together(
            pouring,
            self._keep(filling) if keeping else self._set_mode(handle, filling.mode),
            handle.fsync(),
            handle.stat(),
            handle.close(),
            self._files.realpath(directory),
            self._files.lookup(job.path),
        )
        if status.size is not None and status.size != size:
            raise RemoteError(f"{job.path}: {size} bytes were written, and {status.size} arrived.", "Try again.")
        if where != directory:
            raise changed(job.path)
        if not dressed:
            raise _Again
        return size, there

    def _replaceable(self, job: Job, old: FileAttributes | None) -> None:
        if old is None:
            if job.unchanged is not None:
                raise FileConflict(f"{shown(job.path)} was removed in the meantime.", "Look at it and try again.")
            return
        if not job.overwrite:
            raise FileConflict(f"{shown(job.path)} exists already.", "Choose another name, or allow overwriting.")
        if old.kind == "directory":
            raise FileError(
                FileErrorKind.IS_DIRECTORY, job.path, f"{shown(job.path)} is a directory.", "Give a file's full name."
            )
        if old.kind == "symlink":
            raise changed(job.path)
        if old.kind not in ("file", "unknown"):
            raise FileConflict(f"{shown(job.path)} is not a regular file.", "It is not replaced.")
        same = job.unchanged
        if same is not None and (old.size, old.mtime, old.permissions) != (same.size, same.mtime, same.permissions):
            raise FileConflict(f"{shown(job.path)} was changed in the meantime.", "Read it again and redo the change.")

    async def _keep(self, filling: _Filling) -> bool:
        assert filling.like is not None
        old = filling.old
        same = filling.job.like is None and old is not None and (old.permissions or 0) & 0o7777 == filling.mode
        kept = await self._attributes.keep(filling.like, filling.temporary, filling.mode, same_mode=same)
        if kept is not None and old is not None and filling.job.like is None:
            remark(self._host, filling.job.path, kept)
        return kept is not None

    async def _set_mode(self, handle: FileHandle, mode: int) -> bool:
        """Past the umask; False where the server sets none. Windows has access lists, which the directory passes on."""
        if self._host.policy.windows:
            return True
        if self._files in _REFUSING:
            self._remark_mode(mode, (await handle.stat()).permissions)
            return True
        if await accepted(handle.setstat(FileAttributes(permissions=mode))):
            return True
        _REFUSING.add(self._files)
        return False

    def _remark_mode(self, wanted: int, found: int | None) -> None:
        """The server sets no modes: a file keeps the one that it was made with, which its umask may only narrow."""
        if found is not None and found & 0o7777 != wanted:
            self._host.call.warn(
                f"The host's SFTP server sets no modes: the file has mode {found & 0o7777:04o}, not {wanted:04o}."
            )

    async def _chown(self, handle: FileHandle, path: str, old: FileAttributes, mine: FileAttributes) -> bool:
        if old.uid is None or old.gid is None or mine.uid is None or (mine.uid, mine.gid) == (old.uid, old.gid):
            return True
        with suppress(FileError):
            await handle.setstat(FileAttributes(uid=old.uid, gid=old.gid))
            return True
        with suppress(FileError):
            await handle.setstat(FileAttributes(uid=mine.uid, gid=old.gid))
            if mine.uid == old.uid:
                return True
        self._host.call.warn(f"{path} belonged to user {old.uid}, group {old.gid}; it now belongs to the login user.")
        return False

    async def _place(self, job: Job, temporary: str, there: FileAttributes | None) -> FileAttributes:
        """Let the temporary take its place, and look at what is there then."""
        try:
            if not job.overwrite:
                moving = self._files.rename(temporary, job.path)
            elif "posix-rename@openssh.com" in self._files.extensions:
                moving = self._files.replace(temporary, job.path)
            else:
                await self._swap(job.path, temporary, exists=there is not None)
                moving = known(None)
            return (await together(moving, self._files.lstat(job.path)))[1]
        except FileError as error:
            if error.kind is FileErrorKind.EXISTS:
                raise FileConflict(f"{shown(job.path)} exists already.", "Choose another name.") from None
            if (
                error.kind is FileErrorKind.FAILURE
                and there is not None
                and await is_mount_point(self._files, job.path)
            ):
                return await self._in_place(job, temporary)
            raise

    async def _in_place(self, job: Job, temporary: str) -> FileAttributes:
        """A mounted file (a container's /etc/hosts) cannot be renamed over (EBUSY): its content is overwritten.

        Owner and attributes stay. Not atomic: what can fail for want of space or rights has been tried beside it.
        """
        source = await self._files.open(temporary, "r")
        try:
            handles: list[FileHandle] = []

            async def take() -> None:
                handles.append(await self._files.open(job.path, "w"))

            await in_place(self._files, job.path, take())
            (target,) = handles
            try:
                if not await self._files.copy_data(source, target):
                    await source.relay(target)
                if job.mode is not None:
                    await target.setstat(FileAttributes(permissions=job.mode))
                await target.fsync()
            finally:
                await target.close()
        finally:
            await source.close()
        await self._files.remove(temporary)
        remark(self._host, job.path, Kept(1, lost=False, in_place=True))
        return await self._files.lstat(job.path)

    async def _swap(self, path: str, temporary: str, *, exists: bool) -> None:
        """Where the server has no posix-rename: the old file steps aside first, for a moment there is none."""
        aside = f"{temporary}.old"
        if exists:
            await self._files.rename(path, aside)
        try:
            await self._files.rename(temporary, path)
        except BaseException:
            if exists:
                with anyio.move_on_after(_CLEAN_WITHIN, shield=True), suppress(TransportError):
                    await self._files.rename(aside, path)
            raise
        if exists:
            await self._files.remove(aside)
        self._host.call.warn("The host's SFTP server cannot replace a file in one step: for a moment there was none.")

    # --- temporaries --------------------------------------------------------------------------------------------------

    async def _discard(self, temporary: str) -> None:
        with anyio.move_on_after(_CLEAN_WITHIN, shield=True):
            try:
                await self._files.remove(temporary)
            except FileError as error:
                if error.kind is FileErrorKind.NOT_FOUND:
                    return
            except TransportError:
                pass
            else:
                return
        leave(self._host, temporary)

    async def _clean(self, directory: str) -> None:
        """Remove what earlier writes had to leave on this host, and what killed servers left in ``directory``."""
        mine = LEFTOVERS.of(self._where)
        key, now = (self._where, directory), time.monotonic()
        if now - _swept.get(key, -_SWEPT_AGAIN) >= _SWEPT_AGAIN:
            mine += [path for path in await self._stale(directory) if path not in mine]
            _remember_sweep(key, now)
        if not mine:
            return
        for path, outcome in zip(mine, await settled([self._remove(path) for path in mine]), strict=True):
            gone = outcome is None or (isinstance(outcome, FileError) and outcome.kind is FileErrorKind.NOT_FOUND)
            if gone:
                LEFTOVERS.discard(self._where, path)

    async def _remove(self, path: str) -> None:
        """A temporary file, or a temporary tree of a move across filesystems."""
        try:
            await self._files.remove(path)
        except FileError as error:
            if error.kind is not FileErrorKind.IS_DIRECTORY:
                raise
            async with aclosing(walk(self._files, path, Walk())) as tree:
                found = [one async for one in tree]
            await remove_tree(self._files, path, found, lambda _done, _total: None)

    async def _stale(self, directory: str) -> list[str]:
        found: list[tuple[str, int]] = []
        newest = 0
        with suppress(FileError):
            for entry in await entries_of(self._files, directory):
                mtime = entry.attributes.mtime or 0
                newest = max(newest, mtime)
                if entry.name.startswith(PREFIX) and entry.attributes.kind in ("file", "directory"):
                    found.append((entry.name, mtime))
        return [child(directory, name) for name, mtime in found if self._abandoned(name, mtime, newest)]

    @staticmethod
    def _abandoned(name: str, mtime: int, newest: int) -> bool:
        """Whether its writer is gone: a dead process of this machine, or too long ago by the host's own files."""
        if _writer_is_dead(name.removeprefix(PREFIX)):
            return True
        return newest - mtime > _STALE or time.time() - mtime > 24 * _STALE
