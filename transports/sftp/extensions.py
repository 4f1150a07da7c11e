"""OpenSSH's SFTP extensions: which we know, their request bodies and replies (PROTOCOL section 4).

An extension counts as offered only where its name *and* its version match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from transports.api import FileAttributes
from transports.errors import ProtocolError
from transports.sftp.attrs import put_attributes
from transports.sftp.messages import DEFAULT_CHUNK, SFTP_MAX_MSG_LENGTH
from transports.sftp.paths import decode, encode
from transports.wire import Cursor, Writer


class Extension(StrEnum):
    """Names as on the wire; the comment is OpenSSH's first release with it."""

    POSIX_RENAME = "posix-rename@openssh.com"  # 4.9
    STATVFS = "statvfs@openssh.com"  # 5.1
    HARDLINK = "hardlink@openssh.com"  # 5.7
    FSYNC = "fsync@openssh.com"  # 6.5
    LSETSTAT = "lsetstat@openssh.com"  # 8.0
    LIMITS = "limits@openssh.com"  # 8.5
    EXPAND_PATH = "expand-path@openssh.com"  # 8.7
    COPY_DATA = "copy-data"  # 9.0
    USERS_GROUPS_BY_ID = "users-groups-by-id@openssh.com"  # 9.1


_VERSIONS: Final[dict[str, bytes]] = {e.value: b"1" for e in Extension} | {Extension.STATVFS.value: b"2"}

_OVERHEAD: Final = 1024
"""What OpenSSH leaves of a packet for the fields around the data (sftp-server.c, process_extended_limits)."""


def offered(pairs: Iterable[tuple[str, bytes]]) -> frozenset[str]:
    """Those of a VERSION packet's extensions that we know, by name and version."""
    return frozenset(name for name, version in pairs if _VERSIONS.get(name) == version)


@dataclass(frozen=True, slots=True)
class Limits:
    """limits@openssh.com, bytes. What a server leaves at 0 (no limit of its own) is our own bound."""

    packet: int = 34000
    read: int = DEFAULT_CHUNK
    write: int = DEFAULT_CHUNK
    handles: int = 0


@dataclass(frozen=True, slots=True)
class Statvfs:
    """Reply of statvfs@openssh.com: POSIX ``struct statvfs``, sizes in units of ``frsize`` bytes."""

    bsize: int
    frsize: int
    blocks: int
    bfree: int
    bavail: int
    files: int
    ffree: int
    favail: int
    fsid: int
    flag: int
    namemax: int


def two_paths(old: str, new: str) -> bytes:
    """Body of posix-rename and hardlink: (old, new)."""
    return bytes(Writer().string(encode(old)).string(encode(new)))


def one_path(path: str) -> bytes:
    """Body of statvfs and expand-path."""
    return bytes(Writer().string(encode(path)))


def one_handle(handle: bytes) -> bytes:
    """Body of fsync."""
    return bytes(Writer().string(handle))


def path_attributes(path: str, attributes: FileAttributes) -> bytes:
    """Body of lsetstat."""
    writer = Writer().string(encode(path))
    put_attributes(writer, attributes)
    return bytes(writer)


def copy_data(source: bytes, source_offset: int, length: int, target: bytes, target_offset: int) -> bytes:
    """Body of copy-data; ``length`` 0 copies up to the end of the source (draft-ietf-secsh-filexfer-extensions-00)."""
    writer = Writer().string(source).u64(source_offset).u64(length)
    return bytes(writer.string(target).u64(target_offset))


def ids_by_number(uids: Sequence[int], gids: Sequence[int]) -> bytes:
    """Body of users-groups-by-id: two strings of packed u32."""
    return bytes(Writer().string(_packed(uids)).string(_packed(gids)))


def parse_limits(data: bytes) -> Limits:
    """Reply of limits: four u64, cut down to what one packet holds. Raises ProtocolError."""
    cursor = Cursor(data)
    packet, read, write, handles = cursor.u64(), cursor.u64(), cursor.u64(), cursor.u64()
    packet = min(packet or SFTP_MAX_MSG_LENGTH, SFTP_MAX_MSG_LENGTH)
    room = max(packet - _OVERHEAD, 1)
    return Limits(packet, min(read or room, room), min(write or room, room), handles)


def parse_statvfs(data: bytes) -> Statvfs:
    """Reply of statvfs: eleven u64. Raises ProtocolError."""
    cursor = Cursor(data)
    return Statvfs(*(cursor.u64() for _ in range(11)))


def parse_names(data: bytes, uids: Sequence[int], gids: Sequence[int]) -> tuple[dict[int, str], dict[int, str]]:
    """Reply of users-groups-by-id: one name an id asked for, empty where there is none. Raises ProtocolError."""
    cursor = Cursor(data)
    return _named(cursor.string(), uids), _named(cursor.string(), gids)


def _packed(ids: Sequence[int]) -> bytes:
    writer = Writer()
    for number in ids:
        writer.u32(number)
    return bytes(writer)


def _named(data: bytes, ids: Sequence[int]) -> dict[int, str]:
    cursor = Cursor(data)
    names = {number: decode(cursor.string()) for number in ids}
    if cursor.remaining:
        raise ProtocolError("The SFTP server named more users or groups than were requested.")
    return {number: name for number, name in names.items() if name}
