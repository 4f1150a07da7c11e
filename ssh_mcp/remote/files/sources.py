"""Where the writer's bytes come from: memory, a file of this machine, or another remote file."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import anyio

from ssh_mcp.errors import FileConflict
from ssh_mcp.guard.aside import aside
from ssh_mcp.remote.files.local_files import local_failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from ssh_mcp.remote.files.local_io import LocalSource
    from ssh_mcp.remote.files.reading import OpenFile
    from transports.api import FileHandle, Progress


_AT_ONCE: Final = 1 << 20
"""Up to so many bytes are sent without waiting for a reply: half of what a file takes ahead."""


_BLOCK: Final = 1 << 18
"""Bytes read from a local file at once."""


class Source(Protocol):
    """Where the writer's bytes come from."""

    @property
    def at_once(self) -> bool:
        """Whether calling ``pour`` has sent everything: what is asked then is served behind the bytes."""

    def pour(self, target: FileHandle) -> Awaitable[int]:
        """Write everything from offset 0 on; returns the number of bytes. Pouring again starts again."""


class _Streamed:
    """A source that sends while it is awaited."""

    __slots__ = ()
    at_once: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory."""

    data: bytes

    @property
    def at_once(self) -> bool:
        return len(self.data) <= _AT_ONCE

    def pour(self, target: FileHandle) -> Awaitable[int]:
        return self._poured(target.write(0, self.data))

    async def _poured(self, writing: Awaitable[None]) -> int:
        await writing
        return len(self.data)

    @property
    def size(self) -> int:
        return len(self.data)

    def all_or_blocks(self) -> bytes:
        """The bytes, for the stdin of a program."""
        return self.data

    async def sha256(self) -> str:
        """Of all bytes, hexadecimal."""
        return (await aside(len(self.data), hashlib.sha256, self.data)).hexdigest()


@dataclass(frozen=True, slots=True)
class LocalFileSource(_Streamed):
    """An open local file."""

    file: LocalSource
    progress: Progress

    async def pour(self, target: FileHandle) -> int:
        try:
            size = await target.upload(self.file.fd, length=self.file.size, progress=self.progress)
        except OSError as error:
            raise local_failure(str(self.file.path), error) from None
        self._whole(size)
        return size

    @property
    def size(self) -> int:
        return self.file.size

    async def all_or_blocks(self) -> AsyncIterator[bytes]:
        """The bytes block by block, for the stdin of a program. Raises FileConflict where there are fewer of them."""
        done = 0
        while done < self.file.size:
            try:
                length = min(_BLOCK, self.file.size - done)
                block = await anyio.to_thread.run_sync(os.pread, self.file.fd, length, done)
            except OSError as error:
                raise local_failure(str(self.file.path), error) from None
            if not block:
                self._whole(done)
            done += len(block)
            self.progress(done, self.file.size)
            yield block

    async def sha256(self) -> str:
        """Of the whole file, hexadecimal; computed in a worker thread."""
        return await anyio.to_thread.run_sync(_digest_of, self.file.fd)

    async def lightest(self) -> LocalFileSource | BytesSource:
        """Itself, or the bytes of a file that is small enough to be sent at once: a round trip less, and no threads."""
        if self.file.size > _AT_ONCE:
            return self
        try:
            data = await anyio.to_thread.run_sync(os.pread, self.file.fd, self.file.size, 0)
        except OSError as error:
            raise local_failure(str(self.file.path), error) from None
        self._whole(len(data))
        return BytesSource(data)

    def _whole(self, size: int) -> None:
        if size != self.file.size:
            raise FileConflict(f"{self.file.path} became shorter while it was read.", "Try again.")


def _digest_of(fd: int) -> str:
    digest, position = hashlib.sha256(), 0
    while block := os.pread(fd, _AT_ONCE, position):
        digest.update(block)
        position += len(block)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class SameHostSource(_Streamed):
    """A file of the same SFTP service: the server copies it by itself where it can."""

    file: OpenFile
    progress: Progress

    async def pour(self, target: FileHandle) -> int:
        if await self.file.files.copy_data(self.file.handle, target):
            return (await target.stat()).size or 0
        return await self.file.handle.relay(target, progress=self.progress)


@dataclass(slots=True)
class OtherHostSource(_Streamed):
    """A file of another host; ``digest`` is the SHA-256 of what passed."""

    file: OpenFile
    progress: Progress
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    async def pour(self, target: FileHandle) -> int:
        self.digest = hashlib.sha256()
        size = await self.file.handle.relay(target, progress=self.progress, on_block=self.digest.update)
        await self.file.check_length(size)
        return size
