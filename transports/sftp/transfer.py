"""Bulk transfer between an open remote file and a local descriptor, or between two remote files.

All three keep about 2 MiB in flight (``relay`` on each side), hold little more in memory, can go on from an offset, and
leave the target contiguous: after a failure it holds the source's bytes up to some offset and nothing behind it, as far
as the target can still be reached.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

from transports.api import FileAttributes, Progress
from transports.errors import FileError, TransportError
from transports.sftp.causes import Operation
from transports.sftp.localio import LocalReader, LocalWriter
from transports.sftp.pumps import WINDOW, ReadPump, WritePump

if TYPE_CHECKING:
    from transports.sftp.handle import SftpFile

_TRUNCATE_WITHIN: Final = 10.0
"""Seconds given to cutting the target short after a failure."""

OnBlock = Callable[[memoryview], None]
"""Sees the bytes in order as they pass. The view is only valid during the call."""


async def download(
    source: SftpFile, fd: int, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
) -> int:
    """Copy ``length`` bytes (None: all) from ``offset`` of ``source`` to the same offset of ``fd``.

    Returns the number of bytes. Raises FileError, MasterLost, and OSError of the local side; ``fd`` is then cut off
    behind the last byte that is right.
    """
    total = await _expected(source, offset, length)

    def written(count: int) -> None:
        pump.backlog -= count
        if progress is not None:
            progress(writer.position - offset, total)
        if writer.error is not None:
            pump.fail(writer.error)
        pump.more()

    def take(view: memoryview) -> None:
        pump.backlog += len(view)
        writer.take(view)

    writer = LocalWriter(fd, offset, written)
    pump = await source.read_pump(take, offset, length)
    try:
        await _pumped(pump, source)
        await writer.finish()
    except BaseException:
        with anyio.CancelScope(shield=True):
            with contextlib.suppress(OSError):
                await writer.finish()
            with contextlib.suppress(OSError):
                await anyio.to_thread.run_sync(os.ftruncate, fd, writer.position)
        raise
    return pump.delivered


async def upload(
    fd: int, target: SftpFile, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
) -> int:
    """Copy ``length`` bytes (None: all there are now) from ``offset`` of ``fd`` to the same offset of ``target``.

    Returns the number of bytes. Raises FileError, MasterLost, and OSError of the local side.
    """
    size = os.fstat(fd).st_size
    end = size if length is None else min(size, offset + length)
    pump = await target.write_pump(offset)
    reader = LocalReader(fd, offset, end)
    try:
        while block := await reader.next():
            view = memoryview(block)
            for start in range(0, len(view), pump.chunk):
                await pump.wait_room()
                pump.put(view[start : start + pump.chunk])
            if progress is not None:
                progress(pump.written, end - offset)
        written = await pump.finish()
    except BaseException as error:
        await _cut(target, pump)
        if isinstance(error, FileError):
            raise await target.explained(error, Operation.WRITE) from error
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await reader.close()
    if progress is not None:
        progress(written, end - offset)
    return written


async def relay(
    source: SftpFile,
    target: SftpFile,
    *,
    offset: int = 0,
    length: int | None = None,
    progress: Progress | None = None,
    on_block: OnBlock | None = None,
) -> int:
    """Copy between two remote files, which may be on two hosts, from the same offset on.

    The bytes pass through ``on_block`` (a hash, say). Returns the number of bytes. Raises FileError and MasterLost of
    either side.
    """
    total = await _expected(source, offset, length)
    writes = await target.write_pump(offset)
    block = bytearray()

    def send() -> None:
        if on_block is not None:
            on_block(memoryview(block))
        writes.put(bytes(block))
        block.clear()

    def take(view: memoryview) -> None:
        while view:
            count = writes.chunk - len(block)
            block.extend(view[:count])
            view = view[count:]
            if len(block) == writes.chunk:
                send()
        reads.backlog = max(writes.in_flight - WINDOW, 0)

    def room() -> None:
        reads.backlog = max(writes.in_flight - WINDOW, 0)
        if writes.error is not None:
            reads.fail(writes.error)
        elif progress is not None:
            progress(writes.written, total)
        reads.more()

    reads = await source.read_pump(take, offset, length)
    writes.on_room = room
    try:
        await _pumped(reads, source)
        if block:
            send()
        return await writes.finish()
    except BaseException as error:
        writes.on_room = None
        await _cut(target, writes)
        if isinstance(error, FileError) and error is writes.error:
            raise await target.explained(error, Operation.WRITE) from error
        raise


async def _expected(source: SftpFile, offset: int, length: int | None) -> int | None:
    """Bytes to come, as far as the server reports."""
    size = (await source.stat()).size
    if size is None:
        return length
    return size - offset if length is None else min(length, size - offset)


async def _pumped(pump: ReadPump, source: SftpFile) -> None:
    try:
        pump.start()
        await pump.done
    except FileError as error:
        if error is pump.error:
            raise await source.explained(error, Operation.READ) from error
        raise
    finally:
        pump.stop()


async def _cut(target: SftpFile, pump: WritePump) -> None:
    """Cut ``target`` off behind the last byte known to be written. Requests are served in order: later ones go too."""
    with anyio.move_on_after(_TRUNCATE_WITHIN, shield=True), contextlib.suppress(TransportError):
        await target.setstat(FileAttributes(size=pump.contiguous))
