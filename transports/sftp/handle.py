"""An open remote file (``transports.api.FileHandle``)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TYPE_CHECKING

from transports.api import FileAttributes, FileHandle, Progress
from transports.errors import FileError
from transports.sftp import messages as m
from transports.sftp import transfer
from transports.sftp.causes import Operation
from transports.sftp.extensions import Extension, one_handle
from transports.sftp.pumps import WINDOW, ReadPump, Sink, WritePump

if TYPE_CHECKING:
    from transports.sftp.client import SftpClient


class SftpFile:
    """Made by ``SftpClient.open``."""

    def __init__(self, client: SftpClient, handle: bytes, path: str, *, reads_only: bool) -> None:
        self._client = client
        self._handle = handle
        self._path = path
        self._reads_only = reads_only
        self._size: int | None = None
        self._closed = False

    @property
    def path(self) -> str:
        """As opened."""
        return self._path

    @property
    def client(self) -> SftpClient:
        """The service that it was opened on."""
        return self._client

    @property
    def raw(self) -> bytes:
        """The server's handle."""
        return self._handle

    async def stat(self) -> FileAttributes:
        attributes = await self._client.ask_attributes(lambda i: m.FStat(i, self._handle), Operation.STAT, self._path)
        self._size = attributes.size
        return attributes

    async def setstat(self, attributes: FileAttributes) -> None:
        await self._client.ask_status(lambda i: m.FSetStat(i, self._handle, attributes), Operation.SETSTAT, self._path)

    async def read_pump(self, sink: Sink, offset: int, length: int | None) -> ReadPump:
        """A pump over this file, not started yet."""
        limits = await self._client.limits()
        return ReadPump(
            self._client.engine,
            self._handle,
            self._path,
            sink,
            chunk=limits.read,
            offset=offset,
            length=length,
            size=self._size,
        )

    async def write_pump(self, offset: int) -> WritePump:
        """A pump over this file."""
        limits = await self._client.limits()
        return WritePump(self._client.engine, self._handle, self._path, chunk=limits.write, offset=offset)

    async def read(self, offset: int, length: int) -> bytes:
        got = bytearray()
        if length > 0:
            pump = await self.read_pump(got.extend, offset, length)
            try:
                pump.start()
                await pump.done
            except FileError as error:
                raise await self.explained(error, Operation.READ) from error
            finally:
                pump.stop()
        return bytes(got)

    async def read_stream(self, offset: int, length: int | None) -> AsyncGenerator[bytes, None]:
        if length == 0:
            return
        ready: deque[bytes] = deque()
        wake = asyncio.Event()

        def take(view: memoryview) -> None:
            ready.append(bytes(view))
            pump.backlog += len(view)
            wake.set()

        pump = await self.read_pump(take, offset, length)
        pump.done.add_done_callback(lambda _: wake.set())
        try:
            pump.start()
            while True:
                while ready:
                    data = ready.popleft()
                    pump.backlog -= len(data)
                    pump.more()
                    if data:
                        yield data
                if pump.done.done():
                    break
                wake.clear()
                await wake.wait()
            await pump.done
        except FileError as error:
            raise await self.explained(error, Operation.READ) from error
        finally:
            pump.stop()

    def write(self, offset: int, data: bytes) -> Awaitable[None]:
        chunk = self._client.limits_so_far.write
        pump = WritePump(self._client.engine, self._handle, self._path, chunk=chunk, offset=offset)
        at_once = WINDOW - WINDOW % chunk
        pump.put(memoryview(data)[:at_once])
        return self._written(pump, memoryview(data)[at_once:])

    async def _written(self, pump: WritePump, rest: memoryview) -> None:
        try:
            for start in range(0, len(rest), pump.chunk):
                await pump.wait_room()
                pump.put(rest[start : start + pump.chunk])
            await pump.finish()
        except FileError as error:
            raise await self.explained(error, Operation.WRITE) from error

    async def write_stream(
        self, chunks: AsyncIterator[bytes], *, offset: int = 0, progress: Progress | None = None
    ) -> int:
        pump = await self.write_pump(offset)
        try:
            async for chunk in chunks:
                view = memoryview(chunk)
                for start in range(0, len(view), pump.chunk):
                    await pump.wait_room()
                    pump.put(view[start : start + pump.chunk])
                if progress is not None:
                    progress(pump.written, None)
            return await pump.finish()
        except FileError as error:
            raise await self.explained(error, Operation.WRITE) from error

    async def download(
        self, fd: int, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
    ) -> int:
        return await transfer.download(self, fd, offset=offset, length=length, progress=progress)

    async def upload(
        self, fd: int, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
    ) -> int:
        return await transfer.upload(fd, self, offset=offset, length=length, progress=progress)

    async def relay(
        self,
        target: FileHandle,
        *,
        offset: int = 0,
        length: int | None = None,
        progress: Progress | None = None,
        on_block: transfer.OnBlock | None = None,
    ) -> int:
        if not isinstance(target, SftpFile):
            raise TypeError("relay wants a file of an SFTP client")
        return await transfer.relay(self, target, offset=offset, length=length, progress=progress, on_block=on_block)

    async def fsync(self) -> bool:
        if Extension.FSYNC not in self._client.extensions:
            return False
        await self._client.ask_status(
            lambda i: m.Extended(i, Extension.FSYNC, one_handle(self._handle)), Operation.SYNC, self._path
        )
        return True

    async def close(self) -> None:
        """Close the handle. Raises FileError where the host reports a late write error; idempotent.

        For a file that was only read there is nothing to wait for: requests are served in order.
        """
        if self._closed:
            return
        self._closed = True
        self._client.handles.discard(self)
        if self._client.closed:
            return
        if self._reads_only:
            self._client.engine.send_close(self._handle)
            return
        await self._client.ask_status(lambda i: m.Close(i, self._handle), Operation.CLOSE, self._path)

    async def explained(self, error: FileError, operation: Operation) -> FileError:
        """``error`` after a second look."""
        return await self._client.explained(error, operation, self._path)
