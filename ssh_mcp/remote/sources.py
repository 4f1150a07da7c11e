"""Where the writer's bytes come from: memory, a file of this machine, or another remote file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.remote.local_files import local_failure

if TYPE_CHECKING:
    from ssh_mcp.remote.local_io import LocalSource
    from ssh_mcp.remote.reading import OpenFile
    from transports.api import FileHandle, Progress


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory."""

    data: bytes

    async def pour(self, target: FileHandle) -> int:
        await target.write(0, self.data)
        return len(self.data)


@dataclass(frozen=True, slots=True)
class LocalFileSource:
    """An open local file."""

    file: LocalSource
    progress: Progress

    async def pour(self, target: FileHandle) -> int:
        try:
            size = await target.upload(self.file.fd, length=self.file.size, progress=self.progress)
        except OSError as error:
            raise local_failure(str(self.file.path), error) from None
        if size != self.file.size:
            raise FileConflict(f"{self.file.path} became shorter while it was read.", "Try again.")
        return size


@dataclass(frozen=True, slots=True)
class SameHostSource:
    """A file of the same SFTP service: the server copies it by itself where it can."""

    file: OpenFile
    progress: Progress

    async def pour(self, target: FileHandle) -> int:
        if await self.file.files.copy_data(self.file.handle, target):
            return (await target.stat()).size or 0
        return await self.file.handle.relay(target, progress=self.progress)


@dataclass(frozen=True, slots=True)
class OtherHostSource:
    """A file of another host; ``digest`` is the SHA-256 of what passed."""

    file: OpenFile
    progress: Progress
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    async def pour(self, target: FileHandle) -> int:
        size = await self.file.handle.relay(target, progress=self.progress, on_block=self.digest.update)
        if self.file.size and size != self.file.size:
            raise FileConflict(f"{shown(self.file.path)} changed its size while it was read.", "Try again.")
        return size
