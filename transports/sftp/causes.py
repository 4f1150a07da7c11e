"""A second look at what a bare FAILURE means.

EEXIST, ENOTEMPTY, EISDIR, ENOSPC, EROFS and EXDEV all arrive as FAILURE(4), ENOTDIR as NO_SUCH_FILE (sftp-server.c,
errno_to_portable). After such a failure the path is looked at once more. What is found may have changed since: it
words the error, nothing else hangs on it.
"""

from __future__ import annotations

import posixpath
from enum import Enum
from typing import Final, Protocol

from transports.api import FileAttributes
from transports.errors import FileError, FileErrorKind, TransportError
from transports.sftp.extensions import Statvfs
from transports.sftp.status import file_error

_ST_RDONLY: Final = 1
"""``f_flag`` of a read-only filesystem (statvfs(3))."""
_FULL: Final = 512 * 1024
"""A write failed, and less than this is free: then that is why, bytes. Blocks are larger than one on some systems."""


class Operation(Enum):
    """What was tried; the value completes "Cannot … <path>"."""

    OPEN = "open"
    CREATE = "create"
    CREATE_NEW = "create a new file"
    READ = "read"
    WRITE = "write to"
    STAT = "look at"
    SETSTAT = "change the attributes of"
    READLINK = "read the link"
    REALPATH = "resolve"
    LIST = "list"
    MKDIR = "make the directory"
    RMDIR = "remove the directory"
    REMOVE = "remove"
    RENAME = "rename to"
    REPLACE = "replace"
    SYMLINK = "make the symbolic link"
    HARDLINK = "make the hard link"
    COPY = "copy to"
    SYNC = "flush to disk"
    CLOSE = "close"


_NEW_NAME: Final = {
    Operation.CREATE_NEW,
    Operation.MKDIR,
    Operation.RENAME,
    Operation.SYMLINK,
    Operation.HARDLINK,
}
"""Operations whose target must not exist."""
_TWO_PATHS: Final = {Operation.RENAME, Operation.REPLACE, Operation.HARDLINK}
_CHANGES_PARENT: Final = _NEW_NAME | {Operation.CREATE, Operation.REMOVE, Operation.RMDIR, Operation.REPLACE}


class Look(Protocol):
    """The questions of a second look. None: no reply."""

    async def peek(self, path: str, *, follow: bool) -> FileAttributes | None: ...

    async def peek_filesystem(self, path: str) -> Statvfs | None: ...

    async def peek_empty(self, path: str) -> bool | None:
        """Whether the directory holds nothing."""


async def look_again(
    look: Look, error: FileError, operation: Operation, path: str, source: str | None = None
) -> FileError:
    """``error`` with its cause named where a look at ``path`` (and ``source``, of two) can find it."""
    try:
        if error.kind is FileErrorKind.FAILURE:
            kind = await _cause(look, operation, path, source)
        elif error.kind is FileErrorKind.NOT_FOUND:
            kind = await _not_found(look, operation, path, source)
        else:
            return error
    except TransportError:
        return error
    return error if kind is None else file_error(kind, operation.value, path)


async def _not_found(look: Look, operation: Operation, path: str, source: str | None) -> FileErrorKind | None:
    """ENOTDIR says NO_SUCH_FILE: of a file that is listed or removed as a directory, or of a parent that is one."""
    looked_at = path if operation in (Operation.LIST, Operation.RMDIR) else posixpath.dirname(path.rstrip("/"))
    found = await look.peek(looked_at, follow=True) if looked_at else None
    if found is not None and found.kind not in ("directory", "unknown"):
        return FileErrorKind.NOT_DIRECTORY
    if operation is Operation.REPLACE and (target := await look.peek(path, follow=False)) is not None:
        return await _by_type(look, operation, path, target, source)
    return None


async def _cause(look: Look, operation: Operation, path: str, source: str | None) -> FileErrorKind | None:
    found = await look.peek(path, follow=operation in (Operation.CREATE, Operation.READ, Operation.WRITE))
    if operation in _NEW_NAME and found is not None:
        return FileErrorKind.EXISTS
    if found is not None and (kind := await _by_type(look, operation, path, found, source)) is not None:
        return kind
    return await _by_filesystem(look, operation, path, source)


async def _by_type(
    look: Look, operation: Operation, path: str, found: FileAttributes, source: str | None
) -> FileErrorKind | None:
    directory = found.kind == "directory"
    if operation is Operation.RMDIR:
        if not directory:
            return FileErrorKind.NOT_DIRECTORY
        return FileErrorKind.NOT_EMPTY if await look.peek_empty(path) is False else None
    if operation is Operation.REPLACE and source is not None:
        old = await look.peek(source, follow=False)
        old_directory = old is not None and old.kind == "directory"
        if directory:
            return FileErrorKind.NOT_EMPTY if old_directory else FileErrorKind.IS_DIRECTORY
        return FileErrorKind.NOT_DIRECTORY if old_directory else None
    if directory and operation in (Operation.CREATE, Operation.READ, Operation.WRITE, Operation.REMOVE):
        return FileErrorKind.IS_DIRECTORY
    return None


async def _by_filesystem(look: Look, operation: Operation, path: str, source: str | None) -> FileErrorKind | None:
    changes_parent = operation in _CHANGES_PARENT
    place = posixpath.dirname(path.rstrip("/")) or "/" if changes_parent else path
    here = await look.peek_filesystem(place)
    if here is None:
        return None
    if operation in _TWO_PATHS and source is not None:
        there = await look.peek_filesystem(posixpath.dirname(source.rstrip("/")) or "/")
        if there is not None and _identity(here) != _identity(there):
            return FileErrorKind.CROSS_DEVICE
    if here.flag & _ST_RDONLY:
        return FileErrorKind.READ_ONLY
    wants_space = changes_parent or operation in (Operation.WRITE, Operation.COPY, Operation.SYNC, Operation.CLOSE)
    if wants_space and operation not in (Operation.REMOVE, Operation.RMDIR) and _full(here):
        return FileErrorKind.NO_SPACE
    return None


def _identity(status: Statvfs) -> tuple[int, int, int, int]:
    """``f_fsid`` is 0 on some filesystems; their sizes distinguish them well enough for a message."""
    return status.fsid, status.frsize, status.blocks, status.files


def _full(status: Statvfs) -> bool:
    return status.bavail * status.frsize < _FULL or (status.files > 0 and status.favail == 0)
