"""SFTP version 3 messages as values (draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL section 4).

Names of wire constants are those of OpenSSH's ``sftp.h``. Paths are ``str``, UTF-8 with ``surrogateescape``; file
handles and extension bodies are ``bytes``. Every message but ``Init`` and ``Version`` carries ``request_id`` (u32).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import ClassVar

from transports.api import DirectoryEntry, FileAttributes

SSH2_FILEXFER_VERSION = 3
SFTP_MAX_MSG_LENGTH = 256 * 1024
"""Longest packet body (type byte included) that OpenSSH sends or takes, bytes; the length word does not count."""

DEFAULT_CHUNK = 32768
"""READ and WRITE size that every server takes, bytes; more only where limits@openssh.com says so."""

SSH2_FXP_INIT = 1
SSH2_FXP_OPEN = 3
SSH2_FXP_CLOSE = 4
SSH2_FXP_READ = 5
SSH2_FXP_WRITE = 6
SSH2_FXP_LSTAT = 7
SSH2_FXP_FSTAT = 8
SSH2_FXP_SETSTAT = 9
SSH2_FXP_FSETSTAT = 10
SSH2_FXP_OPENDIR = 11
SSH2_FXP_READDIR = 12
SSH2_FXP_REMOVE = 13
SSH2_FXP_MKDIR = 14
SSH2_FXP_RMDIR = 15
SSH2_FXP_REALPATH = 16
SSH2_FXP_STAT = 17
SSH2_FXP_RENAME = 18
SSH2_FXP_READLINK = 19
SSH2_FXP_SYMLINK = 20
SSH2_FXP_VERSION = 2
SSH2_FXP_STATUS = 101
SSH2_FXP_HANDLE = 102
SSH2_FXP_DATA = 103
SSH2_FXP_NAME = 104
SSH2_FXP_ATTRS = 105
SSH2_FXP_EXTENDED = 200
SSH2_FXP_EXTENDED_REPLY = 201


class StatusCode(IntEnum):
    """Status codes (draft section 7). Codes beyond 8 belong to later versions and count as FAILURE."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    NO_CONNECTION = 6
    CONNECTION_LOST = 7
    OP_UNSUPPORTED = 8


class OpenFlag(IntFlag):
    """``pflags`` of OPEN (draft section 6.3)."""

    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREAT = 0x08
    TRUNC = 0x10
    EXCL = 0x20


# --- both sides' first message ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Init:
    """The client's first packet."""

    TYPE: ClassVar[int] = SSH2_FXP_INIT
    version: int = SSH2_FILEXFER_VERSION


@dataclass(frozen=True, slots=True)
class Version:
    """The server's first packet; ``extensions`` are (name, version data) in the server's order."""

    TYPE: ClassVar[int] = SSH2_FXP_VERSION
    version: int = SSH2_FILEXFER_VERSION
    extensions: tuple[tuple[str, bytes], ...] = ()


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    TYPE: ClassVar[int] = SSH2_FXP_OPEN
    request_id: int
    path: str
    flags: int
    attributes: FileAttributes = field(default_factory=FileAttributes)


@dataclass(frozen=True, slots=True)
class Close:
    TYPE: ClassVar[int] = SSH2_FXP_CLOSE
    request_id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Read:
    TYPE: ClassVar[int] = SSH2_FXP_READ
    request_id: int
    handle: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Write:
    TYPE: ClassVar[int] = SSH2_FXP_WRITE
    request_id: int
    handle: bytes
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LStat:
    TYPE: ClassVar[int] = SSH2_FXP_LSTAT
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class FStat:
    TYPE: ClassVar[int] = SSH2_FXP_FSTAT
    request_id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class SetStat:
    TYPE: ClassVar[int] = SSH2_FXP_SETSTAT
    request_id: int
    path: str
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class FSetStat:
    TYPE: ClassVar[int] = SSH2_FXP_FSETSTAT
    request_id: int
    handle: bytes
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class OpenDir:
    TYPE: ClassVar[int] = SSH2_FXP_OPENDIR
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class ReadDir:
    TYPE: ClassVar[int] = SSH2_FXP_READDIR
    request_id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Remove:
    TYPE: ClassVar[int] = SSH2_FXP_REMOVE
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class MkDir:
    TYPE: ClassVar[int] = SSH2_FXP_MKDIR
    request_id: int
    path: str
    attributes: FileAttributes = field(default_factory=FileAttributes)


@dataclass(frozen=True, slots=True)
class RmDir:
    TYPE: ClassVar[int] = SSH2_FXP_RMDIR
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class RealPath:
    TYPE: ClassVar[int] = SSH2_FXP_REALPATH
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class Stat:
    TYPE: ClassVar[int] = SSH2_FXP_STAT
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class Rename:
    TYPE: ClassVar[int] = SSH2_FXP_RENAME
    request_id: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ReadLink:
    TYPE: ClassVar[int] = SSH2_FXP_READLINK
    request_id: int
    path: str


@dataclass(frozen=True, slots=True)
class SymLink:
    """OpenSSH sends the *target first*, against the draft (PROTOCOL section 4.1); so do we."""

    TYPE: ClassVar[int] = SSH2_FXP_SYMLINK
    request_id: int
    target: str
    link: str


@dataclass(frozen=True, slots=True)
class Extended:
    """An extension request; ``data`` is its body after the name."""

    TYPE: ClassVar[int] = SSH2_FXP_EXTENDED
    request_id: int
    name: str
    data: bytes


# --- replies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """``code`` is a StatusCode or an unknown number. ``message`` may be missing on old servers."""

    TYPE: ClassVar[int] = SSH2_FXP_STATUS
    request_id: int
    code: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Handle:
    TYPE: ClassVar[int] = SSH2_FXP_HANDLE
    request_id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Data:
    TYPE: ClassVar[int] = SSH2_FXP_DATA
    request_id: int
    data: bytes


NameEntry = DirectoryEntry
"""One entry of a NAME reply; ``name`` and ``longname`` as the server sent them."""


@dataclass(frozen=True, slots=True)
class Name:
    TYPE: ClassVar[int] = SSH2_FXP_NAME
    request_id: int
    entries: tuple[NameEntry, ...]


@dataclass(frozen=True, slots=True)
class Attrs:
    TYPE: ClassVar[int] = SSH2_FXP_ATTRS
    request_id: int
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class ExtendedReply:
    TYPE: ClassVar[int] = SSH2_FXP_EXTENDED_REPLY
    request_id: int
    data: bytes


Request = (
    Open
    | Close
    | Read
    | Write
    | LStat
    | FStat
    | SetStat
    | FSetStat
    | OpenDir
    | ReadDir
    | Remove
    | MkDir
    | RmDir
    | RealPath
    | Stat
    | Rename
    | ReadLink
    | SymLink
    | Extended
)
Reply = Status | Handle | Data | Name | Attrs | ExtendedReply
