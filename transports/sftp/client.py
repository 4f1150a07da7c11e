"""SFTP version 3 over one channel (``transports.api.Files``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from transports.api import DirectoryEntry, FileAttributes, FileHandle, FilesystemStatus, OpenMode
from transports.channel import ByteChannel
from transports.errors import FileError, FileErrorKind, ProtocolError, SFTPSubsystemUnavailable, TransportError
from transports.sftp import extensions as x
from transports.sftp import messages as m
from transports.sftp.causes import Operation, look_again
from transports.sftp.codec import encode
from transports.sftp.engine import Engine
from transports.sftp.extensions import Extension
from transports.sftp.handle import SftpFile
from transports.sftp.listing import Listing
from transports.sftp.paths import to_wire
from transports.sftp.status import file_error, status_error

_R = TypeVar("_R", bound=m.Reply)
_F = m.OpenFlag
_FLAGS: Final[dict[OpenMode, int]] = {
    "r": _F.READ,
    "w": _F.WRITE | _F.CREAT | _F.TRUNC,
    "x": _F.WRITE | _F.CREAT | _F.EXCL,
    "r+": _F.READ | _F.WRITE,
}
_OPENS: Final[dict[OpenMode, Operation]] = {
    "r": Operation.OPEN,
    "w": Operation.CREATE,
    "x": Operation.CREATE_NEW,
    "r+": Operation.OPEN,
}
_COPY_PIECE: Final = 64 * 1024 * 1024
"""Bytes that the server copies in one go: sftp-server replies to nothing else meanwhile."""


class SftpClient:
    """A host's SFTP service. Made by ``start``; ends with its channel."""

    def __init__(self, engine: Engine, version: m.Version, *, windows: bool) -> None:
        self.engine = engine
        self.handles: set[SftpFile] = set()
        """Files that are open."""
        self._windows = windows
        self._extensions = x.offered(version.extensions)
        self._limits = x.Limits()
        self._limits_asked: asyncio.Future[None] | None = None
        if Extension.LIMITS in self._extensions:
            self._ask_limits()

    @classmethod
    async def start(cls, channel: ByteChannel, *, windows: bool = False, timeout: float = 30.0) -> SftpClient:
        """Negotiate SFTP over a subsystem session's channel, which then belongs to the client.

        ``windows`` lets paths be given in Windows' forms. Raises SFTPSubsystemUnavailable where nothing usable
        replies within ``timeout`` seconds, MasterLost where the connection ends; the channel is closed then.
        """
        engine, version = await Engine.start(channel, timeout)
        if version.version != m.SSH2_FILEXFER_VERSION:
            await engine.close()
            raise SFTPSubsystemUnavailable(
                f"The host's SFTP server speaks version {version.version}, and we speak 3.",
                "Have an OpenSSH sftp-server set up on it.",
            )
        return cls(engine, version, windows=windows)

    @property
    def closed(self) -> bool:
        """Whether the channel has ended; every call would raise MasterLost with ``sent`` False."""
        return self.engine.lost is not None

    @property
    def busy(self) -> bool:
        """Whether a file is open or a reply awaited."""
        return bool(self.handles) or self.engine.pending > 0

    @property
    def idle_since(self) -> float:
        """The event loop's time at which the last request was sent."""
        return self.engine.last_used

    @property
    def extensions(self) -> frozenset[str]:
        return self._extensions

    @property
    def read_chunk(self) -> int:
        return self._limits.read

    async def aclose(self) -> None:
        """End the session. Idempotent; calls still running fail with MasterLost."""
        await self.engine.close()

    # --- paths --------------------------------------------------------------------------------------------------------

    async def realpath(self, path: str) -> str:
        return await self._one_name(m.RealPath, Operation.REALPATH, path)

    async def stat(self, path: str) -> FileAttributes:
        sent = self._wire(path)
        return await self.ask_attributes(lambda i: m.Stat(i, sent), Operation.STAT, path)

    async def lstat(self, path: str) -> FileAttributes:
        sent = self._wire(path)
        return await self.ask_attributes(lambda i: m.LStat(i, sent), Operation.STAT, path)

    async def lookup(self, path: str) -> FileAttributes | None:
        sent = self._wire(path)
        reply = await self.engine.ask(lambda i: m.LStat(i, sent))
        if isinstance(reply, m.Status) and reply.code == m.StatusCode.NO_SUCH_FILE:
            return None
        return (await self._expected(m.Attrs, reply, Operation.STAT, path)).attributes

    async def setstat(self, path: str, attributes: FileAttributes) -> None:
        sent = self._wire(path)
        await self.ask_status(lambda i: m.SetStat(i, sent, attributes), Operation.SETSTAT, path)

    async def lsetstat(self, path: str, attributes: FileAttributes) -> None:
        """SETSTAT that does not follow a link (lsetstat@openssh.com)."""
        await self._extended(
            Extension.LSETSTAT, x.path_attributes(self._wire(path), attributes), Operation.SETSTAT, path
        )

    async def readlink(self, path: str) -> str:
        return await self._one_name(m.ReadLink, Operation.READLINK, path)

    async def mkdir(self, path: str, permissions: int | None = None) -> None:
        sent, attributes = self._wire(path), FileAttributes(permissions=permissions)
        await self.ask_status(lambda i: m.MkDir(i, sent, attributes), Operation.MKDIR, path)

    async def rmdir(self, path: str) -> None:
        sent = self._wire(path)
        await self.ask_status(lambda i: m.RmDir(i, sent), Operation.RMDIR, path)

    async def remove(self, path: str) -> None:
        sent = self._wire(path)
        await self.ask_status(lambda i: m.Remove(i, sent), Operation.REMOVE, path)

    async def rename(self, old: str, new: str) -> None:
        source, target = self._wire(old), self._wire(new)
        await self.ask_status(lambda i: m.Rename(i, source, target), Operation.RENAME, new, old)

    async def replace(self, old: str, new: str) -> None:
        body = x.two_paths(self._wire(old), self._wire(new))
        await self._extended(Extension.POSIX_RENAME, body, Operation.REPLACE, new, old)

    async def symlink(self, target: str, link: str) -> None:
        pointed, sent = self._wire(target), self._wire(link)
        await self.ask_status(lambda i: m.SymLink(i, pointed, sent), Operation.SYMLINK, link)

    async def hardlink(self, existing: str, link: str) -> None:
        body = x.two_paths(self._wire(existing), self._wire(link))
        await self._extended(Extension.HARDLINK, body, Operation.HARDLINK, link, existing)

    async def statvfs(self, path: str) -> FilesystemStatus | None:
        if Extension.STATVFS not in self._extensions:
            return None
        status = await self._statvfs(path)
        unit = status.frsize or status.bsize
        return FilesystemStatus(status.blocks * unit, status.bfree * unit, status.bavail * unit, status.flag)

    # --- contents -----------------------------------------------------------------------------------------------------

    async def open(self, path: str, mode: OpenMode, permissions: int | None = None) -> FileHandle:
        """``permissions`` of a new file pass through the server's umask: set them again where they must be exact."""
        sent, attributes = self._wire(path), FileAttributes(permissions=permissions)
        reply = await self._ask(m.Handle, lambda i: m.Open(i, sent, _FLAGS[mode], attributes), _OPENS[mode], path)
        handle = SftpFile(self, reply.handle, path, reads_only=mode == "r")
        self.handles.add(handle)
        return handle

    async def scandir(self, path: str) -> AsyncGenerator[list[DirectoryEntry], None]:
        sent = self._wire(path)
        reply = await self._ask(m.Handle, lambda i: m.OpenDir(i, sent), Operation.LIST, path)
        listing = Listing(self.engine, reply.handle, path)
        try:
            while (batch := await listing.next()) is not None:
                yield batch
        finally:
            listing.close()

    async def copy_data(self, source: FileHandle, target: FileHandle) -> bool:
        if not isinstance(source, SftpFile) or not isinstance(target, SftpFile):
            raise TypeError("copy_data wants two files of this client")
        if Extension.COPY_DATA not in self._extensions or source.client is not self or target.client is not self:
            return False
        size = (await source.stat()).size or 0
        offset = 0
        while True:
            length = _COPY_PIECE if size - offset > _COPY_PIECE else 0
            body = x.copy_data(source.raw, offset, length, target.raw, offset)
            await self._extended(Extension.COPY_DATA, body, Operation.COPY, target.path)
            if length == 0:
                return True
            offset += length

    async def names(self, uids: Sequence[int], gids: Sequence[int]) -> tuple[dict[int, str], dict[int, str]]:
        if Extension.USERS_GROUPS_BY_ID not in self._extensions or not (uids or gids):
            return {}, {}
        body = x.ids_by_number(uids, gids)
        reply = await self._ask(
            m.ExtendedReply, lambda i: m.Extended(i, Extension.USERS_GROUPS_BY_ID, body), Operation.STAT, "users"
        )
        return x.parse_names(reply.data, uids, gids)

    @property
    def limits_so_far(self) -> x.Limits:
        """What the server takes at once as far as it has said so; otherwise what every server takes."""
        return self._limits

    async def limits(self) -> x.Limits:
        """What the server takes at once, asked for at the start."""
        if self._limits_asked is not None and not self._limits_asked.done():
            await asyncio.shield(self._limits_asked)
        self.engine.check()
        return self._limits

    def _ask_limits(self) -> None:
        """Sent with the first request, so that it costs no round trip of its own."""
        asked = self._limits_asked = asyncio.get_running_loop().create_future()

        def settle(event: object) -> None:
            try:
                if isinstance(event, m.ExtendedReply):
                    self._limits = x.parse_limits(event.data)
            finally:
                if not asked.done():
                    asked.set_result(None)

        request_id = self.engine.new_id()
        self.engine.submit(request_id, settle, encode(m.Extended(request_id, Extension.LIMITS, b"")))

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask_status(
        self, build: Callable[[int], m.Request], operation: Operation, path: str, source: str | None = None
    ) -> None:
        """A request whose reply is OK. Raises FileError with its cause looked up."""
        reply = await self.engine.ask(build)
        if not isinstance(reply, m.Status):
            raise ProtocolError("The SFTP server sent a reply of the wrong type.")
        if reply.code != m.StatusCode.OK:
            raise await self.explained(status_error(reply, operation.value, path), operation, path, source)

    async def ask_attributes(
        self, build: Callable[[int], m.Request], operation: Operation, path: str
    ) -> FileAttributes:
        """A request whose reply is ATTRS."""
        return (await self._ask(m.Attrs, build, operation, path)).attributes

    async def explained(
        self, error: FileError, operation: Operation, path: str, source: str | None = None
    ) -> FileError:
        """``error`` after a second look."""
        return await look_again(self, error, operation, path, source)

    async def _ask(self, expected: type[_R], build: Callable[[int], m.Request], operation: Operation, path: str) -> _R:
        return await self._expected(expected, await self.engine.ask(build), operation, path)

    async def _expected(self, expected: type[_R], reply: m.Reply, operation: Operation, path: str) -> _R:
        if isinstance(reply, expected):
            return reply
        if isinstance(reply, m.Status) and reply.code != m.StatusCode.OK:
            raise await self.explained(status_error(reply, operation.value, path), operation, path)
        raise ProtocolError("The SFTP server sent a reply of the wrong type.")

    async def _extended(
        self, extension: Extension, body: bytes, operation: Operation, path: str, source: str | None = None
    ) -> None:
        if extension not in self._extensions:
            raise file_error(FileErrorKind.UNSUPPORTED, operation.value, path)
        await self.ask_status(lambda i: m.Extended(i, extension, body), operation, path, source)

    async def _one_name(self, build: Callable[[int, str], m.Request], operation: Operation, path: str) -> str:
        sent = self._wire(path)
        reply = await self._ask(m.Name, lambda i: build(i, sent), operation, path)
        if len(reply.entries) != 1:
            raise ProtocolError(f"The SFTP server replied with {len(reply.entries)} names where one was requested.")
        return reply.entries[0].name

    async def _statvfs(self, path: str) -> x.Statvfs:
        body = x.one_path(self._wire(path))
        reply = await self._ask(m.ExtendedReply, lambda i: m.Extended(i, Extension.STATVFS, body), Operation.STAT, path)
        return x.parse_statvfs(reply.data)

    def _wire(self, path: str) -> str:
        return to_wire(path, windows=self._windows)

    # --- second looks (causes.Look) -----------------------------------------------------------------------------------

    async def peek(self, path: str, *, follow: bool) -> FileAttributes | None:
        sent = self._wire(path)
        reply = await self.engine.ask(lambda i: m.Stat(i, sent) if follow else m.LStat(i, sent))
        return reply.attributes if isinstance(reply, m.Attrs) else None

    async def peek_filesystem(self, path: str) -> x.Statvfs | None:
        if Extension.STATVFS not in self._extensions:
            return None
        body = x.one_path(self._wire(path))
        reply = await self.engine.ask(lambda i: m.Extended(i, Extension.STATVFS, body))
        return x.parse_statvfs(reply.data) if isinstance(reply, m.ExtendedReply) else None

    async def peek_empty(self, path: str) -> bool | None:
        try:
            async with aclosing(self.scandir(path)) as batches:
                async for _ in batches:
                    return False
        except TransportError:
            return None
        return True
