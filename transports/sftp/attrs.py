"""The ATTRS structure (draft-ietf-secsh-filexfer-02 section 5)."""

from __future__ import annotations

import struct
from typing import Final

from transports.api import FileAttributes
from transports.errors import ProtocolError
from transports.wire import Cursor, Writer

SSH2_FILEXFER_ATTR_SIZE: Final = 0x00000001
SSH2_FILEXFER_ATTR_UIDGID: Final = 0x00000002
SSH2_FILEXFER_ATTR_PERMISSIONS: Final = 0x00000004
SSH2_FILEXFER_ATTR_ACMODTIME: Final = 0x00000008
SSH2_FILEXFER_ATTR_EXTENDED: Final = 0x80000000

USUAL_FLAGS: Final = 0x0F
USUAL: Final = struct.Struct(">IQIIIII")
"""Flags, size, uid, gid, permissions, atime, mtime: what OpenSSH sends for every file, in ``FileAttributes``' order."""
USUAL_SIZE: Final = USUAL.size

_MAX_EXTENDED: Final = 64
"""Extended pairs taken in one structure; a server that sends more is not understood."""


def put_attributes(writer: Writer, attributes: FileAttributes) -> None:
    """Append ``attributes``. Raises ValueError where only one of a pair (uid and gid, atime and mtime) is set."""
    flags = 0
    if attributes.size is not None:
        flags |= SSH2_FILEXFER_ATTR_SIZE
    if _pair(attributes.uid, attributes.gid, "uid and gid"):
        flags |= SSH2_FILEXFER_ATTR_UIDGID
    if attributes.permissions is not None:
        flags |= SSH2_FILEXFER_ATTR_PERMISSIONS
    if _pair(attributes.atime, attributes.mtime, "atime and mtime"):
        flags |= SSH2_FILEXFER_ATTR_ACMODTIME
    writer.u32(flags)
    if attributes.size is not None:
        writer.u64(attributes.size)
    for value in (attributes.uid, attributes.gid, attributes.permissions, attributes.atime, attributes.mtime):
        if value is not None:
            writer.u32(value)


def get_attributes(cursor: Cursor) -> FileAttributes:
    """Read one structure; extended pairs are read over. Raises ProtocolError where it is cut short."""
    flags = cursor.u32()
    size = cursor.u64() if flags & SSH2_FILEXFER_ATTR_SIZE else None
    uid = gid = atime = mtime = None
    if flags & SSH2_FILEXFER_ATTR_UIDGID:
        uid, gid = cursor.u32(), cursor.u32()
    permissions = cursor.u32() if flags & SSH2_FILEXFER_ATTR_PERMISSIONS else None
    if flags & SSH2_FILEXFER_ATTR_ACMODTIME:
        atime, mtime = cursor.u32(), cursor.u32()
    if flags & SSH2_FILEXFER_ATTR_EXTENDED:
        count = cursor.u32()
        if count > _MAX_EXTENDED:
            raise ProtocolError(f"The SFTP server sent {count} extended attributes for one file.")
        for _ in range(count):
            cursor.string()
            cursor.string()
    return FileAttributes(size, uid, gid, permissions, atime, mtime)


def _pair(first: int | None, second: int | None, what: str) -> bool:
    if (first is None) != (second is None):
        raise ValueError(f"SFTP version 3 sets {what} together or not at all")
    return first is not None
