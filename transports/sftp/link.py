"""The bytes below the SFTP client: a channel's pipes watched by the event loop, or any ``ByteChannel``.

``readv`` into one reused buffer and ``writev`` from event loop callbacks: figures in ``transports.pipes``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, Protocol

from transports.channel import ByteChannel, PipeChannel
from transports.errors import MasterLost, TransportError
from transports.pipes import PipeWriter, widen

READ_SIZE: Final = 256 * 1024
"""Bytes taken from the kernel at once: what a widened pipe holds."""

OnData = Callable[[memoryview], None]
OnEnd = Callable[[TransportError | None], None]


class Link(Protocol):
    """What the engine needs of the bytes below it."""

    def start(self, on_data: OnData, on_end: OnEnd) -> None:
        """Begin to read. ``on_data``'s view is only valid during the call; ``on_end`` is called once."""

    def send(self, buffers: list[bytes | memoryview]) -> None:
        """Send in order, as soon as it can be; never blocks. The buffers must not change until sent."""

    def widen(self) -> None:
        """Bulk data is about to come: enlarge the kernel's buffers where it can be had."""

    async def silence(self) -> TransportError | None:
        """The error where not only the server but the host is silent."""

    def stderr_text(self) -> str:
        """What the far end has said on stderr."""

    async def close(self) -> None:
        """Stop and close the channel. Idempotent."""


def link_to(channel: ByteChannel) -> Link:
    """The fastest link that the channel allows."""
    if isinstance(channel, PipeChannel) and (fds := channel.pipe_fds()) is not None:
        return PipeLink(channel, *fds)
    return ChannelLink(channel)


class PipeLink:
    """Reads and writes the two descriptors from event loop callbacks."""

    def __init__(self, channel: ByteChannel, read_fd: int, write_fd: int) -> None:
        self._channel = channel
        self._read_fd = read_fd
        self._writer = PipeWriter(write_fd, 0)
        self._view = memoryview(bytearray(READ_SIZE))
        self._loop = asyncio.get_running_loop()
        self._reading = self._closed = self._wide = False
        self._explaining: asyncio.Task[None] | None = None

    def start(self, on_data: OnData, on_end: OnEnd) -> None:
        self._on_data = on_data
        self._on_end = on_end
        self._reading = True
        self._loop.add_reader(self._read_fd, self._readable)

    def send(self, buffers: list[bytes | memoryview]) -> None:
        if not self._closed:
            self._writer.write(buffers)

    def widen(self) -> None:
        if self._wide or self._closed:
            return
        self._wide = True
        widen(self._read_fd)
        widen(self._writer.fd)

    async def silence(self) -> TransportError | None:
        return await self._channel.silence()

    def stderr_text(self) -> str:
        return self._channel.stderr_text()

    async def close(self) -> None:
        self._stop()
        await self._channel.close()

    def _readable(self) -> None:
        try:
            count = os.readv(self._read_fd, [self._view])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = 0
        if count:
            self._on_data(self._view[:count])
        else:
            self._stop()
            self._explaining = self._loop.create_task(self._explain())

    async def _explain(self) -> None:
        """Ask the channel why its stream ended."""
        try:
            await self._channel.read(1)
        except TransportError as error:
            self._on_end(error)
        else:
            self._on_end(None)

    def _stop(self) -> None:
        """Leave the descriptors alone from now on."""
        self._closed = True
        self._writer.stop()
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._read_fd)


class ChannelLink:
    """Any byte channel, read by one task."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    def start(self, on_data: OnData, on_end: OnEnd) -> None:
        self._reader = asyncio.get_running_loop().create_task(self._read(on_data, on_end))

    def send(self, buffers: list[bytes | memoryview]) -> None:
        if not self._closed:
            self._channel.write(b"".join(buffers))

    def widen(self) -> None:
        """Nothing to widen."""

    async def silence(self) -> TransportError | None:
        return await self._channel.silence()

    def stderr_text(self) -> str:
        return self._channel.stderr_text()

    async def close(self) -> None:
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
            if self._reader is not asyncio.current_task():
                await asyncio.gather(self._reader, return_exceptions=True)
        await self._channel.close()

    async def _read(self, on_data: OnData, on_end: OnEnd) -> None:
        error: TransportError | None = None
        try:
            while data := await self._channel.read(READ_SIZE):
                on_data(memoryview(data))
        except TransportError as failed:
            error = failed
        except OSError as failed:
            error = MasterLost(f"The SFTP channel broke: {failed.strerror}.")
        on_end(error)
